"""The demo's table is aligned and says the same on paper and on a terminal."""

import io
import json
from pathlib import Path
from typing import Any, cast

import pytest
from penstock.local.demo.report import DemoReport, Row
from penstock.terminal import columns, size_text
from penstock.types import ObjectRef

from tests.fake_terminal import Terminal


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (60_761_234, "60.8 MB"),
        (3_200_000_000, "3.2 GB"),
        (10**13, "10000.0 GB"),
    ],
)
def test_sizes_are_decimal(size: int, text: str) -> None:
    assert size_text(size) == text


def test_wide_characters_do_not_break_the_columns() -> None:
    assert columns([("猫.jpg", "1"), ("clock.jpg", "22")], right={1}) == ["猫.jpg      1", "clock.jpg  22"]


def test_table_has_a_line_for_each_row() -> None:
    out = io.StringIO()
    rows = [
        Row(ObjectRef("upload", "demo-1/donors.csv"), "compress", True, 1.234, 60_800_000, 21_300_000),
        Row(ObjectRef("images", "demo-1/a.jpg"), "resize", False, 0.0421, 98_900, 24_100),
    ]
    DemoReport(out).table(rows, "demo-1/")
    assert out.getvalue().splitlines() == [
        "  object             function  start    time  size in  size out",
        "  upload/donors.csv  compress  cold   1.23 s  60.8 MB   21.3 MB",
        "  images/a.jpg       resize    warm    42 ms  98.9 kB   24.1 kB",
        "",
    ]


def test_results_are_a_document_too() -> None:
    report = DemoReport(io.StringIO())
    report.table([Row(ObjectRef("upload", "a.csv"), "compress", True, 1.5, 60, 20)], "")
    report.checked(ObjectRef("processed", "a.csv.gz"), "compress", "unpacks to the source", "")
    document = json.loads(json.dumps(report.document(["resize on s3://images/a.jpg: refused"])))
    assert document == {
        "ok": False,
        "objects": [
            {
                "source": "s3://upload/a.csv",
                "function": "compress",
                "cold": True,
                "seconds": 1.5,
                "bytes_in": 60,
                "bytes_out": 20,
            }
        ],
        "checked": [{"object": "s3://processed/a.csv.gz", "function": "compress", "seen": "unpacks to the source"}],
        "problems": ["resize on s3://images/a.jpg: refused"],
    }


def test_progress_moves_on_a_terminal_only() -> None:
    paper, terminal = io.StringIO(), Terminal()
    for out in (paper, terminal):
        DemoReport(out).progress(3, 6)
    assert paper.getvalue() == ""
    assert terminal.getvalue() == "\r  " + "█" * 15 + "·" * 15 + " 3 of 6"


def test_verdict_lists_what_went_wrong() -> None:
    out = io.StringIO()
    DemoReport(out).verdict(["one", "two"])
    assert out.getvalue() == "\n2 things went wrong:\n  one\n  two\n"


@pytest.mark.parametrize(
    ("started", "on_path", "says"),
    [
        (".venv/bin/penstock", False, ".venv/bin/penstock demo --open"),
        ("/x/.venv/bin/penstock", True, ": penstock demo --open"),
        ("penstock", False, ": penstock demo --open"),
    ],
)
def test_last_line_is_a_command_that_can_be_typed_here(
    started: str, on_path: bool, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if on_path:
        (tmp_path / "penstock").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", [started, "demo"])
    out = io.StringIO()
    DemoReport(out).where_to_look(cast(Any, None), stays=False)
    assert out.getvalue().endswith(f"{says}\n")
