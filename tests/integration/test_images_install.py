"""What each image holds installs from its build context alone, and a function serves from it."""

import json
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

from tests.functional.test_build_context import INPUTS, STACK, image_process, install, lay_out, object_store
from tests.paths import ROOT


@pytest.mark.parametrize("name", sorted(INPUTS))
def test_a_function_installs_and_serves_from_its_build_context_alone(name: str, tmp_path: Path) -> None:
    spec = STACK.functions[name]
    context = lay_out(spec, tmp_path / "build")
    bucket, key, data, content_type = INPUTS[name]
    with object_store("upload", "images", "processed") as settings:
        store = S3ObjectStore(settings)
        environment = {
            "MINIO_ENDPOINT": settings.endpoint,
            "MINIO_ACCESS_KEY": settings.access_key,
            "MINIO_SECRET_KEY": settings.secret_key,
            # The stack file's is a path in a pod.
            "SINK_CA_FILE": "",
            "SINK": f"sqlite://{tmp_path}/index.db" if name == "index" else spec.environment["SINK"],
        }
        store.put(ObjectRef(bucket, key), [data], content_type=content_type, metadata={})
        with image_process(context, spec, environment) as url:
            event = json.dumps({"bucket": bucket, "key": key}).encode()
            answer = json.load(urllib.request.urlopen(urllib.request.Request(f"{url}/event", event)))
            assert answer["outcome"] == "processed"
            body = urllib.request.Request(f"{url}/{key}", data, {"Content-Type": content_type})
            with urllib.request.urlopen(body) as direct:
                assert int(direct.headers["Content-Length"]) == len(direct.read()) > 0


def test_the_connectors_install_from_their_build_context_alone(tmp_path: Path) -> None:
    context = tmp_path / "shared"
    shutil.copytree(ROOT / "shared", context)
    install(ROOT / "deploy" / "image" / "Dockerfile", context, tmp_path / "env")
    help_text = subprocess.run(
        [tmp_path / "env" / "bin" / "penstock", "connect", "kafka", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "usage: penstock connect kafka" in help_text.stdout
    assert not list((tmp_path / "env").rglob("pip"))


def test_a_file_without_its_hash_in_the_lock_is_not_installed(tmp_path: Path) -> None:
    context = lay_out(STACK.functions["compress"], tmp_path / "build")
    lock = context / "shared" / "locks" / "constraints.txt"
    damaged = re.sub(r"(?<=sha256:)[0-9a-f]{64}", "0" * 64, lock.read_text(encoding="utf-8"))
    lock.write_text(damaged, encoding="utf-8")
    with pytest.raises(subprocess.CalledProcessError):
        install(context / "Dockerfile", context, tmp_path / "env")
