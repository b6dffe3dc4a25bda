"""What a stack does with its data folder: nothing is forgotten that was not asked for."""

import socket
from pathlib import Path

import pytest
from penstock.delivery.deliverer import Message
from penstock.delivery.inbox import Inbox
from penstock.errors import ConfigError
from penstock.local.running import running
from penstock.local.stack import Stack, StackOptions
from penstock.local.stack_folder import take_away

from tests.paths import STACK_YML


def options(data: Path, stack: Path = STACK_YML, **more: object) -> StackOptions:
    return StackOptions(stack, data, {}, port=0, store_port=0, **more)  # type: ignore[arg-type]


def test_a_folder_of_a_real_server_is_refused_and_keeps_its_events(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox.sqlite")
    inbox.put([Message("key", b"waits", {}, "test", "compress")])
    inbox.close()

    with pytest.raises(ConfigError, match=r"has inbox.sqlite, but no objects: .* --fresh"):
        Stack(options(tmp_path))

    again = Inbox(tmp_path / "inbox.sqlite")
    assert again.counts().pending == 1
    again.close()


@pytest.mark.parametrize("fresh", [False, True])
def test_a_wrong_stack_file_costs_nothing(tmp_path: Path, fresh: bool) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "mine.txt").write_text("precious")
    (tmp_path / "index.sqlite").write_text("kept")
    before = {path: path.stat().st_mode for path in [tmp_path, *tmp_path.rglob("*")]}

    with pytest.raises(ConfigError):
        Stack(options(tmp_path, tmp_path / "none.yml", fresh=fresh))

    assert {path: path.stat().st_mode for path in [tmp_path, *tmp_path.rglob("*")]} == before


def test_fresh_is_refused_while_another_stack_runs(tmp_path: Path) -> None:
    running = Stack(options(tmp_path / "data"))
    try:
        running.start()
        with pytest.raises(ConfigError, match="another stack runs on"):
            Stack(options(tmp_path / "data", fresh=True))
        assert (tmp_path / "data" / "inbox.sqlite").is_file()
    finally:
        running.stop()


def test_fresh_forgets_what_a_stack_kept_and_nothing_else(tmp_path: Path) -> None:
    for name in ("objects/upload/x.data", "logs/compress.log", "logs/mine.txt", "index.sqlite", "other"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    Stack(options(tmp_path, fresh=True)).stop()
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"logs/mine.txt", "other"} <= left
    assert not {"objects/upload/x.data", "index.sqlite"} & left
    assert (tmp_path / "logs" / "compress.log").read_text() == "", "the log of the new run"


@pytest.mark.parametrize("name", ["password", "events-token", "store-secret"])
def test_an_empty_secret_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    with pytest.raises(ConfigError, match=f"{name}: is empty"):
        Stack(options(tmp_path))


def test_events_of_an_earlier_run_for_a_function_that_is_gone_are_dead_letters(tmp_path: Path) -> None:
    Stack(options(tmp_path)).stop()
    inbox = Inbox(tmp_path / "inbox.sqlite")
    inbox.put([Message(f"key {number}", b"{}", {}, "test", "old-name") for number in range(600)])
    inbox.close()

    stack = Stack(options(tmp_path))
    try:
        stack.start()
        letters = stack.inbox.dead_letters()
        assert stack.inbox.targets() == set()
    finally:
        stack.stop()
    assert {letter.message.target for letter in letters} == {"old-name"}
    assert "no function old-name is deployed: it was renamed or removed" in letters[0].reason


def test_a_second_stack_on_one_folder_says_how_to_run_beside_the_first(tmp_path: Path) -> None:
    first, second = Stack(options(tmp_path)), Stack(options(tmp_path))
    try:
        first.start()
        with pytest.raises(
            ConfigError, match=r"another penstock up runs on it; .*: --data .*, with make: ARGS='--data "
        ):
            second.start()
    finally:
        second.stop()
        first.stop()


def test_the_passwords_in_a_folder_that_is_made_are_not_taken_into_git(tmp_path: Path) -> None:
    Stack(options(tmp_path / "project" / "data")).stop()
    assert (tmp_path / "project" / "data" / ".gitignore").read_text() == "*\n"
    (tmp_path / "own").mkdir()
    Stack(options(tmp_path / "own")).stop()
    assert not (tmp_path / "own" / ".gitignore").exists(), "the folder was there: it may hold other things"


@pytest.mark.parametrize("port", ["port", "store_port"])
def test_a_start_at_a_taken_port_leaves_no_folder_that_it_has_made(tmp_path: Path, port: str) -> None:
    data = tmp_path / "data"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"port": 0, "store_port": 0, port: taken.getsockname()[1]}
        with pytest.raises(ConfigError, match="is in use"), running(StackOptions(STACK_YML, data, {}, **ports)):
            raise AssertionError("it has started")
        assert not data.exists()

        data.mkdir()
        (data / "mine.txt").write_text("precious")
        with pytest.raises(ConfigError, match="is in use"), running(StackOptions(STACK_YML, data, {}, **ports)):
            raise AssertionError("it has started")
    assert (data / "mine.txt").read_text() == "precious"


def test_a_stack_that_has_started_keeps_its_folder_also_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="later"), running(options(tmp_path / "data")):
        raise RuntimeError("later")
    assert (tmp_path / "data" / "inbox.sqlite").is_file()


def test_a_folder_that_is_in_use_or_holds_an_object_is_not_taken_away(tmp_path: Path) -> None:
    data = tmp_path / "data"
    stack = Stack(options(data))
    try:
        stack.start()
        take_away(data)
        assert (data / "inbox.sqlite").is_file(), "another start may have lost a race for a port"
    finally:
        stack.stop()
    (data / "objects" / "upload").mkdir(exist_ok=True)
    (data / "objects" / "upload" / "a.data").write_text("precious")
    take_away(data)
    assert (data / "objects" / "upload" / "a.data").read_text() == "precious"
