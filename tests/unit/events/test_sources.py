"""tests/events/README.md names the source of each event that the tests use."""

import re

from tests.paths import EVENTS

PAGE = (EVENTS / "README.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in PAGE.splitlines() if line.startswith("| `")]


def test_each_event_has_one_row_with_its_source() -> None:
    named = [name for row in ROWS for name in re.findall(r"`(\w+\.json)`", row[0])]
    assert sorted(named) == sorted(file.name for file in EVENTS.glob("*.json"))
    assert all(len(row) == 3 and row[1] and row[2] for row in ROWS)


def test_what_was_run_here_names_a_test_that_exists() -> None:
    tests = EVENTS.parent
    run = [row[2] for row in ROWS if "run here" in row[2]]
    assert len(run) >= 5
    for source in run:
        for path in re.findall(r"`tests/([\w/]+\.py)`", source):
            assert (tests / path).is_file(), path
