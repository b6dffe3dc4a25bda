"""The S3 store on a real MinIO: the contract, and what only a real server does."""

from __future__ import annotations

import json

import pytest
from minio import Minio
from minio.commonconfig import ENABLED
from minio.versioningconfig import SUSPENDED, VersioningConfig
from penstock.errors import PermanentError, TemporaryError
from penstock.settings.config import SourceRule, StoreSettings
from penstock.store.any_key import AnyKeyClient
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

from tests.components import MinioServer
from tests.store_contract import KEYS, StoreContract, Unfinished, read, write
from tests.uploads import UploadsClient


@pytest.fixture
def client(minio: MinioServer) -> UploadsClient:
    return minio.endpoint.client()


@pytest.fixture
def bucket(client: Minio, unique_name: str) -> str:
    client.make_bucket(unique_name)
    return unique_name


@pytest.fixture
def store(minio: MinioServer) -> S3ObjectStore:
    endpoint = minio.endpoint
    return S3ObjectStore(StoreSettings(endpoint.url, endpoint.access_key, endpoint.secret_key))


class TestMinio(StoreContract):
    """The contract, with a folder's worth of MinIO behind it."""

    @pytest.fixture
    def unfinished(self, client: UploadsClient, bucket: str) -> Unfinished:
        return lambda: client.unfinished(bucket)

    def test_listing_tells_content_type_and_metadata(self, store: S3ObjectStore, bucket: str) -> None:
        ref = ObjectRef(bucket, "a")
        write(store, ref, b"one", owner="ann")
        (listed,) = store.list(bucket)
        stat = store.stat(ref)
        assert stat is not None
        assert listed.content == stat.content


@pytest.mark.parametrize("key", [*KEYS.values(), "a\x07b.csv"], ids=[*KEYS, "bell"])
def test_mc_sees_the_same_key(store: S3ObjectStore, client: Minio, bucket: str, key: str) -> None:
    write(store, ObjectRef(bucket, key), b"one")
    assert [found.object_name for found in client.list_objects(bucket, recursive=True)] == [key]
    assert [state.ref.key for state in store.list(bucket)] == [key]


def test_versioned_bucket_gives_the_same_bytes_a_new_version(store: S3ObjectStore, client: Minio, bucket: str) -> None:
    client.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    for key in ("a", "odd\nkey"):
        ref = ObjectRef(bucket, key)
        write(store, ref, b"one")
        first = store.stat(ref)
        write(store, ref, b"one")
        second, opened = store.stat(ref), store.open(ref)
        assert first is not None
        assert second is not None
        assert opened is not None
        assert first.content == second.content
        assert first.token != second.token == opened[0].token
        store.delete(ref)  # leaves a delete marker: gone
        assert store.stat(ref) is None
        assert store.open(ref) is None


def test_metadata_beyond_ascii_is_read_as_the_server_words_it(minio: MinioServer, bucket: str) -> None:
    """MinIO hands out such values as RFC 2047 encoded words; those are plain ASCII and travel on."""
    file = minio.folder / "one.txt"
    file.write_text("one")
    minio.mc("cp", "--attr", "name=日本語", str(file), f"lake/{bucket}/a")
    endpoint = minio.endpoint
    store = S3ObjectStore(StoreSettings(endpoint.url, endpoint.access_key, endpoint.secret_key))
    head, opened = store.head(ObjectRef(bucket, "a")), store.open(ObjectRef(bucket, "a"))
    assert head is not None
    assert opened is not None
    assert head.metadata["name"].startswith("=?UTF-8?")
    assert head.token == opened[0].token
    copy = store.put(ObjectRef(bucket, "b"), opened[1], content_type="t/x", metadata=head.metadata)
    assert copy.metadata["name"] == head.metadata["name"]


@pytest.mark.parametrize("key", ["x" * 256, "a//b", "a/../b", "a\x00b"])
def test_key_that_minio_refuses_is_a_permanent_error(store: S3ObjectStore, bucket: str, key: str) -> None:
    ref = ObjectRef(bucket, key)
    for act in (store.head, store.stat, store.open, lambda ref: write(store, ref, b"x")):
        with pytest.raises(PermanentError, match="refuses it"):
            act(ref)


def test_leading_slashes_are_dropped_by_minio_so_no_event_may_have_one(
    store: S3ObjectStore, client: Minio, bucket: str
) -> None:
    write(store, ObjectRef(bucket, "//a/b"), b"x")
    assert [found.object_name for found in client.list_objects(bucket, recursive=True)] == ["a/b"]


def test_metadata_over_two_kilobytes_is_a_permanent_error(store: S3ObjectStore, bucket: str) -> None:
    with pytest.raises(PermanentError, match="MetadataTooLarge"):
        write(store, ObjectRef(bucket, "a"), b"x", note="n" * 2048)


def test_upload_is_abandoned_only_once_it_is_old(store: S3ObjectStore, client: UploadsClient, bucket: str) -> None:
    client.begin_upload(bucket, "out/a.gz")
    outputs = SourceRule(bucket, "out/", ".gz")
    assert store.abort_uploads(outputs, 3600) == ()
    assert store.abort_uploads(outputs, -5) == ("out/a.gz",)


def limited(minio: MinioServer, name: str, actions: list[str], bucket: str) -> S3ObjectStore:
    """A store whose credentials allow `actions` on one bucket and nothing else."""
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": actions,
                "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            }
        ],
    }
    file = minio.folder / f"{name}.json"
    file.write_text(json.dumps(policy))
    admin = minio.endpoint.admin()
    admin.user_add(name, "limited-secret")
    admin.policy_add(name, str(file))
    admin.attach_policy([name], user=name)
    return S3ObjectStore(StoreSettings(minio.endpoint.url, name, "limited-secret"))


def test_object_below_the_key_of_another_is_there_although_no_listing_shows_it(
    store: S3ObjectStore, bucket: str
) -> None:
    """A fact about MinIO on one drive that reconcile has to live with."""
    for key in ("b", "b/1"):
        write(store, ObjectRef(bucket, key), b"x")
    assert [state.ref.key for state in store.list(bucket)] == ["b"]
    assert store.stat(ObjectRef(bucket, "b/1")) is not None


@pytest.mark.parametrize("actions", [["s3:PutObject"], ["s3:PutObject", "s3:ListBucket"]], ids=["put", "put and list"])
def test_missing_right_to_read_is_never_taken_for_absence(minio: MinioServer, bucket: str, actions: list[str]) -> None:
    store = limited(minio, f"{bucket}-{len(actions)}", actions, bucket)
    for key in ("a", "odd\nkey"):
        ref = ObjectRef(bucket, key)
        write(store, ref, b"one")
        for act in (store.head, store.stat, store.open):
            with pytest.raises(TemporaryError, match="access denied; the policy must allow this function to read and"):
                act(ref)
    with pytest.raises(TemporaryError, match="access denied"):
        store.check(bucket)


def test_right_to_read_alone_tells_what_is_there_and_what_is_not(minio: MinioServer, bucket: str) -> None:
    store = limited(minio, f"{bucket}-get", ["s3:GetObject", "s3:PutObject"], bucket)
    write(store, ObjectRef(bucket, "a"), b"one")
    assert read(store, ObjectRef(bucket, "a")) == b"one"
    assert store.stat(ObjectRef(bucket, "missing")) is None


def test_missing_right_to_write_is_temporary_and_said(minio: MinioServer, bucket: str) -> None:
    store = limited(minio, f"{bucket}-read", ["s3:GetObject", "s3:ListBucket"], bucket)
    for data in (b"one", b"x" * 6 * 1024 * 1024):
        with pytest.raises(TemporaryError, match="access denied"):
            write(store, ObjectRef(bucket, "a"), data)
    assert store.stat(ObjectRef(bucket, "a")) is None


def write_over_old_marker(store: S3ObjectStore, client: Minio, ref: ObjectRef) -> None:
    """Leave an older delete marker whose version is "null", and an object with a version of its own above it."""
    client.set_bucket_versioning(ref.bucket, VersioningConfig(SUSPENDED))
    write(store, ref, b"one")
    store.delete(ref)
    client.set_bucket_versioning(ref.bucket, VersioningConfig(ENABLED))
    write(store, ref, b"two")
    client.set_bucket_versioning(ref.bucket, VersioningConfig(SUSPENDED))


@pytest.mark.parametrize("key", ["a", "odd\nkey"], ids=["plain", "odd"])
@pytest.mark.parametrize("conditional", [False, True])
def test_delete_in_a_bucket_whose_versions_were_switched_off_and_on(
    store: S3ObjectStore, client: Minio, bucket: str, key: str, *, conditional: bool
) -> None:
    """MinIO answers 204 to the last DELETE and keeps the object: an older delete marker has the version "null"."""
    ref = ObjectRef(bucket, key)
    write_over_old_marker(store, client, ref)
    store.delete(ref, if_still=(lambda _: True) if conditional else None)
    assert store.stat(ref) is None
    assert list(store.list(bucket)) == []
    kept = [each for each in client.list_objects(bucket, include_version=True) if not each.is_delete_marker]
    assert [each.size for each in kept] == [3], "versions that users keep stay"


@pytest.mark.parametrize("key", ["a", "odd\nkey"], ids=["plain", "odd"])
@pytest.mark.parametrize("versions", [ENABLED, SUSPENDED])
def test_object_of_another_program_before_the_second_delete_stays(
    store: S3ObjectStore,
    client: Minio,
    bucket: str,
    key: str,
    versions: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first DELETE hid nothing, the old marker is gone, and a stranger writes before the second one."""
    ref = ObjectRef(bucket, key)
    write_over_old_marker(store, client, ref)
    remove_old_marker = AnyKeyClient.remove_old_marker

    def remove_and_write(self: AnyKeyClient, asked: ObjectRef) -> bool:
        removed = remove_old_marker(self, asked)
        client.set_bucket_versioning(bucket, VersioningConfig(versions))
        write(store, asked, b"a stranger's")
        return removed

    monkeypatch.setattr(AnyKeyClient, "remove_old_marker", remove_and_write)
    store.delete(ref, if_still=lambda _: True)
    assert read(store, ref) == b"a stranger's"
