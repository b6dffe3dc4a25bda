"""Reconcile on a store whose listings tell neither content type nor user metadata: S3 itself, and most others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from penstock.cli import main
from penstock.errors import TemporaryError
from penstock.local.store.server import EmbeddedStore
from penstock.reconcile.engine import reconcile
from penstock.reconcile.listing import HEADS_AT_ONCE, WholeListings
from penstock.settings.config import SourceRule
from penstock.store.memory import MemoryStore
from penstock.store.minio_client import connect
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef, ObjectState

from tests.lake import Lake
from tests.paths import ROOT


class TerseStore(MemoryStore):
    """Its listings tell what S3's do."""

    def list(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectState]:
        return (replace(state, content_type="", metadata={}) for state in super().list(bucket, prefix, start_after))


def ref(number: int) -> ObjectRef:
    return ObjectRef("upload", f"{number:03}.txt")


@pytest.fixture
def store() -> TerseStore:
    return TerseStore("upload", "processed")


@pytest.fixture
def listings(store: TerseStore) -> WholeListings:
    return WholeListings(store)


@pytest.fixture
def lake(listings: WholeListings) -> Lake:
    return Lake(store=listings, remove_with_source=True)  # type: ignore[arg-type]


def test_its_own_targets_and_refusals_are_known_and_what_it_costs_is_told(lake: Lake, listings: WholeListings) -> None:
    for number in range(5):
        lake.put(b"bad" if number == 3 else b"x", ref(number), metadata={"colour": "blue"}, content_type="text/plain")
    lake.put(b"theirs", ObjectRef("processed", "other.txt"))
    assert reconcile(lake.runtime).done == {"processed": 4, "refused": 1}
    report = reconcile(lake.runtime, check=True)
    assert report.found == {"agreeing": 5}
    # Five sources, four targets, the other object and a refusal.
    assert report.extra_requests == 11
    assert listings.extra_requests > report.extra_requests  # those of the first run are not counted again


def test_orphans_are_found(lake: Lake) -> None:
    lake.put(b"x", ref(1))
    lake.agree(ref(1))
    lake.delete(ref(1))
    assert reconcile(lake.runtime, yes=True).done == {"removed": 1}


def test_only_objects_that_concern_the_function_are_asked_for() -> None:
    store = TerseStore("upload")
    for key in ("a.csv", "a.jpg", "b.jpg"):
        store.put(ObjectRef("upload", key), [b"x"])
    listings = WholeListings(store, lambda ref: ref.key.endswith(".csv"))
    assert [bool(state.content_type) for state in listings.list("upload")] == [True, False, False]
    assert listings.extra_requests == 1


def test_a_listing_that_tells_costs_nothing_more() -> None:
    store = MemoryStore("upload")
    store.put(ref(1), [b"x"], metadata={"a": "b"})
    listings = WholeListings(store)
    assert [state.metadata for state in listings.list("upload")] == [{"a": "b"}]
    assert listings.extra_requests == 0


def test_an_object_that_goes_meanwhile_is_left_out_and_the_order_is_kept() -> None:
    store = TerseStore("upload")
    for number in range(200):
        store.put(ref(number), [b"x"])
    listed = list(store.list("upload"))
    store.delete(ref(7))
    store.list = lambda *_: iter(listed)  # type: ignore[method-assign]
    keys = [state.ref.key for state in WholeListings(store).list("upload")]
    assert keys == [f"{number:03}.txt" for number in range(200) if number != 7]


class BusyStore(TerseStore):
    """Its first HEADs wait for each other, so they end only if as many run side by side."""

    def __init__(self, *buckets: str) -> None:
        super().__init__(*buckets)
        self.together = threading.Barrier(HEADS_AT_ONCE)
        self.lock = threading.Lock()
        self.begun = self.now = self.most = 0

    def head(self, ref: ObjectRef) -> ObjectState | None:
        with self.lock:
            self.begun += 1
            self.now += 1
            self.most = max(self.most, self.now)
            waits = self.begun <= HEADS_AT_ONCE
        if waits:
            self.together.wait(60)
        try:
            return super().head(ref)
        finally:
            with self.lock:
                self.now -= 1


def test_heads_run_side_by_side_and_never_too_many() -> None:
    store = BusyStore("upload")
    for number in range(200):
        store.put(ref(number), [b"x"])
    assert len(list(WholeListings(store).list("upload"))) == 200
    assert store.most == HEADS_AT_ONCE


def test_a_head_that_fails_ends_the_run_and_removes_nothing(lake: Lake, store: TerseStore) -> None:
    for number in range(3):
        lake.put(b"x", ref(number))
        lake.agree(ref(number))

    def fail(verb: str, target: ObjectRef) -> None:
        if verb == "HEAD" and target == ref(2):
            raise TemporaryError("the store is away")

    store.on_request = fail
    with pytest.raises(TemporaryError, match="away"):
        reconcile(lake.runtime, yes=True)
    store.on_request = lambda _verb, _ref: None
    assert len(lake.keys()) == 3


def test_the_command_on_a_server_of_that_kind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = EmbeddedStore(
        access_key="tests", secret_key="tests-secret", notify=lambda *_: None, wanted=lambda *_: False
    )
    server.start()
    try:
        client = connect(server.settings)
        for bucket in ("upload", "processed"):
            client.make_bucket(bucket)
        store = S3ObjectStore(server.settings)
        for number in range(3):
            store.put(ref(number), [b"x" * 100], content_type="text/plain", metadata={"a": "b"})
        for name, value in {
            "MINIO_ENDPOINT": server.settings.endpoint,
            "MINIO_ACCESS_KEY": "tests",
            "MINIO_SECRET_KEY": "tests-secret",
            "SOURCE": "s3://upload/*",
            "SINK": "s3://processed/{key}.gz",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(ROOT)
        assert main(["reconcile", "compress"]) == 0
        assert "3 missing" in capsys.readouterr().out
        assert main(["reconcile", "compress", "--check"]) == 0
        said = capsys.readouterr().out
        assert "compress: 3 agreeing" in said
        assert "6 requests more, because the store's listings do not tell metadata" in said
        assert store.abort_uploads(SourceRule("processed"), -1) == ()
    finally:
        server.stop()
