"""`penstock up` takes its options, refuses what cannot work, and says what happens."""

import argparse
import sys
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.commands.up import add_arguments, invocation_line, print_change, print_invocation
from penstock.local.gateway.invocations import Invocation
from penstock.local.reload import Reloaded

from tests.paths import STACK_YML


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


def test_defaults_are_the_documented_ones() -> None:
    args = parse()
    assert (args.stack, args.port, args.store_port, args.zero_after) == (Path("stack.yml"), 8080, 9000, None)


def test_durations_are_those_of_the_stack_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse("--zero-after", "1m30s").zero_after == 90
    with pytest.raises(SystemExit):
        parse("--zero-after", "90")
    assert "'90': expected a duration such as 30s" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--stack", "none.yml"], "none.yml: No such file or directory; name the stack file with --stack"),
        (["--password-file", "none"], "--password-file none: no such file"),
        (["--stack", str(STACK_YML), "--data", "file/data"], "--data file/data: no folder can be made there"),
    ],
)
def test_what_cannot_work_is_named(
    options: list[str], reason: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("no folder")
    assert main(["up", *options]) == 78
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--port", "--store-port"])
@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_port_that_is_none_is_wrong_usage(option: str, port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["up", f"{option}={port}"])
    assert "expected a port, at most 65535" in capsys.readouterr().err


def test_line_says_what_became_of_an_object() -> None:
    answer = {
        "outcome": "processed",
        "source": {"bucket": "upload", "key": "a b.csv", "size": 60_800_000},
        "targets": [{"address": "s3://processed/a b.csv.gz", "size": 21_300_000}],
    }
    invocation = Invocation("compress", "POST", "/event", 200, True, 1.234, 900, 300, "id", answer, finished=0)
    assert invocation_line(invocation)[10:] == ("compress  upload/a b.csv  processed  cold  1.23 s  60.8 MB -> 21.3 MB")


def test_line_says_why_something_was_refused() -> None:
    answer = {"outcome": "refused", "reason": "not an image", "source": {"bucket": "images", "key": "x.jpg", "size": 2}}
    invocation = Invocation("resize", "POST", "/event", 415, False, 0.012, 900, 300, "id", answer, finished=0)
    assert invocation_line(invocation)[10:] == "resize  images/x.jpg  refused  warm  12 ms  2 B -> 0 B  not an image"


def test_lines_of_several_threads_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[str] = []

    class Out:
        def write(self, text: str) -> int:
            writes.append(text)
            return len(text)

        def flush(self) -> None:
            """Nothing waits."""

    monkeypatch.setattr(sys, "stdout", Out())
    print_invocation(Invocation("resize", "POST", "/", 200, True, 0.5, 2000, 1000, "id", finished=0))
    assert len(writes) == 1
    assert writes[0].endswith("\n")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (Reloaded("shout"), "shout  saved: counts from now on"),
        (Reloaded("shout", gone=True), "shout  removed: takes no events from now on"),
        (Reloaded("shout", "line 1: no"), "shout  not taken up, the old one goes on: line 1: no"),
    ],
)
def test_what_became_of_a_change_is_printed(change: Reloaded, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_change(change)
    assert capsys.readouterr().out.rstrip().endswith(says)
