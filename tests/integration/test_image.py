"""The images themselves: built from the template, run as a cluster would, against a real MinIO.

Where the machine allows no containers, the tests say so with podman's own words and are skipped: no other part of the
suite rests on them. Everything else that is missing is an error.
"""

from __future__ import annotations

import io
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from minio import Minio
from PIL import Image

from tests.components import ComponentError, MinioServer
from tests.components.containers import BASE, Container, Containers
from tests.functional.test_build_context import STACK, lay_out
from tests.integration.processes import store_settings
from tests.paths import DEPLOY, ROOT
from tests.served import free_port

MEMORY = "256m"
INPUTS = {
    "compress": ("upload", "donors.csv"),
    "resize": ("images", "deep/rose.jpg"),
    "index": ("processed", "rows.csv"),
}


@pytest.fixture(scope="module")
def engine() -> Containers:
    made = Containers()
    made.install()
    if made.problem:
        pytest.skip(f"this machine runs no containers: {made.problem}")
    return made


@pytest.fixture(scope="module")
def images(engine: Containers, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Each function's image, built from the context that faas-cli lays out; its tests run while it is built."""
    folder = tmp_path_factory.mktemp("build")
    names = {}
    for name, spec in STACK.functions.items():
        names[name] = f"localhost/penstock-{name}:test"
        engine.build(names[name], lay_out(spec, folder))
    return names


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    with MinioServer(tmp_path_factory.mktemp("minio")) as server:
        client = server.endpoint.client()
        for bucket in ("upload", "images", "processed"):
            client.make_bucket(bucket_name=bucket)
        put(client, *INPUTS["compress"], b"email, name\na@example.com,A\n" * 1_000_000)
        picture = io.BytesIO()
        Image.radial_gradient("L").convert("RGB").resize((3000, 2000)).save(picture, "JPEG")
        put(client, *INPUTS["resize"], picture.getvalue())
        put(client, *INPUTS["index"], b"email, name\na@example.com,A\n")
        yield server


def put(client: Minio, bucket: str, key: str, data: bytes) -> None:
    client.put_object(bucket_name=bucket, object_name=key, data=io.BytesIO(data), length=len(data))


def post(url: str, body: bytes, content_type: str = "application/json") -> Any:
    request = urllib.request.Request(url, body, {"Content-Type": content_type})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def wait_until_ready(container: Container, url: str) -> None:
    while True:
        assert container.state()["Running"], container.logs()
        try:
            with urllib.request.urlopen(f"{url}/_/ready", timeout=5):
                return
        except OSError:
            continue


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_function_works_as_nobody_on_a_read_only_disk_in_256_mebibytes(
    engine: Containers, images: dict[str, str], lake: MinioServer, name: str
) -> None:
    spec, port = STACK.functions[name], free_port()
    sink = {"SINK": "sqlite:///tmp/index.db"} if name == "index" else {}
    settings = {**spec.environment, **sink, **store_settings(lake), "PORT": str(port)}
    settings.pop("SINK_CA_FILE", None)  # of a search server, in a pod
    url = f"http://127.0.0.1:{port}"
    with engine.running(images[name], settings, memory=MEMORY) as container:
        wait_until_ready(container, url)
        bucket, key = INPUTS[name]
        answer = post(f"{url}/event", json.dumps({"bucket": bucket, "key": key}).encode())
        assert answer["outcome"] == "processed", answer
        who = container.execute("python", "-c", "import os; print(os.getuid(), os.access('/opt/app', os.W_OK))")
        assert who.split() == ["65532", "False"]
        # PID 1 gets SIGTERM and ends by itself: 137 would mean that it was killed after a while.
        assert container.stop() == 0, container.logs()
        assert container.state()["OOMKilled"] is False


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_image_holds_no_tests_no_build_tools_and_says_how_large_it_is(
    engine: Containers, images: dict[str, str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = engine.run(
        images[name], "sh", "-c", "ls /opt/penstock/bin /opt/penstock/lib/python3*/site-packages /opt/app"
    )
    words = set(seen.split())
    assert {"penstock", "gunicorn", "index.py", "function"} <= words
    assert not {"pytest", "pip", "hypothesis", "setuptools"} & words
    added = engine.size_bytes(images[name]) - engine.size_bytes(BASE)
    with capsys.disabled():
        print(f"\nimage {name}: {added / 1e6:.0f} MB on top of its base")
    assert added < 250_000_000


def test_failing_test_fails_the_build(engine: Containers, images: dict[str, str], tmp_path: Path) -> None:
    context = lay_out(STACK.functions["compress"], tmp_path)
    (context / "function" / "handler_test.py").write_text("def test_that_fails() -> None:\n    assert not 'this one'\n")
    with pytest.raises(ComponentError, match="assert not 'this one'"):
        engine.build("localhost/penstock-failing:test", context)


def test_reconcile_runs_in_the_functions_own_image(
    engine: Containers, images: dict[str, str], lake: MinioServer
) -> None:
    settings = {**STACK.functions["compress"].environment, **store_settings(lake)}
    command = ["penstock", "reconcile", "/opt/app/function"]
    with engine.running(images["compress"], settings, memory=MEMORY, command=command) as container:
        while container.state()["Running"]:
            continue
        assert container.state()["ExitCode"] == 0, container.logs()
        assert "compress:" in container.logs()


def test_bridge_runs_from_the_image_of_the_connectors(
    engine: Containers, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    name, port = "localhost/penstock:test", free_port()
    engine.build(name, ROOT / "shared", file=DEPLOY / "image" / "Dockerfile")
    with capsys.disabled():
        print(
            f"\nimage penstock: {(engine.size_bytes(name) - engine.size_bytes(BASE)) / 1e6:.0f} MB on top of its base"
        )
    assert engine.run(name, "--version").startswith("penstock ")
    command = ["bridge", "--to=http://127.0.0.1:9/", "--inbox=/tmp/inbox.db", f"--listen=127.0.0.1:{port}"]
    with engine.running(name, {"BRIDGE_TOKEN": "secret"}, memory=MEMORY, command=command) as container:
        wait_until_ready(container, f"http://127.0.0.1:{port}")
        assert container.stop() == 0, container.logs()
