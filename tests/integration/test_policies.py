"""The policies of deploy/minio/policies on a real MinIO: functions work with exactly these, and nothing else does."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from minio import Minio
from minio.error import S3Error

from tests.components import MinioServer
from tests.integration.processes import store_settings
from tests.paths import DEPLOY
from tests.served import Served, served

POLICIES = DEPLOY / "minio" / "policies"
BUCKETS = ("upload", "images", "twitter", "processed", "assets", "private")


class Account:
    """A user of MinIO who has one policy."""

    def __init__(self, server: MinioServer, policy: str) -> None:
        self.name, self.secret = f"user-{policy}", secrets.token_hex(20)
        self._server = server
        server.mc("admin", "user", "add", "lake", self.name, self.secret)
        server.mc("admin", "policy", "create", "lake", policy, str(POLICIES / f"{policy}.json"))
        server.mc("admin", "policy", "attach", "lake", policy, "--user", self.name)

    @property
    def settings(self) -> dict[str, str]:
        return {**store_settings(self._server), "MINIO_ACCESS_KEY": self.name, "MINIO_SECRET_KEY": self.secret}

    def client(self) -> Minio:
        return Minio(
            endpoint=self._server.endpoint.endpoint,
            access_key=self.name,
            secret_key=self.secret,
            region="us-east-1",  # else it asks where the bucket is, which functions need not
            secure=False,
        )


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with MinioServer(tmp_path_factory.mktemp("minio")) as server:
        root = server.endpoint.client()
        for bucket in BUCKETS:
            root.make_bucket(bucket_name=bucket)
        yield server


@pytest.fixture(scope="module")
def account(lake: MinioServer) -> Callable[[str], Account]:
    made: dict[str, Account] = {}

    def get(policy: str) -> Account:
        if policy not in made:
            made[policy] = Account(lake, policy)
        return made[policy]

    return get


def put(client: Minio, bucket: str, key: str, data: bytes = b"a,b\n1,2\n") -> None:
    client.put_object(bucket_name=bucket, object_name=key, data=io.BytesIO(data), length=len(data))


def refused(act: Callable[..., Any], **arguments: Any) -> bool:
    """Whether MinIO denies it; an answer of any other kind is an error of the test."""
    try:
        found = act(**arguments)
        if act.__name__ == "list_objects":
            list(found)
    except S3Error as error:
        if error.code != "AccessDenied":
            raise
        return True
    return False


FUNCTIONS = {
    "compress": {"SOURCE": "s3://upload/*.csv", "SINK": "s3://processed/{key}.gz"},
    "resize": {"SOURCE": "s3://images/*.jpg", "SINK": "s3://processed/{key}", "OPTION_WIDTH": "8"},
    "index": {"SOURCE": "s3://processed/*"},
}


def picture() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").resize((64, 48)).save(file, "JPEG")
    return file.getvalue()


INPUTS = {
    "compress": ("upload", "deep er/donors.csv", b"a,b\n1,2\n" * 1000),
    "resize": ("images", "deep er/rose.jpg", picture()),
    "index": ("processed", "deep er/rows.csv", b"a,b\n1,2\n"),
}


def settings_of(name: str, account: Account, folder: Path) -> dict[str, str]:
    sink = {"SINK": f"sqlite://{folder}/index.db"} if name == "index" else {}
    return {**FUNCTIONS[name], **sink, **account.settings, "FUNCTION_NAME": name}


@pytest.mark.parametrize("policy", ["own", "functions"])
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_function_does_all_its_work_with_its_policy(
    lake: MinioServer, account: Callable[[str], Account], tmp_path: Path, name: str, policy: str
) -> None:
    bucket, key, data = INPUTS[name]
    root = lake.endpoint.client()
    put(root, bucket, key, data)
    user = account(name if policy == "own" else policy)
    with served(name, settings_of(name, user, tmp_path)) as function:
        assert outcome(function, bucket, key) == "processed"
        assert outcome(function, bucket, key) == "processed"
        # Without ListBucket a key that is gone reads as forbidden, and nothing would ever be removed.
        assert outcome(function, bucket, "gone.csv" if name != "resize" else "gone.jpg") == "removed"
        if name != "index":  # input that can never work leaves a record beside the targets, and takes the target away
            put(root, bucket, key, b"\x1f\x8b\x08\x00 not a picture, and compressed already")
            assert outcome(function, bucket, key) == "refused"
            records = root.list_objects(bucket_name="processed", prefix=".penstock/", recursive=True)
            assert any(name in (each.object_name or "") for each in records)


@pytest.mark.parametrize("policy", ["resize", "functions"])
def test_resize_reads_its_watermark_with_its_policy(
    lake: MinioServer, account: Callable[[str], Account], tmp_path: Path, policy: str
) -> None:
    root = lake.endpoint.client()
    put(root, "images", f"{policy}.jpg", picture())
    settings = {**settings_of("resize", account(policy), tmp_path), "OPTION_WATERMARK": "s3://assets/mark.jpg"}
    root.remove_object(bucket_name="assets", object_name="mark.jpg")
    with served("resize", settings) as function:
        status, answer = function.send("images", f"{policy}.jpg")
        assert status == 503
        assert "s3://assets/mark.jpg: option watermark names it, and it is not there; upload it" in str(answer)
        put(root, "assets", "mark.jpg", picture())
        assert outcome(function, "images", f"{policy}.jpg") == "processed"


def outcome(function: Served, bucket: str, key: str) -> str:
    _, answer = function.send(bucket, key)
    assert "outcome" in answer, answer
    return str(answer["outcome"])


@pytest.mark.parametrize("name", ["compress", "resize"])
def test_reconcile_works_with_the_same_policy(
    lake: MinioServer, account: Callable[[str], Account], tmp_path: Path, name: str
) -> None:
    import os
    import subprocess
    import sys

    bucket, _, data = INPUTS[name]
    put(lake.endpoint.client(), bucket, f"missed{Path(INPUTS[name][1]).suffix}", data)
    environment = {"PATH": os.environ["PATH"], **settings_of(name, account(name), tmp_path)}
    command = [sys.executable, "-m", "penstock.cli", "reconcile", str(DEPLOY.parent / "functions" / name)]
    mended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert mended.returncode == 0, mended.stderr
    checked = subprocess.run([*command, "--check"], env=environment, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("policy", "readable", "writable", "listable"),
    [
        ("compress", {"upload", "processed"}, {"processed"}, {"upload", "processed"}),
        ("resize", {"images", "assets", "processed"}, {"processed"}, {"images", "assets", "processed"}),
        ("index", {"processed"}, set(), {"processed"}),
        (
            "functions",
            {"upload", "images", "assets", "processed"},
            {"processed"},
            {"upload", "images", "assets", "processed"},
        ),
        ("uploader", set(), {"upload", "images", "twitter"}, {"upload", "images", "twitter"}),
    ],
)
def test_outside_of_its_policy_everything_is_refused(
    lake: MinioServer,
    account: Callable[[str], Account],
    policy: str,
    readable: set[str],
    writable: set[str],
    listable: set[str],
) -> None:
    root, user = lake.endpoint.client(), account(policy).client()
    for bucket in BUCKETS:
        put(root, bucket, "there")
        names = {"bucket_name": bucket, "object_name": "there"}
        assert refused(user.get_object, **names) == (bucket not in readable), bucket
        assert refused(user.list_objects, bucket_name=bucket) == (bucket not in listable), bucket
        data = {"data": io.BytesIO(b"x"), "length": 1}
        assert refused(user.put_object, bucket_name=bucket, object_name="new", **data) == (bucket not in writable)
        may_remove = bucket in writable and policy != "uploader"
        assert refused(user.remove_object, **names) == (not may_remove), bucket
        for act in (user.get_bucket_policy, user.get_bucket_notification, user.remove_bucket):
            assert refused(act, bucket_name=bucket), f"{act.__name__} {bucket}"
    assert refused(user.make_bucket, bucket_name="another")


def test_policies_say_no_more_than_the_documentation() -> None:
    documented = (DEPLOY.parent / "docs" / "settings.md").read_text()
    for name in ("compress", "resize", "index", "functions"):
        for statement in json.loads((POLICIES / f"{name}.json").read_text())["Statement"]:
            for action in statement["Action"]:
                assert f"`{action}`" in documented, action
