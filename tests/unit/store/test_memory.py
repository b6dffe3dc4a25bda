"""The store in memory keeps the promises of the real ones, so tests on it mean something."""

from __future__ import annotations

import pytest
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef

from tests.store_contract import StoreContract, Unfinished, write


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def bucket(self) -> str:
        return "upload"

    @pytest.fixture
    def store(self, bucket: str) -> MemoryStore:
        return MemoryStore(bucket)

    @pytest.fixture
    def unfinished(self) -> Unfinished:
        return list


def test_every_request_is_announced_before_it_is_made() -> None:
    seen: list[tuple[str, str]] = []
    store = MemoryStore("upload", on_request=lambda verb, ref: seen.append((verb, ref.key)))
    ref = ObjectRef("upload", "a")
    write(store, ref, b"one")
    store.head(ref)
    store.stat(ref)
    store.open(ref)
    list(store.list("upload", "pre"))
    store.delete(ref)
    assert seen == [("PUT", "a"), ("HEAD", "a"), ("HEAD", "a"), ("GET", "a"), ("LIST", "pre"), ("DELETE", "a")]


def test_request_that_is_made_to_fail_changes_nothing() -> None:
    def fail(_verb: str, _ref: ObjectRef) -> None:
        raise ConnectionError

    store = MemoryStore("upload", on_request=fail)
    with pytest.raises(ConnectionError):
        write(store, ObjectRef("upload", "a"), b"one")
    store.on_request = lambda _verb, _ref: None
    assert store.stat(ObjectRef("upload", "a")) is None


def test_versioned_store_gives_the_same_bytes_a_new_version() -> None:
    store = MemoryStore("upload", versioned=True)
    ref = ObjectRef("upload", "a")
    first, second = write(store, ref, b"one"), write(store, ref, b"one")
    assert first.content == second.content
    assert first.token != second.token
