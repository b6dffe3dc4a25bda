"""The S3 store on real servers of other makers: the contract of all stores, and where each differs from MinIO."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from minio.deleteobjects import DeleteObject
from penstock.connect.listing.hints import Taken
from penstock.connect.listing.rounds import ListingWatch
from penstock.connect.listing.seen import SeenObjects
from penstock.errors import ConfigError, TemporaryError
from penstock.events import Kind, Notification, parse, to_cloudevents
from penstock.lake import apply
from penstock.lake.model import Bucket, DeclaredLake, NotificationTarget, Rule, TargetRef
from penstock.lake.server import LakeServer
from penstock.reconcile.engine import reconcile
from penstock.reconcile.listing import WholeListings
from penstock.settings.config import SourceRule, StoreSettings
from penstock.store import Store
from penstock.store.headers import TAGGING
from penstock.store.profile import answer_headers, profile_of
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

from tests.components import S3ProxyServer, SeaweedServer, StoreServer, VersityServer
from tests.components.minio import MinioEndpoint
from tests.components.process import Server
from tests.e2e import demo_on_store
from tests.functional.test_app import serve
from tests.integration.connect_helpers import RecordingFunction
from tests.lake import Lake
from tests.store_contract import KEYS, MIB, StoreContract, Unfinished, read, write
from tests.uploads import UploadsClient


@pytest.fixture(scope="module")
def versity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with VersityServer(tmp_path_factory.mktemp("versity")) as server:
        yield server


@pytest.fixture(scope="module")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with SeaweedServer(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(scope="module")
def s3proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with S3ProxyServer(tmp_path_factory.mktemp("s3proxy")) as server:
        yield server


class OtherStore(StoreContract):
    """The contract on the server that a subclass gives as the fixture `server`."""

    @pytest.fixture
    def client(self, server: StoreServer) -> UploadsClient:
        return server.endpoint.client()

    @pytest.fixture
    def bucket(self, client: UploadsClient, unique_name: str) -> str:
        client.make_bucket(unique_name)
        return unique_name

    @pytest.fixture
    def store(self, server: StoreServer) -> S3ObjectStore:
        endpoint = server.endpoint
        return S3ObjectStore(StoreSettings(endpoint.url, endpoint.access_key, endpoint.secret_key))

    @pytest.fixture
    def unfinished(self, client: UploadsClient, bucket: str) -> Unfinished:
        return lambda: client.unfinished(bucket)


class TestVersity(OtherStore):
    """Versity's gateway over a folder."""

    @pytest.fixture
    def unfinished(self, client: UploadsClient, bucket: str, store: S3ObjectStore) -> Unfinished:
        """Parts under way when an upload is aborted may leave it behind; reconcile removes such a one, as here.

        One that is still under way may come back after the first such look.
        """

        def left() -> list[str]:
            end = time.monotonic() + 30
            while True:
                store.abort_uploads(SourceRule(bucket), -5)
                found = client.unfinished(bucket)
                if not found or time.monotonic() > end:
                    return found

        return left

    @pytest.fixture
    def server(self, versity: StoreServer) -> StoreServer:
        return versity


def test_uploads_that_a_store_does_not_list_are_left(s3proxy: StoreServer, unique_name: str) -> None:
    endpoint = s3proxy.endpoint
    endpoint.client().make_bucket(unique_name)
    store = S3ObjectStore(StoreSettings(endpoint.url, endpoint.access_key, endpoint.secret_key))
    assert store.abort_uploads(SourceRule(unique_name), -5) == ()


class TestSeaweedFS(OtherStore):
    """SeaweedFS: a file system underneath decides about two things."""

    @pytest.mark.parametrize("key", [key for name, key in KEYS.items() if name != "backslash"])
    def test_key_arrives_exactly_as_it_is(self, store: Store, bucket: str, key: str) -> None:
        super().test_key_arrives_exactly_as_it_is(store, bucket, key)

    def test_backslash_in_a_key_is_a_slash(self, store: Store, bucket: str) -> None:
        write(store, ObjectRef(bucket, "a\\b.csv"), b"one")
        assert [state.ref.key for state in store.list(bucket)] == ["a/b.csv"]

    def test_listing_is_in_key_order_by_plain_prefix(self, store: Store, bucket: str) -> None:
        """It goes folder by folder: what is in `b/` comes before `b.x`, and every key comes once."""
        for key in ("b/2", "b/10", "b.x", "a", "bb", "B", "日"):
            write(store, ObjectRef(bucket, key), b"x")
        assert [state.ref.key for state in store.list(bucket)] == ["B", "a", "b/10", "b/2", "b.x", "bb", "日"]
        assert [state.ref.key for state in store.list(bucket, "b")] == ["b/10", "b/2", "b.x", "bb"]
        assert [state.ref.key for state in store.list(bucket, "b", "b/10")] == ["b/2", "b.x", "bb"]

    @pytest.fixture
    def server(self, seaweedfs: StoreServer) -> StoreServer:
        return seaweedfs


class TestS3Proxy(OtherStore):
    """s3proxy over a folder. It has no tags, and does not list uploads under way."""

    @pytest.fixture
    def unfinished(self) -> Unfinished:
        """It cannot be asked, and an abort while a part is under way may leave parts: docs/stores.md says so."""
        return list

    @pytest.mark.parametrize("key", [key for name, key in KEYS.items() if not name.startswith("900")])
    def test_key_arrives_exactly_as_it_is(self, store: Store, bucket: str, key: str) -> None:
        super().test_key_arrives_exactly_as_it_is(store, bucket, key)

    def test_key_that_the_folder_cannot_hold_is_an_error(self, store: Store, bucket: str) -> None:
        with pytest.raises(TemporaryError):
            write(store, ObjectRef(bucket, KEYS["900 bytes in Japanese"]), b"one")

    def test_trailing_slash_is_a_key_of_its_own(self, store: Store, bucket: str) -> None:
        """The folder answers in place of the object, which no function takes anyway: it ends in a slash."""
        write(store, ObjectRef(bucket, "photos/"))
        with pytest.raises(TemporaryError):
            store.stat(ObjectRef(bucket, "photos/"))

    @pytest.mark.parametrize("size", [3, 6 * MIB], ids=["small", "in parts"])
    @pytest.mark.parametrize("key", ["a", "odd\nkey"], ids=["plain", "odd"])
    def test_content_headers_and_tags_are_stored_and_told(self, store: Store, bucket: str, key: str, size: int) -> None:
        ref = ObjectRef(bucket, key)
        content = {"cache-control": "max-age=60", "content-encoding": "br", "content-language": "de"}
        store.put(ref, [b"x" * size], content_type="text/x", metadata={"owner": "ann"}, headers=content)
        state = store.head(ref)
        assert state is not None
        assert {name: value for name, value in state.headers.items() if name in content} == content
        with pytest.raises(TemporaryError, match="NotImplemented"):
            store.put(ref, [b"x"], content_type="text/x", metadata={}, headers={TAGGING: "a=b"})

    def test_object_without_tags_has_none(self, store: Store, bucket: str) -> None:
        write(store, ObjectRef(bucket, "a"), b"one")
        state = store.stat(ObjectRef(bucket, "a"))
        assert state is not None
        with pytest.raises(TemporaryError, match="NotImplemented"):
            store.tags(state)

    @pytest.fixture
    def server(self, s3proxy: StoreServer) -> StoreServer:
        return s3proxy


@pytest.fixture(params=["versity", "seaweedfs", "s3proxy"])
def other(request: pytest.FixtureRequest) -> StoreServer:
    server: StoreServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture(params=["minio", "versity", "seaweedfs", "s3proxy"])
def every_store(request: pytest.FixtureRequest) -> Server[MinioEndpoint]:
    server: Server[MinioEndpoint] = request.getfixturevalue(request.param)
    return server


def test_store_is_known_by_its_answer(other: StoreServer) -> None:
    endpoint = other.endpoint
    settings = StoreSettings(endpoint.url, endpoint.access_key, endpoint.secret_key)
    # s3proxy gives itself no name.
    assert profile_of(answer_headers(settings)) == ("s3" if other.profile == "s3proxy" else other.profile)


def test_listing_does_not_tell_metadata(other: StoreServer, unique_name: str) -> None:
    endpoint = other.endpoint
    endpoint.client().make_bucket(unique_name)
    store = S3ObjectStore(StoreSettings(endpoint.url, endpoint.access_key, endpoint.secret_key))
    write(store, ObjectRef(unique_name, "a"), b"one", owner="ann")
    (plain,) = store.list(unique_name)
    assert plain.content_type == ""
    (asked,) = WholeListings(store).list(unique_name)
    assert (asked.content_type, dict(asked.metadata)) == ("text/x", {"owner": "ann"})


def test_lake_says_that_it_cannot_set_up_this_store(other: StoreServer) -> None:
    endpoint = other.endpoint
    server = LakeServer(StoreSettings(endpoint.url, endpoint.access_key, endpoint.secret_key))
    with pytest.raises((ConfigError, TemporaryError), match="admin API"):
        server.state(DeclaredLake())


def test_rules_by_s3_alone_are_refused_with_words(other: StoreServer, unique_name: str) -> None:
    endpoint = other.endpoint
    endpoint.client().make_bucket(unique_name)
    target = NotificationTarget(TargetRef("arn", "arn:aws:sqs:us-east-1:1:queue"), external=True)
    lake = DeclaredLake("night", (Bucket(unique_name),), (target,), (Rule(unique_name, target.ref),))
    with pytest.raises(ConfigError, match=r"notification.*penstock watch"):
        apply(StoreSettings(endpoint.url, endpoint.access_key, endpoint.secret_key), lake)


NAMES = ["a+b.csv", "100%.csv", "日本語/ファイル.csv", "a b.csv", "deep/er/c.csv"]


def test_watch_and_reconcile_bring_every_target_in_line(
    every_store: Server[MinioEndpoint], unique_name: str, tmp_path: Path
) -> None:
    """What a mute store needs: listings become hints, and reconcile finds nothing left to do."""
    endpoint, client = every_store.endpoint, every_store.endpoint.client()
    source, target = f"{unique_name}-in", f"{unique_name}-out"
    for name in (source, target):
        client.make_bucket(name)
    store = WholeListings(S3ObjectStore(StoreSettings(endpoint.url, endpoint.access_key, endpoint.secret_key)))
    lake = Lake(store=store, sink=f"s3://{target}/{{key}}", sources=(SourceRule(source),))  # type: ignore[arg-type]
    functions = serve(lake)

    def send(body: bytes) -> Taken:
        assert functions.post("/event", data=body).status_code == 200
        return Taken.TOLD

    def targets() -> list[str]:
        return sorted(state.ref.key for state in store.list(target))

    for key in NAMES:
        write(store, ObjectRef(source, key), b"one")
    seen = SeenObjects(tmp_path / "watch.db", source)
    watch = ListingWatch(store, [SourceRule(source)], seen, send, batch=2, concurrency=2)
    assert watch.round().told == len(NAMES)
    assert targets() == sorted(NAMES)
    write(store, ObjectRef(source, "a+b.csv"), b"other bytes")
    assert watch.round().told == 1
    assert read(store, ObjectRef(target, "a+b.csv")) == b"OTHER BYTES"
    seen.close()
    assert reconcile(lake.runtime, check=True).found == {"agreeing": len(NAMES)}
    write(store, ObjectRef(source, "missed.csv"), b"one")
    report = reconcile(lake.runtime)
    assert (report.found["missing"], report.done["processed"]) == (1, 1)
    assert reconcile(lake.runtime, check=True).differences == 0


def test_events_of_versity_name_what_was_written_and_removed(tmp_path: Path, function: RecordingFunction) -> None:
    with VersityServer(tmp_path / "versity", webhook=f"{function.url}/") as server:
        client = server.endpoint.client()
        client.make_bucket("upload")
        for key in NAMES:
            client.put_object("upload", key, io.BytesIO(b"one"), 3)
        client.remove_object("upload", NAMES[0])
        errors = list(client.remove_objects("upload", [DeleteObject(key) for key in NAMES[1:]]))
        assert errors == []
        server.wait_until(lambda: len(found(function)) >= 2 * len(NAMES), "told about every change")
    told = found(function)
    for kind in (Kind.CREATED, Kind.REMOVED):
        named = [each.refs for each in told if each.kind is kind]
        assert [any(ObjectRef("upload", key) in refs for refs in named) for key in NAMES] == [True] * len(NAMES)
    assert {each.ref.key for each in told if each.kind is Kind.CREATED} == set(NAMES)


def test_events_of_versity_name_the_object_while_many_write(tmp_path: Path, function: RecordingFunction) -> None:
    """Its records hold text of later requests then (events/keys.py). Keys without a slash show it.

    It drops an event that is not answered within three seconds, so not all of them have to come.
    """
    keys = [[f"{'x' * (number % 20)}{writer}{number:04}.csv" for number in range(100)] for writer in range(8)]
    with VersityServer(tmp_path / "versity", webhook=f"{function.url}/") as server:
        server.endpoint.client().make_bucket("upload")

        def put(some: list[str]) -> None:
            client = server.endpoint.client()
            for key in some:
                client.put_object("upload", key, io.BytesIO(b"one"), 3)

        with ThreadPoolExecutor(len(keys)) as writers:
            for done in [writers.submit(put, some) for some in keys]:
                done.result()
        server.wait_until(lambda: len(found(function)) >= 100, "told about changes")
    assert {each.ref for each in found(function)} <= {ObjectRef("upload", key) for some in keys for key in some}


def found(function: RecordingFunction) -> list[Notification]:
    """Every notification that came; a bridge makes the same number of events of them."""
    bodies = function.delivered()
    read = [each for body in bodies for each in parse(body, {})]
    assert len([made for body in bodies for made in to_cloudevents(body)]) == len(read)
    return read


@pytest.mark.parametrize("store", ["minio", "versity", "seaweedfs", "s3proxy"])
def test_demo_runs_on_each_store(store: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert demo_on_store.main([store, "--rows", "1000"]) == 0, capfd.readouterr()
    assert "Every output was read back and is right." in capfd.readouterr().out
