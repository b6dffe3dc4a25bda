"""The functions under examples/: each has its parts, its own tests pass, and it works where functions run."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import lz4.frame
import pytest
from penstock.handler.loading import load_module
from penstock.testing import Lake

from tests.paths import EXAMPLES, ROOT
from tests.served import served

pytestmark = pytest.mark.long

FOLDERS = sorted(path for path in EXAMPLES.iterdir() if re.match(r"\d\d-", path.name))
NAMES = [path.name for path in FOLDERS]

# What goes in, what a deployment sets, and what is then in the sink.
WORK: dict[str, tuple[bytes, dict[str, Any], dict[str, bytes]]] = {
    "01-upper": (b"hello", {}, {"a": b"HELLO"}),
    "02-numbered": (b"one\ntwo\n", {"first": 7}, {"a": b"7 one\n8 two\n"}),
    "03-pretty": (b"[1]", {}, {"a": b"[\n  1\n]\n"}),
    "04-beginnings": (
        b"1\n2\n3\n",
        {"sink": "s3://processed/{rendition}/{key}", "renditions": {"card": {"lines": 1}, "page": {"lines": 2}}},
        {"card/a": b"1\n", "page/a": b"1\n2\n"},
    ),
    "06-unpack": (lz4.frame.compress(b"packed"), {}, {"a": b"packed"}),
}


def requirements(folder: Path) -> list[str]:
    file = folder / "requirements.txt"
    lines = file.read_text().splitlines() if file.is_file() else []
    return [line for line in lines if line and not line.startswith("#")]


def test_examples_are_numbered_from_one() -> None:
    assert [int(name[:2]) for name in NAMES] == list(range(1, len(NAMES) + 1))
    assert len(NAMES) >= 6


@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_example_has_handler_test_and_a_line_in_the_list(folder: Path) -> None:
    assert (folder / "handler_test.py").is_file()
    page = (EXAMPLES / "README.md").read_text()
    assert len(re.findall(rf"^\| \[{folder.name}\]\({folder.name}/handler\.py\) \| .+ \| .+ \|$", page, re.M)) == 1


def test_every_folder_of_examples_is_in_the_list() -> None:
    page = (EXAMPLES / "README.md").read_text()
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))}
    assert {name for name in folders if f"]({name}/" not in page} == set()


def test_tests_of_the_examples_pass() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "examples"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) >= len(NAMES)


@pytest.mark.parametrize("folder", FOLDERS, ids=NAMES)
def test_requirements_are_bounded_and_locked(folder: Path) -> None:
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.M))
    for line in requirements(folder):
        found = re.fullmatch(r"([\w.-]+)>=[\w.]+,<[\w.]+", line)
        assert found is not None
        assert found[1] in locked


@pytest.mark.parametrize("name", WORK)
def test_example_makes_its_target_from_an_object(name: str) -> None:
    data, settings, outputs = WORK[name]
    lake = Lake(load_module(EXAMPLES / name).handle, **settings)
    assert lake.put("a", data).kind == "processed"
    assert lake.outputs() == outputs


def test_every_example_is_tried(tmp_path: Path) -> None:
    assert {*WORK, "05-words", "07-parquet"} == set(NAMES)
    table = Lake(load_module(EXAMPLES / "07-parquet").handle, sink="s3://processed/{stem}.parquet")
    assert table.put("a.csv", b"id\n1\n").kind == "processed"
    assert list(table.outputs()) == ["a.parquet"]
    with Lake(load_module(EXAMPLES / "05-words").handle, sink=f"sqlite://{tmp_path}/index.db") as lake:
        assert lake.put("a", b"some more words").kind == "processed"
        assert lake.query(q="words") == {"keys": ["a"]}


def test_example_is_served_and_called_as_the_list_says() -> None:
    page = (EXAMPLES / "README.md").read_text()
    assert "penstock serve examples/01-upper --port 8081" in page
    (data,) = re.findall(r"curl [^\n]*--data-binary '(\w+)' http://127\.0\.0\.1:8081/", page)
    with served(EXAMPLES / "01-upper", {}) as running:
        with urllib.request.urlopen(urllib.request.Request(running.url + "/", data.encode())) as answer:
            assert answer.read() == b"HELLO"
        assert running.send("upload", "a.txt")[0] == 503, "without SOURCE and SINK it takes no events"
