"""Rule 3: marks say what a target was made from; a target without our mark stays."""

from __future__ import annotations

from collections.abc import Callable

from penstock.sinks.bucket import mark_of
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef

from tests.lake import SOURCE, TARGET, Lake

MakeLake = Callable[..., Lake]
FOREIGN = "remove it, or take it over with `penstock reconcile upper --adopt`"


def test_target_carries_state_function_options_and_source(lake: Lake) -> None:
    source = lake.put(b"one", metadata={"owner": "ann"}, content_type="text/plain")
    lake.agree()
    target = lake.state(TARGET)
    assert target is not None
    mark = mark_of(target)
    assert mark is not None
    assert (mark.state, mark.function, mark.source) == (source.token, "upper", SOURCE.digest)
    assert target.content_type == "text/plain"
    assert target.metadata["owner"] == "ann"


def test_redelivery_writes_nothing_and_gives_the_same_answer(lake: Lake) -> None:
    lake.put(b"one")
    first, second = lake.agree(), lake.agree()
    assert first.changed
    assert not second.changed
    assert first._replace(changed=False, source=None, entries={}) == second._replace(
        changed=False, source=None, entries={}
    )
    assert [(entry.address, entry.mark, entry.size) for entry in first.entries.values()] == [
        (entry.address, entry.mark, entry.size) for entry in second.entries.values()
    ]


def test_same_bytes_with_new_metadata_are_a_new_state(lake: Lake) -> None:
    lake.put(b"one", metadata={"owner": "ann"})
    lake.agree()
    lake.put(b"one", metadata={"owner": "bob"})
    assert lake.agree().changed
    target = lake.state(TARGET)
    assert target is not None
    assert target.metadata["owner"] == "bob"


def test_same_bytes_with_a_new_content_type_are_a_new_state(lake: Lake) -> None:
    lake.put(b"one", content_type="text/plain")
    lake.agree()
    lake.put(b"one", content_type="text/csv")
    assert lake.agree().changed


def test_same_bytes_as_a_new_version_are_a_new_state(make_lake: MakeLake) -> None:
    lake = make_lake(store=MemoryStore("upload", "processed", versioned=True))
    lake.put(b"one")
    lake.agree()
    lake.put(b"one")
    assert lake.agree().changed


def test_new_options_make_the_target_anew(make_lake: MakeLake) -> None:
    store = MemoryStore("upload", "processed")
    lake = make_lake(store=store)
    lake.put(b"one")
    lake.agree()
    assert not make_lake(store=store, config_options={"times": "1"}).agree().changed
    assert make_lake(store=store, config_options={"times": "2"}).agree().changed
    assert store.read(TARGET) == b"ONEONE"


def test_target_without_a_mark_is_never_overwritten(lake: Lake) -> None:
    lake.put(b"mine", TARGET)
    lake.put(b"one")
    outcome = lake.agree()
    assert (outcome.kind, outcome.status) == ("refused", 422)
    assert outcome.reason.endswith(FOREIGN)
    assert lake.read() == b"mine"
    assert len(lake.refusals()) == 1


def test_target_without_a_mark_is_never_removed(make_lake: MakeLake) -> None:
    lake = make_lake(remove_with_source=True)
    lake.put(b"mine", TARGET)
    lake.put(b"one")
    lake.agree()
    lake.delete()
    lake.agree()
    assert lake.keys() == ["a.txt"]
    assert lake.read() == b"mine"


def test_refused_source_leaves_a_foreign_target_alone(lake: Lake) -> None:
    lake.put(b"mine", TARGET)
    lake.put(b"bad")
    assert lake.agree().kind == "refused"
    assert lake.read() == b"mine"


def test_foreign_target_is_refused_once_not_at_every_delivery(lake: Lake) -> None:
    lake.put(b"mine", TARGET)
    lake.put(b"one")
    first = lake.agree()
    lake.requests.clear()
    second = lake.agree()
    assert (first.changed, second.changed) == (True, False)
    assert not {"PUT", "DELETE"} & {verb for verb, _ in lake.requests}


def test_target_of_another_source_is_never_overwritten(make_lake: MakeLake) -> None:
    lake = make_lake(sink="s3://processed/{stem}")
    png, jpeg = ObjectRef("upload", "a.png"), ObjectRef("upload", "a.jpg")
    lake.put(b"png", png)
    lake.put(b"jpeg", jpeg)
    assert lake.agree(png).kind == "processed"
    outcome = lake.agree(jpeg)
    assert outcome.kind == "refused"
    assert "was made by upper from another source" in outcome.reason
    assert outcome.reason.endswith("give each source its own target in SINK, or remove it")
    assert lake.read(ObjectRef("processed", "a")) == b"PNG"
    lake.delete(jpeg)
    lake.agree(jpeg)
    assert lake.keys() == ["a"]


def test_target_of_another_function_is_never_overwritten(make_lake: MakeLake) -> None:
    store = MemoryStore("upload", "processed")
    lake = make_lake(store=store)
    lake.put(b"one")
    lake.agree()
    other = make_lake(store=store, function="other", remove_with_source=True)
    assert other.agree().kind == "refused"
    other.delete()
    other.agree()
    assert store.read(TARGET) == b"ONE"


def test_mark_of_a_source_is_not_carried_on(lake: Lake) -> None:
    lake.put(b"one", metadata={"penstock-state": "x", "penstock-else": "y", "owner": "ann"})
    lake.agree()
    target = lake.state(TARGET)
    source = lake.state(SOURCE)
    assert target is not None
    assert source is not None
    assert target.metadata["penstock-state"] == source.token
    assert set(target.metadata) == {
        "owner",
        "penstock-state",
        "penstock-function",
        "penstock-options",
        "penstock-source",
    }


def test_metadata_over_two_kilobytes_is_a_permanent_refusal_that_says_so(lake: Lake) -> None:
    lake.put(b"one", metadata={"note": "x" * 1900})
    outcome = lake.agree()
    assert (outcome.kind, outcome.status) == ("refused", 422)
    assert "user metadata would be" in outcome.reason
    assert "the store takes 2048" in outcome.reason
    assert lake.read() is None
