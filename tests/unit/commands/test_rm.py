"""Objects are removed one by one, or many of them after a question."""

from __future__ import annotations

import io
import sys

import pytest
from penstock.cli import main
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

from tests.fake_terminal import Terminal


@pytest.fixture(autouse=True)
def filled(store: S3ObjectStore) -> None:
    for key in ("a+b", "x/100%", "x/日本"):
        store.put(ObjectRef("upload", key), [b"12345"], content_type="text/plain", metadata={})


def left(store: S3ObjectStore) -> list[str]:
    return [state.ref.key for state in store.list("upload")]


def test_named_objects_go_without_a_question(store: S3ObjectStore) -> None:
    assert main(["rm", "upload/a+b", "upload/x/100%"]) == 0
    assert left(store) == ["x/日本"]


def test_object_that_is_not_there_is_refused(store: S3ObjectStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rm", "upload/none"]) == 65
    assert main(["rm", "-r", "upload/none", "--yes"]) == 65
    assert "s3://upload/none: no such object" in capsys.readouterr().err
    assert len(left(store)) == 3


@pytest.mark.parametrize(("answer", "code", "stay"), [("y\n", 0, 1), ("n\n", 1, 3), ("", 1, 3)])
def test_many_are_asked_about(
    answer: str,
    code: int,
    stay: int,
    store: S3ObjectStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert main(["rm", "-r", "upload/x/"]) == code
    assert "remove 2 objects, 10 B, below s3://upload/x/? [y/N]" in capsys.readouterr().out
    assert len(left(store)) == stay


def test_without_a_terminal_many_need_yes(
    store: S3ObjectStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert main(["rm", "-r", "upload/"]) == 78
    assert "say --yes to remove them" in capsys.readouterr().err
    assert len(left(store)) == 3
    assert main(["rm", "-r", "upload/", "--yes"]) == 0
    assert left(store) == []
