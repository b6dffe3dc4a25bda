"""Reconcile finds what notifications lost, mends it through the runtime, and removes nothing in doubt."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from penstock import Context, Event, Result, option
from penstock.cli import main
from penstock.errors import ConfigError, TemporaryError
from penstock.reconcile.compare import TooManyRemovals
from penstock.reconcile.engine import count_sources, reconcile
from penstock.settings.config import SourceRule
from penstock.store.memory import MemoryStore
from penstock.terminal import Progress, progress
from penstock.types import ObjectRef, ObjectState

from tests.fake_terminal import Terminal
from tests.lake import TARGET, Lake
from tests.paths import FUNCTIONS

MakeLake = Callable[..., Lake]


def ref(number: int) -> ObjectRef:
    return ObjectRef("upload", f"{number:03}.txt")


def test_what_agrees_is_left_alone(lake: Lake) -> None:
    lake.put(b"one")
    lake.agree()
    lake.requests.clear()
    report = reconcile(lake.runtime)
    assert report.found == {"agreeing": 1}
    assert [verb for verb, _ in lake.requests if verb != "LIST"] == []


def test_report_shows_control_characters_of_a_key_and_does_not_obey_them(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.put(b"one", ObjectRef("upload", "a\x1b[2Jb\n.txt"))
    monkeypatch.setattr("penstock.commands.reconcile.function_config", lambda *_: lake.runtime.config)
    monkeypatch.setattr("penstock.commands.reconcile.make_runtime", lambda *_: lake.runtime)
    assert main(["reconcile", "upper", "--check"]) == 1
    assert "s3://upload/a\\x1b[2Jb\\x0a.txt" in capsys.readouterr().out


def test_report_as_json_has_counts_and_examples(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.put(b"one", ObjectRef("upload", "a  b.txt"))
    monkeypatch.setattr("penstock.commands.reconcile.function_config", lambda *_: lake.runtime.config)
    monkeypatch.setattr("penstock.commands.reconcile.make_runtime", lambda *_: lake.runtime)
    assert main(["reconcile", "upper", "--check", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["function"], told["found"], told["done"]) == ("upper", {"missing": 1}, {})
    assert told["examples"] == [{"finding": "missing", "object": "s3://upload/a  b.txt"}]


def test_a_person_at_a_terminal_is_told_how_long_it_takes(make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = threading.Event()

    def waits(event: Event[Any], _context: Context[Any]) -> Result:
        assert counted.wait(60), "the sources were not counted"
        return Result(event.body)

    class Told:
        """A bar that says when it was told how many there are."""

        def __init__(self, bar: Progress) -> None:
            self.advance = bar.advance
            self._bar = bar

        def expect(self, total: int) -> None:
            self._bar.expect(total)
            counted.set()

    @contextmanager
    def shown(label: str, *, unit: str) -> Iterator[Told]:
        with progress(label, unit=unit) as bar:
            yield Told(bar)

    lake = make_lake(waits)
    for number in range(3):
        lake.put(b"one", ref(number))
    lake.put(b"one", ObjectRef("processed", "other.txt"))
    monkeypatch.setattr("penstock.commands.reconcile.function_config", lambda *_: lake.runtime.config)
    monkeypatch.setattr("penstock.commands.reconcile.make_runtime", lambda *_: lake.runtime)
    monkeypatch.setattr("penstock.commands.reconcile.progress", shown)
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    assert main(["reconcile", "upper"]) == 0
    assert re.search(r"100%.* 3.00/3.00 \[\d\d:\d\d<\d\d:\d\d", screen.getvalue())


def test_sources_are_counted_under_a_prefix(lake: Lake) -> None:
    for number in (1, 2, 11, 12, 13):
        lake.put(b"one", ref(number))
    assert list(count_sources(lake.config, lake.store, "01")) == [1, 2, 3]
    assert list(count_sources(lake.config, lake.store)) == [1, 2, 3, 4, 5]


def test_a_missing_target_is_made(lake: Lake) -> None:
    lake.put(b"one")
    assert reconcile(lake.runtime).found == {"missing": 1}
    assert lake.read() == b"ONE"
    assert reconcile(lake.runtime, check=True).differences == 0


def test_a_stale_target_is_made_anew(lake: Lake) -> None:
    lake.put(b"one")
    lake.agree()
    lake.put(b"two")
    assert reconcile(lake.runtime).found == {"stale": 1}
    assert lake.read() == b"TWO"


def test_new_metadata_on_the_same_bytes_is_found(lake: Lake) -> None:
    lake.put(b"one")
    lake.agree()
    lake.put(b"one", metadata={"colour": "blue"})
    assert reconcile(lake.runtime).found == {"stale": 1}
    found = lake.state(TARGET)
    assert found is not None
    assert found.metadata["colour"] == "blue"


def test_other_options_make_every_target_stale(make_lake: MakeLake) -> None:
    lake = make_lake()
    lake.put(b"one")
    lake.agree()
    changed = make_lake(store=lake.store, config_options={"times": "2"})
    assert reconcile(changed.runtime).found == {"stale": 1}
    assert changed.read() == b"ONEONE"


def test_new_code_alone_changes_no_target_and_a_raised_revision_makes_all_anew(make_lake: MakeLake) -> None:
    def shout(event: Event[Any], _context: Context[Any]) -> Result:
        return Result(event.body.read().upper() + b"!")

    @dataclass(frozen=True)
    class Revised:
        times: int = option(1, "how often the result is repeated", ge=1, le=3)
        revision: int = option(1, "raised when the output changes")

    @dataclass(frozen=True)
    class RevisedAgain:
        times: int = option(1, "how often the result is repeated", ge=1, le=3)
        revision: int = option(2, "raised when the output changes")

    lake = make_lake(options=Revised)
    lake.put(b"one")
    assert lake.agree().changed
    rebuilt = make_lake(shout, options=Revised, store=lake.store)
    assert not rebuilt.agree().changed
    assert reconcile(rebuilt.runtime, check=True).found == {"agreeing": 1}
    raised = make_lake(shout, options=RevisedAgain, store=lake.store)
    assert reconcile(raised.runtime, check=True).found == {"stale": 1}
    assert reconcile(raised.runtime).done == {"processed": 1}
    assert raised.read() == b"ONE!"


def test_check_only_reports(lake: Lake) -> None:
    lake.put(b"one")
    report = reconcile(lake.runtime, check=True)
    assert (report.differences, report.examples) == (1, ["missing   s3://upload/a.txt"])
    assert lake.read() is None


def test_a_recorded_refusal_of_the_present_state_counts_as_agreement(lake: Lake) -> None:
    lake.put(b"bad")
    lake.agree()
    assert reconcile(lake.runtime, check=True).found == {"agreeing": 1}


def test_a_refusal_of_an_older_state_does_not(lake: Lake) -> None:
    lake.put(b"bad")
    lake.agree()
    lake.put(b"good")
    assert reconcile(lake.runtime).found == {"stale": 1}
    assert (lake.read(), lake.refusals()) == (b"GOOD", [])


def test_a_refusal_whose_source_is_gone_is_forgotten(lake: Lake) -> None:
    lake.put(b"bad")
    lake.agree()
    lake.delete()
    assert reconcile(lake.runtime).found == {"forgotten": 1}
    assert lake.refusals() == []


def test_a_newer_refusal_in_the_place_of_a_forgotten_one_is_kept(lake: Lake) -> None:
    lake.put(b"bad")
    lake.agree()
    lake.put(b"one")

    def leave_it(verb: str, target: ObjectRef) -> None:
        if verb == "DELETE":
            raise SystemExit  # a worker that dies before it removes the refusal

    lake.before = leave_it
    with pytest.raises(SystemExit):
        lake.agree()

    def refuse_a_newer_state(verb: str, target: ObjectRef) -> None:
        if verb == "DELETE":
            lake.before = None
            lake.put(b"bad again")
            lake.agree()

    lake.before = refuse_a_newer_state
    assert reconcile(lake.runtime).done == {"forgotten": 1}
    assert [record["mark"]["state"] for record in lake.refusals()] == [lake.put(b"bad again").token]


def test_an_orphaned_target_is_kept_as_configured(lake: Lake) -> None:
    lake.put(b"one")
    lake.agree()
    lake.delete()
    assert reconcile(lake.runtime, check=True).differences == 0
    assert lake.read() == b"ONE"


def test_an_orphaned_target_is_removed_as_configured(make_lake: MakeLake) -> None:
    lake = make_lake(remove_with_source=True)
    lake.put(b"one")
    lake.agree()
    lake.delete()
    assert reconcile(lake.runtime, yes=True).found == {"orphaned": 1}
    assert lake.read() is None


def test_an_orphan_under_a_template_with_a_stem_finds_its_source(make_lake: MakeLake) -> None:
    from penstock.settings.config import SourceRule

    rules = (SourceRule("upload", "", ".txt"),)
    lake = make_lake(sink="s3://processed/{stem}.out", sources=rules, remove_with_source=True)
    lake.put(b"one")
    lake.agree()
    lake.delete()
    assert reconcile(lake.runtime, yes=True).done == {"removed": 1}
    assert lake.keys() == []


@pytest.mark.parametrize(
    "sink", ["s3://processed/{key}", "s3://processed/{bucket}-{key}", "s3://processed/{bucket}/{key}"]
)
def test_orphans_of_several_source_buckets_find_their_sources(make_lake: MakeLake, sink: str) -> None:
    buckets = ("in-1", "in-1-b", "in-2")
    lake = make_lake(
        sink=sink,
        sources=tuple(SourceRule(name) for name in buckets),
        store=MemoryStore(*buckets, "processed"),
        remove_with_source=True,
    )
    for number, name in enumerate(buckets):
        source = ObjectRef(name, f"{number}.txt")
        lake.put(b"one", source)
        lake.agree(source)
        lake.delete(source)
    assert reconcile(lake.runtime, yes=True).done == {"removed": 3}
    assert lake.keys() == []


def test_uploads_are_abandoned_at_the_age_that_is_given(make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, ages = make_lake(), []

    def abort_uploads(_outputs: SourceRule, older_than_seconds: float, *, dry_run: bool) -> tuple[str, ...]:
        ages.append((older_than_seconds, dry_run))
        return ()

    monkeypatch.setattr(lake.store, "abort_uploads", abort_uploads)
    monkeypatch.setattr("penstock.commands.reconcile.function_config", lambda *_: lake.runtime.config)
    monkeypatch.setattr("penstock.commands.reconcile.make_runtime", lambda *_: lake.runtime)
    assert main(["reconcile", "upper"]) == 0
    assert main(["reconcile", "upper", "--check", "--uploads-older-than", "6h"]) == 0
    assert ages == [(3600, False), (6 * 3600, True)]


def test_many_removals_need_yes_and_until_then_nothing_goes(make_lake: MakeLake) -> None:
    lake = make_lake(remove_with_source=True)
    for number in range(10):
        lake.put(b"x", ref(number))
        lake.agree(ref(number))
    lake.delete(ref(0))
    with pytest.raises(TooManyRemovals, match="1 of 10 targets of upper have no source"):
        reconcile(lake.runtime)
    assert len(lake.keys()) == 10
    reconcile(lake.runtime, yes=True)
    assert len(lake.keys()) == 9


@pytest.mark.parametrize("failing", ["upload", "processed"])
def test_a_failed_listing_removes_nothing(make_lake: MakeLake, failing: str) -> None:
    lake = make_lake(remove_with_source=True)
    for number in range(3):
        lake.put(b"x", ref(number))
        lake.agree(ref(number))
    whole = lake.store.list

    def broken(bucket: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectState]:
        yield from list(whole(bucket, prefix, start_after))[:1]
        if bucket == failing:
            raise TemporaryError("the connection broke in the middle of the listing")

    lake.store.list = broken  # type: ignore[method-assign]
    with pytest.raises(TemporaryError, match="broke"):
        reconcile(lake.runtime, yes=True)
    lake.store.list = whole  # type: ignore[method-assign]
    assert len(lake.keys()) == 3


def test_a_listing_that_wrongly_misses_a_source_removes_nothing(make_lake: MakeLake) -> None:
    """The listing is a hint too: the runtime looks at the object before it removes."""
    lake = make_lake(remove_with_source=True)
    lake.put(b"x")
    lake.agree()
    whole = lake.store.list
    lake.store.list = lambda bucket, *rest: iter(()) if bucket == "upload" else whole(bucket, *rest)  # type: ignore[method-assign]
    assert reconcile(lake.runtime, yes=True).done == {"processed": 1}
    assert lake.read() == b"X"


def test_a_foreign_target_is_refused_and_then_adopted(lake: Lake) -> None:
    lake.put(b"theirs", TARGET)
    lake.put(b"ours")
    report = reconcile(lake.runtime)
    assert (report.found, report.done) == ({"foreign": 1}, {"refused": 1})
    assert "carries no mark" in report.failures[0]
    assert lake.read() == b"theirs"
    assert reconcile(lake.runtime, adopt=True).done == {"processed": 1}
    assert (lake.read(), lake.refusals()) == (b"OURS", [])


def test_prefix_narrows_what_is_compared(lake: Lake) -> None:
    lake.put(b"one", ObjectRef("upload", "a/1.txt"))
    lake.put(b"two", ObjectRef("upload", "b/2.txt"))
    assert reconcile(lake.runtime, prefix="a/").found == {"missing": 1}
    assert lake.keys() == ["a/1.txt"]


def test_a_whole_key_is_a_prefix_too_although_the_source_has_a_suffix(make_lake: MakeLake) -> None:
    lake = make_lake(sources=(SourceRule("upload", "", ".txt"),), remove_with_source=True)
    for key in ("a.txt", "b.txt"):
        lake.put(b"one", ObjectRef("upload", key))
    assert reconcile(lake.runtime, prefix="a.txt").found == {"missing": 1}
    lake.delete(ObjectRef("upload", "a.txt"))
    assert reconcile(lake.runtime, prefix="a.txt", yes=True).done == {"removed": 1}


def test_a_narrowed_run_takes_nothing_outside_for_orphaned(make_lake: MakeLake) -> None:
    lake = make_lake(remove_with_source=True)
    for key in ("a/1.txt", "b/2.txt", "b/bad.txt"):
        lake.put(b"bad" if "bad" in key else b"one", ObjectRef("upload", key))
        lake.agree(ObjectRef("upload", key))
    assert reconcile(lake.runtime, prefix="a/", yes=True).found == {"agreeing": 1}
    assert len(lake.keys()) == 3


def test_since_leaves_older_sources_out(lake: Lake) -> None:
    lake.put(b"one")
    later = datetime.now(UTC) + timedelta(hours=1)
    assert reconcile(lake.runtime, since=later).differences == 0
    assert lake.read() is None
    assert reconcile(lake.runtime, since=later - timedelta(days=1)).found == {"missing": 1}


def test_a_run_that_was_cut_off_goes_on_from_its_place(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.reconcile.place.KEYS_BETWEEN_PLACES", 2)
    for number in range(6):
        lake.put(b"x", ref(number))
    whole = lake.store.list

    def cut(bucket: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectState]:
        for state in whole(bucket, prefix, start_after):
            if state.ref == ref(5):
                raise TemporaryError("cut off")
            yield state

    place = tmp_path / "place.json"
    lake.store.list = cut  # type: ignore[method-assign]
    with pytest.raises(TemporaryError):
        reconcile(lake.runtime, resume=place)
    assert json.loads(place.read_text())["after"] == {"s3://upload/*": "003.txt"}
    lake.store.list = whole  # type: ignore[method-assign]
    report = reconcile(lake.runtime, resume=place)
    assert sum(report.found.values()) == 2
    assert len(lake.keys()) == 6
    assert not place.exists()


@pytest.mark.parametrize("text", ["?", "[" * 100_000])
def test_a_damaged_place_is_named(lake: Lake, tmp_path: Path, text: str) -> None:
    place = tmp_path / "place.json"
    place.write_text(text)
    with pytest.raises(ConfigError, match=r"place\.json: no place that reconcile kept"):
        reconcile(lake.runtime, resume=place)


def test_one_object_that_fails_does_not_stop_the_others(make_lake: MakeLake) -> None:
    def fragile(event, context):  # type: ignore[no-untyped-def]
        from penstock import Result

        if event.name == "001.txt":
            raise ZeroDivisionError
        return Result(event.body.read())

    lake = make_lake(fragile)
    for number in range(3):
        lake.put(b"x", ref(number))
    report = reconcile(lake.runtime)
    assert report.done == {"processed": 2, "failed": 1}
    assert "ZeroDivisionError" in report.failures[0]


def test_more_objects_than_are_worked_on_at_once_are_all_done(lake: Lake) -> None:
    for number in range(100):
        lake.put(b"x", ref(number))
    assert reconcile(lake.runtime, concurrency=2).done == {"processed": 100}


def test_renditions_are_compared_one_by_one(make_lake: MakeLake) -> None:
    lake = make_lake(sink="s3://processed/{rendition}/{key}", renditions={"a": {"times": "1"}, "b": {"times": "2"}})
    lake.put(b"x")
    lake.agree()
    lake.delete(ObjectRef("processed", "b/a.txt"))
    assert reconcile(lake.runtime).found == {"missing": 1}
    assert lake.keys() == ["a/a.txt", "b/a.txt"]


def test_a_function_without_a_source_is_told_so(make_lake: MakeLake) -> None:
    with pytest.raises(ConfigError, match="set SOURCE, SINK and MINIO_ENDPOINT"):
        reconcile(make_lake(sources=()).runtime)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_and_leaves_no_temporary_file(number: signal.Signals, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # a store that takes connections and says nothing
        silent.settimeout(60)
        env = {
            "PATH": os.environ["PATH"],
            "TMPDIR": str(tmp_path),
            "MINIO_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "MINIO_ACCESS_KEY": "a",
            "MINIO_SECRET_KEY": "b",
            "SOURCE": "s3://upload/*",
            "SINK": "s3://processed/{key}",
        }
        folder = FUNCTIONS / "compress"
        command = [sys.executable, "-m", "penstock.cli", "reconcile", str(folder)]
        with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True) as process:
            silent.accept()
            process.send_signal(number)
            _, said = process.communicate(timeout=30)
    assert (process.returncode, list(tmp_path.iterdir())) == (130, []), said
    assert "Traceback" not in said
