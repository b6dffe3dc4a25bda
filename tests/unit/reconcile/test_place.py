"""A reconcile that was cut off goes on from its place, and leaves nothing out that a whole run does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from penstock import Context, Event, Result
from penstock.errors import ConfigError, TemporaryError
from penstock.reconcile.engine import reconcile
from penstock.types import ObjectRef, ObjectState

from tests.lake import Lake

MakeLake = Callable[..., Lake]


def ref(number: int) -> ObjectRef:
    return ObjectRef("upload", f"{number:03}.txt")


@pytest.fixture(autouse=True)
def _places_after_every_second_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.reconcile.place.KEYS_BETWEEN_PLACES", 2)


class Broken:
    """A handler that fails for some names for as long as the test wants."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __call__(self, event: Event[Any], _context: Context[Any]) -> Result:
        if event.name in self.names:
            raise TemporaryError(f"{event.name}: not now")
        return Result(event.body.read().upper())


def cut_at(lake: Lake, number: int) -> Callable[[], None]:
    """Let the listing of sources break off ahead of one object; returns what mends it."""
    whole = lake.store.list

    def cut(bucket: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectState]:
        for state in whole(bucket, prefix, start_after):
            if state.ref == ref(number):
                raise TemporaryError("cut off")
            yield state

    lake.store.list = cut  # type: ignore[method-assign]

    def mend() -> None:
        lake.store.list = whole  # type: ignore[method-assign]

    return mend


def test_no_place_is_kept_past_an_object_that_failed(make_lake: MakeLake, tmp_path: Path) -> None:
    handler, place = Broken(), tmp_path / "place.json"
    lake = make_lake(handler)
    for number in range(9):
        lake.put(b"x", ref(number))
    handler.names = {"003.txt"}
    mend = cut_at(lake, 8)
    with pytest.raises(TemporaryError, match="cut off"):
        reconcile(lake.runtime, resume=place)
    mend()
    assert json.loads(place.read_text())["after"] == {"s3://upload/*": "001.txt"}
    handler.names = set()
    assert reconcile(lake.runtime, resume=place).done["failed"] == 0
    assert lake.keys() == [f"{number:03}.txt" for number in range(9)]
    assert reconcile(lake.runtime, check=True).differences == 0


def test_a_run_that_came_to_its_end_keeps_no_place_and_the_next_is_whole(make_lake: MakeLake, tmp_path: Path) -> None:
    handler, place = Broken(), tmp_path / "place.json"
    lake = make_lake(handler)
    for number in range(9):
        lake.put(b"x", ref(number))
    handler.names = {"003.txt", "008.txt"}
    assert reconcile(lake.runtime, resume=place).done["failed"] == 2
    assert not place.exists()
    handler.names = set()
    assert reconcile(lake.runtime, resume=place).found == {"agreeing": 7, "missing": 2}
    assert len(lake.keys()) == 9


def test_a_check_keeps_no_place_past_a_difference(lake: Lake, tmp_path: Path) -> None:
    place = tmp_path / "place.json"
    for number in range(6):
        lake.put(b"x", ref(number))
    mend = cut_at(lake, 5)
    with pytest.raises(TemporaryError, match="cut off"):
        reconcile(lake.runtime, check=True, resume=place)
    mend()
    assert reconcile(lake.runtime, check=True, resume=place).found == {"missing": 6}


def test_a_resumed_run_removes_orphans_before_and_after_its_place(make_lake: MakeLake, tmp_path: Path) -> None:
    lake = make_lake(remove_with_source=True)
    place = tmp_path / "place.json"
    for number in range(9):
        lake.put(b"x", ref(number))
        lake.agree(ref(number))
    lake.put(b"bad", ref(0))
    lake.agree(ref(0))
    mend = cut_at(lake, 6)
    with pytest.raises(TemporaryError, match="cut off"):
        reconcile(lake.runtime, resume=place)
    mend()
    assert json.loads(place.read_text())["after"] == {"s3://upload/*": "005.txt"}
    for gone in (1, 7):
        lake.delete(ref(gone))
    report = reconcile(lake.runtime, resume=place, yes=True)
    assert (report.found, report.done) == ({"agreeing": 2, "orphaned": 2}, {"removed": 2})
    assert report.compared_before == 5
    assert len(lake.refusals()) == 1
    assert reconcile(lake.runtime, check=True).differences == 0


def test_a_resumed_run_counts_all_targets_for_what_may_go_without_yes(make_lake: MakeLake, tmp_path: Path) -> None:
    lake = make_lake(remove_with_source=True)
    place = tmp_path / "place.json"
    for number in range(6):
        lake.put(b"x", ref(number))
        lake.agree(ref(number))
    mend = cut_at(lake, 5)
    with pytest.raises(TemporaryError, match="cut off"):
        reconcile(lake.runtime, resume=place)
    mend()
    lake.delete(ref(1))
    with pytest.raises(ConfigError, match="1 of 6 targets of upper have no source"):
        reconcile(lake.runtime, resume=place)
    assert len(lake.keys()) == 6


@pytest.mark.parametrize(
    "other",
    [
        {"function": "lower"},
        {"config_options": {"times": "2"}},
        {"sink": "s3://processed/{key}.out"},
    ],
    ids=["function", "options", "sink"],
)
def test_a_place_of_another_run_is_refused(make_lake: MakeLake, tmp_path: Path, other: dict[str, Any]) -> None:
    lake = make_lake()
    place = tmp_path / "place.json"
    for number in range(6):
        lake.put(b"x", ref(number))
    mend = cut_at(lake, 5)
    with pytest.raises(TemporaryError, match="cut off"):
        reconcile(lake.runtime, resume=place)
    mend()
    with pytest.raises(ConfigError, match=r"place\.json: kept by a run with other settings"):
        reconcile(make_lake(store=lake.store, **other).runtime, resume=place)
    with pytest.raises(ConfigError, match=r"place\.json: kept by a run with other settings"):
        reconcile(lake.runtime, resume=place, prefix="00")
    reconcile(lake.runtime, resume=place)
    assert len(lake.keys()) == 6


def test_a_resumed_run_leaves_nothing_out_where_the_listing_goes_folder_by_folder(
    make_lake: MakeLake, tmp_path: Path
) -> None:
    """As SeaweedFS lists: `b/2` comes before `b.x`, which is the smaller key."""
    lake, place = make_lake(Broken()), tmp_path / "place.json"
    order = ["b/1", "b/2", "b.x", "c"]
    for key in order:
        lake.put(b"x", ObjectRef("upload", key))
    whole, is_cut = lake.store.list, True

    def listed(bucket: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectState]:
        found = list(whole(bucket, prefix, start_after))
        if bucket == "upload":
            found.sort(key=lambda state: state.ref.key.replace("/", "\0"))
        for state in found:
            if is_cut and state.ref == ObjectRef("upload", "b.x"):
                raise TemporaryError("cut off")
            yield state

    lake.store.list = listed  # type: ignore[method-assign]
    with pytest.raises(TemporaryError, match="cut off"):
        reconcile(lake.runtime, resume=place)
    assert json.loads(place.read_text())["after"] == {"s3://upload/*": "b/2"}
    is_cut = False
    report = reconcile(lake.runtime, resume=place)
    assert report.compared_before == 2
    assert lake.keys() == sorted(order)
