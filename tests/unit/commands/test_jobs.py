"""`penstock jobs`: what it says about flags that cannot work."""

from __future__ import annotations

import pytest
from penstock.cli import main

from tests.paths import DOCS

SERVER = ("--server=http://127.0.0.1:9", "--namespace=lake")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("list", "--server=http://127.0.0.1:9"), "--server: say which namespace"),
        (("watch", *SERVER), "DEAD_LETTER_SINK='': expected the URL"),
        (("watch", *SERVER, "--dead-letter-to=here"), "DEAD_LETTER_SINK='here'"),
        (("watch", *SERVER, "--dead-letter-to=ftp://lake:word@sink"), "DEAD_LETTER_SINK='ftp://sink'"),
        (("watch", *SERVER, "--dead-letter-to=http://sink", "--max-running=-1"), "--max-running -1: expected 0"),
        (
            ("watch", *SERVER, "--dead-letter-to=http://sink", "--status-port=70000"),
            "0.0.0.0:70000: bind(): port must be",
        ),
        (("list", "--kubeconfig=/nowhere"), "/nowhere: No such file"),
        (("list", "--server=127.0.0.1:9", "--namespace=lake"), "--server '127.0.0.1:9': expected a URL"),
        (("logs", "some", *SERVER, "--tail=-3"), "--tail -3: expected a number of lines"),
        (("list", *SERVER, "--ca-file=/nowhere"), "/nowhere: No such file"),
        (("list", *SERVER, "--token-file=/nowhere"), "/nowhere: No such file"),
    ],
)
def test_flags_that_cannot_work_are_a_matter_of_configuration(
    words: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for setting in ("DEAD_LETTER_SINK", "JOB_MAX_RUNNING"):
        monkeypatch.delenv(setting, raising=False)
    assert main(["jobs", *words]) == 78
    assert problem in capsys.readouterr().err


def test_a_cap_that_is_no_number_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_MAX_RUNNING", "many")
    assert main(["jobs", "watch", *SERVER, "--dead-letter-to=http://sink"]) == 78
    assert "JOB_MAX_RUNNING='many'" in capsys.readouterr().err


def test_an_api_that_does_not_answer_is_for_later(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs", "list", *SERVER]) == 75
    assert "no answer" in capsys.readouterr().err


def test_a_time_that_is_none_is_named_before_anything_is_deleted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs", "clean", *SERVER, "--older-than=tomorrow"]) == 78
    assert "--older-than 'tomorrow'" in capsys.readouterr().err


def test_every_action_is_in_the_documentation() -> None:
    text = (DOCS / "jobs.md").read_text()
    for action in ("list", "watch", "logs", "clean"):
        assert f"penstock jobs {action}" in text
