"""What a target takes over of its source: each header by its rule."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from penstock.errors import TemporaryError
from penstock.sinks.carried import carried, remedy
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef, ObjectState, Result

from tests.lake import TARGET, Lake

SSE, KMS_KEY = "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"
TAGGING = "x-amz-tagging"
KMS = {SSE: "aws:kms", KMS_KEY: "lake"}
LATER = "Wed, 21 Oct 2099 07:28:00 GMT"

RULES: dict[str, tuple[dict[str, str], dict[str, str], dict[str, str], str]] = {
    "nothing": ({}, {}, {}, ""),
    "content encoding": ({"content-encoding": "br"}, {}, {"original-content-encoding": "br"}, ""),
    "two encodings": ({"content-encoding": "br, gzip"}, {}, {"original-content-encoding": "br, gzip"}, ""),
    "how it was sent": ({"content-encoding": "aws-chunked"}, {}, {}, ""),
    "both": ({"content-encoding": "aws-chunked,gzip"}, {}, {"original-content-encoding": "gzip"}, ""),
    "cache control": ({"cache-control": "no-cache"}, {"cache-control": "no-cache"}, {}, ""),
    "language": ({"content-language": "de, en"}, {"content-language": "de, en"}, {}, ""),
    "inline": ({"content-disposition": "inline"}, {"content-disposition": "inline"}, {}, ""),
    "file name": (
        {"content-disposition": 'Attachment; filename="old name.csv"'},
        {"content-disposition": 'attachment; filename="a.txt"'},
        {},
        "",
    ),
    "file name twice": (
        {"content-disposition": "attachment; filename=o; filename*=UTF-8''%e2%82%ac"},
        {"content-disposition": 'attachment; filename="a.txt"'},
        {},
        "",
    ),
    "malformed": ({"content-disposition": '="x"'}, {"content-disposition": "attachment"}, {}, ""),
    "expires": ({"expires": LATER}, {}, {}, "Expires of the source is not kept"),
    "storage class": ({"x-amz-storage-class": "STANDARD_IA"}, {}, {}, ""),
    "SSE-S3": ({SSE: "AES256"}, {SSE: "AES256"}, {}, ""),
    "SSE-KMS": (KMS, KMS, {}, ""),
    "SSE-KMS, the default key": ({SSE: "aws:kms"}, {SSE: "aws:kms"}, {}, ""),
    "SSE-KMS twice": ({SSE: "aws:kms:dsse", KMS_KEY: "k"}, {SSE: "aws:kms:dsse", KMS_KEY: "k"}, {}, ""),
    "not known": ({SSE: "aws:fsx"}, {}, {}, "in a way that is not known here (aws:fsx)"),
    "tags": ({TAGGING: "a=b%20c&d="}, {"x-amz-tagging-count": "1"}, {}, ""),
}


@pytest.fixture
def lake() -> Lake:
    return Lake()


def target(lake: Lake) -> ObjectState:
    state = lake.state(TARGET)
    assert state is not None
    return state


@pytest.mark.parametrize(("given", "kept", "metadata", "note"), RULES.values(), ids=RULES)
def test_each_header_by_its_rule(
    lake: Lake, given: Mapping[str, str], kept: Mapping[str, str], metadata: Mapping[str, str], note: str
) -> None:
    lake.put(b"one", headers=given, metadata={"owner": "ann"})
    [entry] = lake.agree().entries.values()
    told = {name: value for name, value in target(lake).metadata.items() if not name.startswith("penstock-")}
    assert dict(target(lake).headers) == kept
    assert told == {"owner": "ann", **metadata}
    assert [note in said for said in entry.notes] == ([True] if note else [])


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("deep/rose 1.txt", 'filename="rose 1.txt"'),
        ("a\\b.txt", "filename*=UTF-8''a%5Cb.txt"),
        ('it"s.txt', "filename*=UTF-8''it%22s.txt"),
        ("M\u00e4rz.txt", "filename*=UTF-8''M%C3%A4rz.txt"),
        ("two\nlines", "filename*=UTF-8''two%0Alines"),
        ("100%.txt", "filename*=UTF-8''100%25.txt"),
    ],
)
def test_the_name_in_the_disposition_is_the_targets(lake: Lake, key: str, named: str) -> None:
    ref = ObjectRef("upload", key)
    lake.put(b"one", ref, headers={"content-disposition": 'attachment; filename="x"'})
    lake.agree(ref)
    state = lake.state(ObjectRef("processed", key))
    assert state is not None
    assert state.headers["content-disposition"] == f"attachment; {named}"


def test_tags_cost_a_request_only_where_there_are_some(lake: Lake) -> None:
    lake.put(b"one", headers={"cache-control": "no-cache", SSE: "AES256"})
    plain = lake.requests_of()
    lake.delete(TARGET)
    lake.put(b"one", headers={TAGGING: "a=1"})
    tagged = lake.requests_of()
    assert "TAGS upload/a.txt" not in plain
    assert sorted(tagged) == sorted([*plain, "TAGS upload/a.txt"])
    assert lake.store.tags(target(lake)) == {"a": "1"}


def test_tags_that_may_not_be_read_are_a_note() -> None:
    class Closed(MemoryStore):
        def tags(self, _state: ObjectState) -> None:
            return None

    lake = Lake(store=Closed("upload", "processed"))
    lake.put(b"one", headers={TAGGING: "a=1"})
    [entry] = lake.agree().entries.values()
    assert entry.notes == ("tags of the source are not kept: the policy needs s3:GetObjectTagging",)


def test_a_new_content_encoding_on_the_same_bytes_makes_the_target_anew(lake: Lake) -> None:
    lake.put(b"one", headers={"content-encoding": "br"})
    lake.agree()
    lake.put(b"one", headers={"content-encoding": "gzip"})
    assert lake.agree().changed
    assert target(lake).metadata["original-content-encoding"] == "gzip"
    assert not lake.agree().changed


def test_a_handlers_own_metadata_comes_first() -> None:
    lake = Lake()
    lake.put(b"one", metadata={"original-content-encoding": "told by the uploader"}, headers={"content-encoding": "br"})
    lake.agree()
    assert target(lake).metadata["original-content-encoding"] == "told by the uploader"


@pytest.mark.parametrize(
    ("headers", "failure", "hint"),
    [
        (KMS, "s3://a/b: access denied; the policy", "TARGET_ENCRYPTION=bucket"),
        (KMS, "s3://a/b: the object store failed (KMSNotConfigured)", "with lake: allow that"),
        (KMS, "s3://a/b: the object store failed (XMinioKMSKeyNotFound)", "TARGET_ENCRYPTION=bucket"),
        ({TAGGING: "a=b"}, "s3://a/b: access denied", "s3:PutObjectTagging"),
    ],
)
def test_a_store_that_refuses_such_a_target_says_what_to_do(
    headers: Mapping[str, str], failure: str, hint: str
) -> None:
    class Refusing(MemoryStore):
        def put(self, ref: ObjectRef, *given: object, **how: object) -> ObjectState:
            if ref.bucket == "processed":
                raise TemporaryError(failure)
            return super().put(ref, *given, **how)  # type: ignore[arg-type]

    lake = Lake(store=Refusing("upload", "processed"))
    lake.put(b"one", headers=headers)
    with pytest.raises(TemporaryError) as told:
        lake.agree()
    assert hint in str(told.value)
    assert lake.keys() == []


def test_what_no_header_can_carry_is_left_out_with_a_note() -> None:
    headers = {"content-encoding": "br\u00e9", "cache-control": "pr\u00e9", "content-language": "de"}
    source = ObjectState(ObjectRef("upload", "a"), 3, "etag", headers=headers)
    kept = carried(MemoryStore(), source, Result(b"x"), "a", follow_encryption=True)
    assert (kept.headers, kept.metadata) == ({"content-language": "de"}, {})
    assert kept.notes == ["cache-control of the source is not kept: it has more than ASCII"]


def test_an_outage_is_not_blamed_on_the_encryption() -> None:
    assert remedy(KMS, "s3://a/b: the object store failed: nothing listens there") == ""
    assert remedy({}, "s3://a/b: access denied") == ""
