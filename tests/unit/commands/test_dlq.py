"""`penstock dlq` on an inbox file; on a Kafka topic it is tested with a real broker."""

import argparse
import io
import json
from pathlib import Path

import pytest
from penstock.commands import dlq as dead_letters
from penstock.delivery.deliverer import Message
from penstock.delivery.inbox import Inbox, InboxCounts
from penstock.errors import ConfigError, PermanentError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three dead letters: two of `resize`, one of `compress`."""
    inbox = Inbox(tmp_path / "inbox.db", clock=lambda: 0.0)
    for number, (target, code) in enumerate([("resize", 422), ("resize", 503), ("compress", 422)]):
        message = Message("k", b"body %d" % number, {"ce-id": str(number)}, f"webhook {number}", target)
        inbox.store_dead_letter(message, code, "no\nimage", b"answer")
    inbox.close()
    return tmp_path / "inbox.db"


def dlq(path: Path, *words: str) -> str:
    parser = argparse.ArgumentParser()
    dead_letters.add_arguments(parser)
    out = io.StringIO()
    args = parser.parse_args([words[0], "--inbox", str(path), *words[1:]])
    assert dead_letters.run(args, {}, out) == 0
    return out.getvalue()


def counts(path: Path) -> InboxCounts:
    inbox = Inbox(path)
    found = inbox.counts()
    inbox.close()
    return found


def test_list_has_one_line_each_whatever_the_reason_holds(path: Path) -> None:
    header, *lines = dlq(path, "list").splitlines()
    assert header.split() == ["ID", "DIED", "TARGET", "CODE", "ORIGIN", "REASON"]
    assert lines[0].split() == ["1", "1970-01-01T00:00:00Z", "resize", "422", "webhook", "0", "no", "image"]
    assert len(lines) == 3


def test_list_of_none_says_so(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(dlq(path, "list", "--target", "elsewhere").splitlines()) == 1
    assert capsys.readouterr().err.startswith("penstock dlq: none")
    dlq(path, "list")
    assert capsys.readouterr().err == ""


def test_list_as_json_holds_everything(path: Path) -> None:
    letters = [json.loads(line) for line in dlq(path, "list", "--json", "--target", "compress").splitlines()]
    assert letters == [
        {
            "id": "3",
            "time": "1970-01-01T00:00:00Z",
            "target": "compress",
            "code": 422,
            "reason": "no\nimage",
            "origin": "webhook 2",
            "headers": {"ce-id": "2"},
            "value": "body 2",
            "data": "answer",
        }
    ]


def test_show_prints_the_message_and_the_last_answer(path: Path) -> None:
    text = dlq(path, "show", "2")
    for part in ("code: 503", "header ce-id: 1", "last answer, 6 bytes:\nanswer", "body, 6 bytes:\nbody 1"):
        assert part in text


def test_show_as_json_is_the_line_of_the_list(path: Path) -> None:
    assert dlq(path, "show", "2", "--json") == dlq(path, "list", "--json").splitlines(keepends=True)[1]


def test_terminal_is_not_sent_control_characters(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox.db")
    inbox.store_dead_letter(Message("k", b"\x1b[2J\xff", {"a": "\x1b[2J"}, "x", "t"), 422, "\x1b[2J")
    inbox.close()
    for words in (["list"], ["show", "1"], ["list", "--json"]):
        assert "\x1b" not in dlq(tmp_path / "inbox.db", *words)


def test_replay_takes_ids_or_a_selection(path: Path) -> None:
    assert dlq(path, "replay", "1") == "1 replayed\n"
    assert dlq(path, "replay", "--all", "--code", "422") == "1 replayed\n"
    assert counts(path) == InboxCounts(pending=2, dead=1)


def test_drop_takes_ids_or_a_selection(path: Path) -> None:
    assert dlq(path, "drop", "1", "3") == "2 dropped\n"
    assert counts(path) == InboxCounts(pending=0, dead=1)


@pytest.mark.parametrize("words", [["show", "9"], ["replay", "9"], ["drop", "1", "9"], ["drop", "3", "--code", "503"]])
def test_unknown_id_changes_nothing(path: Path, words: list[str]) -> None:
    with pytest.raises(PermanentError, match="no dead letter"):
        dlq(path, *words)
    assert counts(path) == InboxCounts(pending=0, dead=3)


@pytest.mark.parametrize("action", ["replay", "drop"])
def test_everything_is_meant_only_when_it_is_said(path: Path, action: str) -> None:
    with pytest.raises(ConfigError, match="--all"):
        dlq(path, action)


def test_missing_file_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        dlq(tmp_path / "inbox.db", "list")
    assert not (tmp_path / "inbox.db").exists()


@pytest.mark.parametrize("action", [["list"], ["show", "1"], ["drop", "--all"]])
def test_file_that_is_missing_or_empty_is_named_and_made_into_no_inbox(tmp_path: Path, action: list[str]) -> None:
    missing, empty = tmp_path / "missing.db", tmp_path / "empty.db"
    empty.touch()
    for path, says in ((missing, "no such file"), (empty, "is empty and not an inbox")):
        with pytest.raises(ConfigError, match=says):
            dlq(path, *action)
    assert sorted(tmp_path.iterdir()) == [empty]
    assert empty.stat().st_size == 0


@pytest.mark.parametrize(("folder", "flags"), [(".penstock", []), ("elsewhere", ["--data", "elsewhere"])])
def test_the_inbox_of_the_local_stack_is_found_where_no_other_is_named(
    path: Path, folder: str, flags: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(path.parent)
    Path(folder).mkdir()
    path.rename(Path(folder, "inbox.sqlite"))
    parser = argparse.ArgumentParser()
    dead_letters.add_arguments(parser)
    out = io.StringIO()
    args = parser.parse_args(["list", *flags])
    assert dead_letters.run(args, {}, out) == 0
    assert len(out.getvalue().splitlines()) == 4
    assert f"on the local stack of {folder}, {folder}/inbox.sqlite" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["KAFKA_BROKERS", "KAFKA_BOOTSTRAP_SERVERS"])
def test_brokers_that_are_named_come_before_the_local_stack(
    path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    Path(".penstock").mkdir()
    path.rename(".penstock/inbox.sqlite")
    parser = argparse.ArgumentParser()
    dead_letters.add_arguments(parser)
    args = parser.parse_args(["list"])
    assert not isinstance(dead_letters.open_dead_letters(args, {name: "127.0.0.1:1"}), Inbox)
    with pytest.raises(ConfigError, match="no such file"):  # said, and not passed over for the local stack
        dead_letters.open_dead_letters(args, {f"{name}_FILE": "missing"})
    with pytest.raises(ConfigError, match=r"enable\.auto\.commit"):
        dead_letters.open_dead_letters(args, {name: "127.0.0.1:1", "KAFKA_ENABLE_AUTO_COMMIT": "true"})


def test_where_nothing_is_named_and_no_local_stack_was_the_remedy_names_all_three(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parser = argparse.ArgumentParser()
    dead_letters.add_arguments(parser)
    with pytest.raises(ConfigError, match=r"--inbox FILE.*KAFKA_BROKERS.*--data FOLDER"):
        dead_letters.open_dead_letters(parser.parse_args(["list"]), {})
