"""What a Job's container does: its command with exactly its arguments and variables, on a real MinIO, as a process.

The kubelet's part is played here: it resolves secretKeyRef, and puts variables in place of `$(NAME)`.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from typing import Any

import pytest
from minio import Minio
from penstock.jobs.manifest import FUNCTION_FOLDER
from pytest_httpserver import HTTPServer

from tests.components import MinioServer
from tests.integration.jobs.cluster import Namespace
from tests.integration.processes import store_settings
from tests.paths import ROOT
from tests.served import Served, served

# A key is anything: here it begins with a dash, and would be replaced by a secret if it were not quoted.
KEY = "-$(MINIO_SECRET_KEY) $HOME $$/dönors+1.csv"
ROWS = b"email, name, type, birthday, state\n" * 1000


class Lake:
    """Two buckets on MinIO, `compress` over them in this namespace, and a sink for outcomes."""

    def __init__(self, namespace: Namespace, minio: MinioServer, sink: HTTPServer, name: str) -> None:
        self.namespace = namespace
        self.client: Minio = minio.endpoint.client()
        self.source, self.target = f"{name}-in", f"{name}-out"
        for bucket in (self.source, self.target):
            self.client.make_bucket(bucket_name=bucket)
        self.sink = sink
        sink.expect_request("/outcomes").respond_with_data("", 202)
        self.settings = {
            **namespace.settings(),
            **store_settings(minio),
            "SOURCE": f"s3://{self.source}/*.csv",
            "SINK": f"s3://{self.target}/{{key}}.gz",
            "OPTION_LEVEL": "3",
            "JOB_ANSWER_TO": sink.url_for("/outcomes"),
        }
        for setting in ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"):
            secret = setting.lower().replace("_", "-")
            body = {"metadata": {"name": secret}, "stringData": {secret: self.settings[setting]}}
            path = f"/api/v1/namespaces/{namespace.name}/secrets"
            namespace.server.endpoint.request("POST", path, body)

    def put(self, data: bytes, key: str = KEY) -> None:
        self.client.put_object(bucket_name=self.source, object_name=key, data=io.BytesIO(data), length=len(data))

    def read(self, key: str = f"{KEY}.gz") -> bytes:
        answer = self.client.get_object(bucket_name=self.target, object_name=key)
        return gzip.decompress(answer.read())

    def targets(self) -> list[str]:
        found = self.client.list_objects(bucket_name=self.target, recursive=True)
        return [str(each.object_name) for each in found]

    def handed_over(self, function: Served, key: str = KEY) -> dict[str, Any]:
        """Send an object's event to the function; the container of the Job that it made."""
        before = {job["metadata"]["name"] for job in self.namespace.jobs()}
        status, answer = function.send(self.source, key)
        assert (status, answer["outcome"]) == (202, "offloaded"), answer
        (job,) = [job for job in self.namespace.jobs() if job["metadata"]["name"] not in before]
        assert answer["reason"].endswith(f"Job {self.namespace.name}/{job['metadata']['name']}")
        (container,) = job["spec"]["template"]["spec"]["containers"]
        return dict(container)

    def secret(self, reference: Mapping[str, str]) -> str:
        path = f"/api/v1/namespaces/{self.namespace.name}/secrets/{reference['name']}"
        return base64.b64decode(self.namespace.get(path)["data"][reference["key"]]).decode()

    def run(self, container: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
        """Be the kubelet and the image: the container's command, here."""
        env: dict[str, str] = {}
        for variable in container["env"]:
            if "value" in variable:
                env[variable["name"]] = expand(variable["value"], env)
            else:
                env[variable["name"]] = self.secret(variable["valueFrom"]["secretKeyRef"])
        command = [*container["command"], *(expand(argument, env) for argument in container["args"])]
        assert (command[0], command[4]) == ("python", FUNCTION_FOLDER)
        command[0], command[4] = sys.executable, str(ROOT / "functions" / "compress")
        env["PATH"] = os.environ["PATH"]
        return subprocess.run(command, env=env, cwd="/", text=True, capture_output=True)


def expand(text: str, env: Mapping[str, str]) -> str:
    """`$(NAME)` as https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container says."""

    def value(found: re.Match[str]) -> str:
        if found.group() == "$$":
            return "$"
        return env.get(found.group(1), found.group())

    return re.sub(r"\$\$|\$\(([^)]*)\)", value, text)


@pytest.fixture
def lake(namespace: Namespace, minio: MinioServer, httpserver: HTTPServer, unique_name: str) -> Lake:
    return Lake(namespace, minio, httpserver, unique_name)


def test_the_container_makes_the_target_and_sends_the_outcome_that_the_function_would(lake: Lake) -> None:
    lake.put(ROWS)
    with served("compress", lake.settings) as function:
        container = lake.handed_over(function)
        status, again = function.send(lake.source, KEY)
        assert (status, again["outcome"]) == (202, "offloaded")
        assert "already with" in again["reason"]
        done = lake.run(container)
        assert done.returncode == 0, done.stderr
        assert lake.read() == ROWS
        # Redelivered after the Job is done: the target agrees, so nothing is left to hand over.
        data = json.dumps({"bucket": lake.source, "key": KEY}).encode()
        event = {"ce-specversion": "1.0", "ce-type": "wanted", "ce-source": "/tests", "ce-id": "1"}
        with urllib.request.urlopen(urllib.request.Request(f"{function.url}/event", data, event)) as answer:
            answered, outcome = dict(answer.headers), json.loads(answer.read())
    assert len(lake.namespace.jobs()) == 1
    ((sent, _),) = lake.sink.log
    assert json.loads(sent.data) == json.loads(done.stdout) == outcome
    assert outcome["outcome"] == "processed"
    attributes = {name.lower(): value for name, value in answered.items() if name.lower().startswith("ce-")}
    assert {name: sent.headers[name] for name in attributes} == attributes
    assert attributes["ce-type"] == "penstock.object.processed"


def test_no_credential_is_in_a_job(lake: Lake) -> None:
    lake.put(ROWS)
    with served("compress", lake.settings) as function:
        lake.handed_over(function)
    (job,) = lake.namespace.jobs()
    text = json.dumps(job)
    assert lake.settings["MINIO_ACCESS_KEY"] not in text
    assert lake.settings["MINIO_SECRET_KEY"] not in text


def test_a_job_remembers_the_event_and_the_trace_that_it_comes_from(lake: Lake) -> None:
    lake.put(ROWS)
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"ce-specversion": "1.0", "ce-type": "wanted", "ce-source": "/tests", "ce-id": "event-1"}
    headers["traceparent"] = f"00-{trace}-b7ad6b7169203331-01"
    with served("compress", lake.settings) as function:
        function.post("/event", json.dumps({"bucket": lake.source, "key": KEY}).encode(), headers)
    (job,) = lake.namespace.jobs()
    annotations = job["metadata"]["annotations"]
    assert annotations["penstock/event-id"] == "event-1"
    assert re.fullmatch(rf"00-{trace}-[0-9a-f]{{16}}-01", annotations["penstock/traceparent"])


def test_the_container_reads_the_object_as_it_is_when_its_turn_comes(lake: Lake) -> None:
    lake.put(ROWS)
    with served("compress", lake.settings) as function:
        container = lake.handed_over(function)
        lake.put(ROWS * 2)
        newer = lake.handed_over(function)
    for each in (container, newer):
        assert lake.run(each).returncode == 0
        assert lake.read() == ROWS * 2


def test_the_container_ends_well_when_the_object_is_gone(lake: Lake) -> None:
    lake.put(ROWS)
    with served("compress", lake.settings) as function:
        container = lake.handed_over(function)
    lake.client.remove_object(bucket_name=lake.source, object_name=KEY)
    done = lake.run(container)
    assert done.returncode == 0, done.stderr
    assert lake.targets() == []


def test_the_container_says_by_its_exit_code_whether_to_try_again(lake: Lake) -> None:
    lake.put(ROWS)
    with served("compress", {**lake.settings, "MAX_INPUT_BYTES": "2000"}) as function:
        refused = lake.handed_over(function)
    done = lake.run(refused)
    assert (done.returncode, "MAX_INPUT_BYTES is 2000" in done.stderr) == (65, True)

    def changed(name: str, value: str) -> dict[str, Any]:
        kept = [variable for variable in refused["env"] if variable["name"] != name]
        return {**refused, "env": [*kept, {"name": name, "value": value}]}

    assert lake.run(changed("MINIO_ENDPOINT", "http://127.0.0.1:9")).returncode == 75
    assert lake.run(changed("OPTION_LEVEL", "99")).returncode == 78
