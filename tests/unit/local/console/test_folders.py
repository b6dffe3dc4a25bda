"""A bucket's keys as folders."""

import pytest
from penstock.local.console import folders
from penstock.local.console.folders import read_folder
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef


def store(*keys: str) -> MemoryStore:
    made = MemoryStore("lake")
    for key in keys:
        made.put(ObjectRef("lake", key), [b"12345"], content_type="text/plain", metadata={})
    return made


def test_a_folder_has_its_folders_with_sums_and_its_objects_newest_first() -> None:
    found = read_folder(store("a/1", "a/b/2", "old", "new", ".penstock/refused/x"), "lake", "")
    assert [(each["prefix"], each["count"], each["size"]) for each in found["folders"]] == [("a/", 2, 10)]
    assert [each["key"] for each in found["objects"]] == ["new", "old"]
    assert (found["total"], found["size"], found["whole"]) == (2, 10, True)


def test_a_folder_in_a_folder() -> None:
    found = read_folder(store("a/1", "a/b/2", "c"), "lake", "a/")
    assert [each["prefix"] for each in found["folders"]] == ["a/b/"]
    assert [each["key"] for each in found["objects"]] == ["a/1"]


def test_words_are_found_in_all_folders_without_regard_to_case() -> None:
    found = read_folder(store("a/Rose.jpg", "b/c/rose.png", "tulip"), "lake", "", words="ROSE")
    assert found["folders"] == []
    assert {each["key"] for each in found["objects"]} == {"a/Rose.jpg", "b/c/rose.png"}


def test_objects_come_in_pages() -> None:
    many = store(*(f"{number:04}" for number in range(450)))
    pages = [read_folder(many, "lake", "", offset=offset) for offset in (0, 200, 400)]
    assert [len(page["objects"]) for page in pages] == [200, 200, 50]
    assert len({each["key"] for page in pages for each in page["objects"]}) == 450


def test_a_bucket_with_too_many_keys_is_said_to_be_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    three = store("1", "2", "3")
    for limit, whole in ((2, False), (3, True)):
        monkeypatch.setattr(folders, "LOOKED_AT", limit)
        found = read_folder(three, "lake", "")
        assert (found["total"], found["whole"]) == (limit, whole)
