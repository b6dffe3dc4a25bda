"""What targets take over of their source, on a MinIO that has a key for encryption."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from minio.commonconfig import Tags
from minio.sse import SseKMS, SseS3
from minio.sseconfig import Rule, SSEConfig
from penstock.errors import TemporaryError
from penstock.handler.loading import load_module, make_function
from penstock.runtime.runtime import Runtime
from penstock.settings.config import Config, SourceRule, StoreSettings
from penstock.sinks.wiring import make_sink
from penstock.store.any_key import AnyKeyClient
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

from tests.components import MinioServer
from tests.lake import Options, upper
from tests.paths import ROOT
from tests.store_contract import MIB

KEY_NAME = "lake-key"
SSE, KMS_KEY = "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"
KEYS = ["a.csv", "odd\nkey.csv"]
UPPER = SimpleNamespace(__name__="handler", handle=upper, Options=Options)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MinioServer]:
    secret = f"{KEY_NAME}:{base64.b64encode(bytes(range(32))).decode()}"
    with MinioServer(tmp_path_factory.mktemp("minio-kms"), env={"MINIO_KMS_SECRET_KEY": secret}) as started:
        yield started


class Flow:
    """One function between two new buckets."""

    def __init__(self, server: MinioServer, name: str, handler: Any = UPPER, **more: Any) -> None:
        self.client, self.more, self.handler = server.endpoint.client(), more, handler
        self.source, self.target = f"{name}-in", f"{name}-out"
        for bucket in (self.source, self.target):
            if not self.client.bucket_exists(bucket):
                self.client.make_bucket(bucket)
        self.use(settings_of(server))

    def use(self, settings: StoreSettings) -> None:
        self.store = S3ObjectStore(settings)
        rule = SourceRule(self.source)
        config = Config("upper", (rule,), f"s3://{self.target}/{{key}}", settings, **self.more)
        function = make_function(self.handler, config)
        self.runtime = Runtime(function, config, self.store, make_sink(config, self.store))

    def run(self, key: str, data: bytes = b"one", **how: Any) -> Any:
        self.client.put_object(self.source, key, io.BytesIO(data), len(data), **how)
        outcome = self.runtime.agree(ObjectRef(self.source, key))
        assert outcome.status == 200
        assert self.runtime.agree(ObjectRef(self.source, key)).changed is False
        return outcome

    def told(self, key: str) -> dict[str, str]:
        found = self.client.stat_object(self.target, key)
        return {name.lower(): value for name, value in (found.metadata or {}).items()}


def settings_of(server: MinioServer) -> StoreSettings:
    endpoint = server.endpoint
    return StoreSettings(endpoint.url, endpoint.access_key, endpoint.secret_key)


def notes_of(outcome: Any) -> list[str]:
    return [note for entry in outcome.entries.values() for note in entry.notes]


@pytest.mark.parametrize("size", [3, 6 * MIB], ids=["small", "in parts"])
@pytest.mark.parametrize("key", KEYS, ids=["plain", "odd"])
def test_a_target_is_encrypted_as_its_source_is(server: MinioServer, unique_name: str, key: str, size: int) -> None:
    flow = Flow(server, unique_name)
    flow.run(key, b"x" * size, sse=SseKMS(KEY_NAME, {"project": "lake"}))
    told = flow.told(key)
    assert told[SSE] == "aws:kms"
    assert told[KMS_KEY].endswith(KEY_NAME)
    flow.run(key, b"y" * size, sse=SseS3())
    assert flow.told(key)[SSE] == "AES256"
    flow.run(key, b"z" * size)
    assert SSE not in flow.told(key)
    with flow.client.get_object(flow.target, key) as response:
        assert response.read() == b"Z" * size


def test_a_bucket_with_an_encryption_of_its_own_is_not_made_weaker(server: MinioServer, unique_name: str) -> None:
    flow = Flow(server, unique_name)
    flow.client.set_bucket_encryption(flow.target, SSEConfig(Rule.new_sse_kms_rule(KEY_NAME)))
    flow.run("a", sse=SseS3())
    assert flow.told("a")[SSE] == "aws:kms"


def test_the_bucket_decides_where_that_is_set_and_the_answer_says_so(server: MinioServer, unique_name: str) -> None:
    flow = Flow(server, unique_name, follow_encryption=False)
    outcome = flow.run("a", sse=SseKMS(KEY_NAME, {}))
    assert SSE not in flow.told("a")
    assert notes_of(outcome) == ["the source is encrypted (aws:kms), and its target as the target's bucket says"]


def test_a_key_that_may_not_be_used_leaves_no_target_in_clear(server: MinioServer, unique_name: str) -> None:
    flow = Flow(server, unique_name)
    with pytest.raises(TemporaryError):
        flow.store.put(
            ObjectRef(flow.target, "a"),
            [b"x"],
            content_type="a/b",
            metadata={},
            headers={SSE: "aws:kms", KMS_KEY: "no"},
        )
    assert flow.store.stat(ObjectRef(flow.target, "a")) is None


@pytest.mark.parametrize("key", KEYS, ids=["plain", "odd"])
def test_headers_and_tags_follow_the_rule(server: MinioServer, unique_name: str, key: str) -> None:
    flow = Flow(server, unique_name)
    tags = Tags.new_object_tags()
    tags["class"] = "confidential data"
    outcome = flow.run(
        key,
        content_type="text/csv",
        tags=tags,
        metadata={
            "Cache-Control": "max-age=60",
            "Content-Encoding": "br",
            "Content-Language": "de",
            "Content-Disposition": 'attachment; filename="old.csv"',
            "Expires": "Wed, 21 Oct 2099 07:28:00 GMT",
            "X-Amz-Storage-Class": "REDUCED_REDUNDANCY",
        },
    )
    told = flow.told(key)
    assert told["cache-control"] == "max-age=60"
    assert told["content-language"] == "de"
    assert told["content-disposition"].startswith("attachment; filename")
    assert "old.csv" not in told["content-disposition"]
    assert told["x-amz-meta-original-content-encoding"] == "br"
    assert "content-encoding" not in told
    assert "x-amz-storage-class" not in told
    assert dict(flow.client.get_object_tags(flow.target, key) or {}) == {"class": "confidential data"}
    assert notes_of(outcome) == []


@pytest.mark.parametrize(
    ("options", "content_type"), [({}, "application/gzip"), ({"format": "zstd"}, "application/zstd")]
)
def test_compress_leaves_what_its_readme_lists(
    server: MinioServer, unique_name: str, options: dict[str, str], content_type: str
) -> None:
    flow = Flow(server, unique_name, load_module(ROOT / "functions" / "compress"), options=options)
    tags = Tags.new_object_tags()
    tags["class"] = "confidential data"
    flow.run(
        "in/Grüße 1.csv",
        b"a,b\n" * 100,
        content_type="text/csv; header=present",
        sse=SseKMS(KEY_NAME, {}),
        tags=tags,
        metadata={
            "Content-Encoding": "aws-chunked-before",
            "Cache-Control": "no-store",
            "Content-Language": "de",
            "x-amz-meta-owner": "lake",
        },
    )
    told = flow.told("in/Grüße 1.csv")
    assert told["content-type"] == content_type
    assert told["x-amz-meta-original-content-type"] == "text/csv; header=present"
    assert told["x-amz-meta-original-content-encoding"] == "aws-chunked-before"
    assert told["x-amz-meta-original-name"] == "Gr%C3%BC%C3%9Fe%201.csv"
    assert told["x-amz-meta-owner"] == "lake"
    assert (told["cache-control"], told["content-language"]) == ("no-store", "de")
    assert told[SSE] == "aws:kms"
    assert "content-encoding" not in told
    assert dict(flow.client.get_object_tags(flow.target, "in/Grüße 1.csv") or {}) == {"class": "confidential data"}


@pytest.mark.parametrize(("letters", "is_kept"), [(512, True), (513, False)], ids=["of 512 bytes", "of 513 bytes"])
def test_compress_leaves_a_long_name_out_of_the_metadata(
    server: MinioServer, unique_name: str, letters: int, is_kept: bool
) -> None:
    flow = Flow(server, unique_name, load_module(ROOT / "functions" / "compress"))
    key = (
        "x" * 60 + "é" * ((letters - 60) // 6) + "x" * ((letters - 60) % 6)
    )  # %C3%A9 takes six bytes, the file's name two
    flow.run(key)
    assert ("x-amz-meta-original-name" in flow.told(key)) == is_kept
    assert "x-amz-meta-original-content-encoding" not in flow.told(key)


def test_listing_tells_the_same_state_as_a_look(server: MinioServer, unique_name: str) -> None:
    flow = Flow(server, unique_name)
    flow.run("a", metadata={"Cache-Control": "max-age=60", "Content-Encoding": "br"}, sse=SseKMS(KEY_NAME, {}))
    for bucket in (flow.source, flow.target):
        (listed,) = flow.store.list(bucket)
        seen = flow.store.stat(listed.ref)
        assert seen is not None
        assert listed.content == seen.content


def test_source_without_such_headers_costs_no_request_more(
    server: MinioServer, unique_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow(server, unique_name)
    calls: list[str] = []
    for name in ("tags", "encrypts", "head", "open"):
        monkeypatch.setattr(AnyKeyClient, name, lambda *_given, name=name, **_how: calls.append(name))
    flow.run("a", content_type="text/csv")
    assert calls == []


def test_a_policy_without_the_right_to_read_tags_is_told_in_a_note(server: MinioServer, unique_name: str) -> None:
    flow = Flow(server, unique_name)
    statement = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{unique_name}-*"],
    }
    file = server.folder / f"{unique_name}.json"
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    admin = server.endpoint.admin()
    admin.user_add(unique_name, "limited-secret")
    admin.policy_add(unique_name, str(file))
    admin.attach_policy([unique_name], user=unique_name)
    flow.use(StoreSettings(server.endpoint.url, unique_name, "limited-secret"))
    tags = Tags.new_object_tags()
    tags["a"] = "b"
    outcome = flow.run("a", tags=tags)
    assert notes_of(outcome) == ["tags of the source are not kept: the policy needs s3:GetObjectTagging"]
