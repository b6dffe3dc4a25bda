"""The donors file: its columns, the same bytes from the same seed, and what is left when writing fails."""

import argparse
import csv
import doctest
import errno
import hashlib
import io
import os
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from penstock.commands import donors as donors_command
from penstock.local.demo import donors
from penstock.local.demo.donor_names import FEMALE, LAST, MALE

from tests.fake_terminal import Terminal

SHARED = Path(donors.__file__).parents[3]


def csv_file(rows: int, seed: int = 0) -> bytes:
    return b"".join(donors.donor_chunks(rows, seed=seed))


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def options(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="penstock donors")
    donors_command.add_arguments(parser)
    return parser.parse_args(argv)


@pytest.fixture(scope="module")
def people() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_file(20_000).decode("ascii")), skipinitialspace=True))


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_header_is_the_walk_throughs_with_its_spaces() -> None:
    assert csv_file(0) == b"email, name, type, birthday, state\n"
    assert csv_file(1).splitlines()[0] == b"email, name, type, birthday, state"


@pytest.mark.parametrize("rows", [1, 9_999, 10_000, 10_001])
def test_file_has_the_rows_asked_for(rows: int) -> None:
    assert csv_file(rows).count(b"\n") == rows + 1


def test_every_row_has_five_columns_and_no_stray_space(people: list[dict[str, str]]) -> None:
    assert list(people[0]) == ["email", "name", "type", "birthday", "state"]
    assert all(value and value == value.strip() for person in people for value in person.values())
    assert {len(person) for person in people} == {5}


def test_one_million_rows_are_about_sixty_megabytes() -> None:
    assert 60 < len(csv_file(10_000)) / 10_000 < 62


def test_golden_checksum_of_ten_thousand_rows() -> None:
    # A new checksum means other bytes behind every seed: give `_STREAM` a new number and the changelog a line.
    assert (
        hashlib.sha256(csv_file(10_000)).hexdigest()
        == "58b504dd4c1143537d49371a7de1e611b399beaf243e8b1c5e38cf6b5b40138d"
    )


def test_same_seed_gives_same_bytes_in_another_process() -> None:
    code = "import sys; from penstock.local.demo import donors as d\n"
    code += "sys.stdout.buffer.write(b''.join(d.donor_chunks(50, seed=3)))"
    env = {**os.environ, "PYTHONPATH": str(SHARED), "PYTHONHASHSEED": "77"}
    again = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
    assert again.stdout == csv_file(50, seed=3)


@pytest.mark.parametrize("other", [1, -1, 2**70])
def test_different_seeds_give_different_rows(other: int) -> None:
    assert not set(csv_file(100, seed=0).splitlines()[1:]) & set(csv_file(100, seed=other).splitlines()[1:])


@pytest.mark.parametrize("rows", [1, 700, 10_000, 10_300])
def test_a_shorter_file_is_the_beginning_of_a_longer_one(rows: int) -> None:
    assert csv_file(11_000).startswith(csv_file(rows))


@given(rows=st.integers(0, 300), rows_per_chunk=st.integers(1, 400))
def test_chunks_are_whole_lines_and_join_to_the_same_file(rows: int, rows_per_chunk: int) -> None:
    chunks = list(donors.donor_chunks(rows, rows_per_chunk=rows_per_chunk))
    assert b"".join(chunks) == csv_file(rows)
    assert all(chunk.endswith(b"\n") for chunk in chunks)
    assert len(chunks) == max(1, -(-rows // rows_per_chunk))


@pytest.mark.parametrize("rows_per_chunk", [3_000, 10_000, 25_000])
def test_chunks_do_not_depend_on_where_blocks_end(rows_per_chunk: int) -> None:
    assert b"".join(donors.donor_chunks(20_500, rows_per_chunk=rows_per_chunk)) == csv_file(20_500)


def test_first_chunk_of_a_huge_file_needs_no_other() -> None:
    assert next(donors.donor_chunks(10**12)).count(b"\n") == 10_001


def test_blocks_do_not_repeat() -> None:
    rows = csv_file(40_000).splitlines()[1:]
    assert len(set(rows)) == 40_000


def test_types_are_the_eight_blood_groups_alike(people: list[dict[str, str]]) -> None:
    counts = Counter(person["type"] for person in people)
    assert set(counts) == set(donors.BLOOD_GROUPS)
    assert min(counts.values()) > 0.9 * len(people) / 8


def test_birthdays_are_dates_of_adults(people: list[dict[str, str]]) -> None:
    days = [date.fromisoformat(person["birthday"]) for person in people]
    assert date(1918, 4, 15) <= min(days) < date(1919, 1, 1)
    assert date(2007, 1, 1) < max(days) <= date(2007, 12, 31)
    assert donors.LAST_BIRTHDAY - timedelta(days=donors.BIRTHDAYS - 1) == date(1918, 4, 15)


def test_states_are_the_fifty(people: list[dict[str, str]]) -> None:
    states = {person["state"] for person in people}
    assert len(states) == 50
    assert {"Alabama", "New Hampshire", "Wyoming"} <= states


def test_addresses_are_at_domains_nobody_can_own(people: list[dict[str, str]]) -> None:
    logins, domains = zip(*(person["email"].split("@") for person in people), strict=True)
    assert set(domains) == {"example.com", "example.net", "example.org"}
    assert all(login.isalnum() and login == login.lower() for login in logins)
    assert 0.2 < sum(login[-1].isdigit() for login in logins) / len(logins) < 0.3


def test_names_come_from_the_lists_with_some_titles_and_suffixes(people: list[dict[str, str]]) -> None:
    firsts, lasts, plain = {*MALE, *FEMALE}, set(LAST), 0
    for person in people:
        words = person["name"].split(" ")
        assert 2 <= len(words) <= 4
        assert lasts & set(words)
        assert firsts & set(words)
        plain += len(words) == 2
    assert 0.94 < plain / len(people) < 0.98


def test_lists_have_no_name_twice() -> None:
    for names in (MALE, FEMALE, LAST):
        assert len(set(names)) == len(names)


def test_every_name_can_be_drawn() -> None:
    tables = donors.name_tables()
    assert {name.strip() for name in tables.lasts} == set(LAST)
    firsts = {id(table): table for table in tables.firsts}.values()
    assert len(firsts) == 2
    assert {name for table in firsts for name in table} == {*MALE, *FEMALE}


def test_documented_example_runs() -> None:
    assert doctest.testmod(donors).attempted > 0
    assert doctest.testmod(donors).failed == 0


@pytest.mark.parametrize("bad", [{"rows": -1}, {"rows": 1, "rows_per_chunk": 0}])
def test_impossible_counts_are_refused_before_the_first_chunk(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        donors.donor_chunks(**bad)


def test_write_donors_to_a_stream_counts_bytes_and_rows() -> None:
    stream, seen = io.BytesIO(), list[int]()
    assert donors.write_donors(stream, 10_300, seed=2, progress=seen.append) == len(stream.getvalue())
    assert stream.getvalue() == csv_file(10_300, seed=2)
    assert seen == [10_000, 300]


def test_write_donors_to_a_file_replaces_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "donors.csv"
    target.write_bytes(b"old")
    donors.write_donors(target, 10)
    assert target.read_bytes() == csv_file(10)
    assert names_in(tmp_path) == ["donors.csv"]


def test_written_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    donors.write_donors(tmp_path / "donors.csv", 1)
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("other", "donors.csv")}
    assert len(modes) == 1


def test_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to("donors.csv")
    donors.write_donors(tmp_path / "link.csv", 1)
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "donors.csv").read_bytes() == csv_file(1)


def test_device_is_written_to_and_not_replaced() -> None:
    assert donors.write_donors(Path(os.devnull), 5) == len(csv_file(5))
    assert not Path(os.devnull).is_file()


def test_command_writes_donors_csv_by_default(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert options().rows == 1_000_000
    assert donors_command.run(options("--rows", "20")) == 0
    assert (directory / "donors.csv").read_bytes() == csv_file(20)
    assert "donors.csv: 20 donors" in capsys.readouterr().out


def test_command_writes_to_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert donors_command.run(options("--rows", "20", "--seed", "5", "-o", "-")) == 0
    assert capfdbinary.readouterr() == (csv_file(20, seed=5), b"")


@pytest.mark.parametrize("rows", ["-1", "many", "1.5"])
def test_bad_row_count_is_refused_with_exit_code_2(rows: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        options(f"--rows={rows}")
    assert stop.value.code == 2
    assert f"expected a whole number of rows, 0 or more, got '{rows}'" in capsys.readouterr().err


def test_missing_directory_is_named_with_the_remedy(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert donors_command.run(options("-o", "nowhere/donors.csv")) == 2
    assert "nowhere/donors.csv: No such file or directory; create the directory" in capsys.readouterr().err
    assert names_in(directory) == []


def test_directory_as_output_is_refused(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert donors_command.run(options("-o", str(directory))) == 2
    assert f"{directory}: Is a directory; name a file in it" in capsys.readouterr().err
    assert directory.is_dir()


def stop_after_one_block(monkeypatch: pytest.MonkeyPatch, stop: BaseException) -> None:
    def pieces(rows: int, *, seed: int) -> Iterator[bytes]:
        yield donors.HEADER
        raise stop

    monkeypatch.setattr(donors, "donor_chunks", pieces)


def test_interrupt_leaves_no_partial_file_and_keeps_the_old_one(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory / "donors.csv").write_bytes(b"old")
    stop_after_one_block(monkeypatch, KeyboardInterrupt())
    assert donors_command.run(options("--force")) == 130
    assert names_in(directory) == ["donors.csv"]
    assert (directory / "donors.csv").read_bytes() == b"old"
    assert "interrupted, donors.csv is not written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("code", "remedy"), [(errno.ENOSPC, "free some space"), (errno.EACCES, "name a file you may write")]
)
def test_failed_write_is_explained_and_leaves_nothing(
    directory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, remedy: str
) -> None:
    stop_after_one_block(monkeypatch, OSError(code, os.strerror(code)))
    assert donors_command.run(options()) == 2
    assert names_in(directory) == []
    error = capsys.readouterr().err
    assert f"donors.csv: {os.strerror(code)}; {remedy}" in error


def command(*argv: str) -> list[str]:
    return [sys.executable, "-m", "penstock.cli", "donors", *argv]


def test_reader_that_has_enough_ends_the_command_quietly() -> None:
    env = {**os.environ, "PYTHONPATH": str(SHARED)}
    with subprocess.Popen(
        command("-o", "-", "--rows", "100000000"), env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == donors.HEADER
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(10) == 141  # as a shell says of a program whose reader has gone


def test_control_c_stops_the_command_and_removes_its_partial_file(directory: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(SHARED)}
    # A shell starts what it runs in the background with SIGINT ignored, and so would the command be.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command("--rows", "100000000"), env=env, stderr=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        give_up = time.monotonic() + 20
        while not names_in(directory) and time.monotonic() < give_up:
            time.sleep(0.01)
        assert names_in(directory)[0].endswith(".part")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.read() == b"penstock donors: interrupted, donors.csv is not written\n"
        assert process.wait(10) == 130
    assert names_in(directory) == []


def test_no_progress_bar_when_nobody_is_watching(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    donors_command.run(options("--rows", "1"))
    assert capsys.readouterr().err == ""


def test_progress_bar_on_a_terminal_counts_rows(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert donors_command.run(options("--rows", "20")) == 0
    assert "/20.0" in terminal.getvalue()
