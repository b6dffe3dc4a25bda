"""Objects by what their keys begin with."""

from __future__ import annotations

import json

import pytest
from penstock.cli import main
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

KEYS = ["a+b", "x/100%", "x/日本", "xy"]


@pytest.fixture(autouse=True)
def filled(store: S3ObjectStore) -> None:
    for key in KEYS:
        store.put(ObjectRef("upload", key), [b"12345"], content_type="text/plain", metadata={})


@pytest.mark.parametrize(
    ("prefix", "found"), [("", KEYS), ("x", KEYS[1:]), ("x/", KEYS[1:3]), ("x/日", ["x/日本"]), ("none", [])]
)
def test_prefix_is_text_and_not_a_folder(prefix: str, found: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", f"upload/{prefix}", "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [entry["key"] for entry in told] == found
    assert {entry["size"] for entry in told} <= {5}


def test_line_has_time_size_and_key_and_the_limit_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "upload", "--limit", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1:] for line in lines] == [["5", "B", "a+b"], ["5", "B", "x/100%"]]
    assert lines[0][:2] == "20"


def test_limit_of_nothing_is_refused() -> None:
    assert main(["ls", "upload", "--limit", "0"]) == 78
