"""Fake donors as CSV: the test file of the data lake, made by seed and fast enough to make anew each time.

A row is `email,name,type,birthday,state`: an address at one of the domains reserved for examples
(RFC 2606), a name as it is said in the United States, a blood group, a date and a state's full
name; one million rows are 60.8 MB. The header has a space after each comma and the rows have none,
because that is the file readers of the walk-through know.

Same seed, same bytes, on every machine and every Python:

- The random numbers are SHAKE-128 (FIPS 202) of the seed and the number of a block of rows, so no
  library's choice of generator or of rounding comes into it. The first N rows are the same for any
  total, and a block can be made without those before it.
- The names are the package's own lists. Faker's tables may change in any release, which would silently
  change what a seed gives, and to import them takes 0.3 s where a million rows take 1.3.
- Weights are integers, built with square roots only: IEEE 754 rounds those alike everywhere, but not powers.

What is Faker's is the shape: as many names, weights of the same entropy, and the same forms of name
and address, so that the file compresses as Faker's does. `bench/donors_vs_faker.py` measures both.
"""

import contextlib
import errno
import os
import secrets
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from hashlib import shake_128
from itertools import accumulate
from math import sqrt
from operator import getitem
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeVar

from penstock.local.demo.donor_names import FEMALE, LAST, MALE, STATES

HEADER: Final = b"email, name, type, birthday, state\n"
DEFAULT_ROWS: Final = 1_000_000

BLOOD_GROUPS: Final = ("A+", "A-", "AB+", "AB-", "B+", "B-", "O+", "O-")
LAST_BIRTHDAY: Final = date(2007, 12, 31)
BIRTHDAYS: Final = 32_768  # days: half of what a 16-bit draw can tell apart, so each is exactly as likely

_DOMAINS: Final = ("example.com", "example.net", "example.org")

# Shares as in Faker's en_US names, in thousandths: a title before 20 of 1010 names, a suffix after 25.
_FORMS: Final = {(False, False): 970, (True, False): 15, (False, True): 20, (True, True): 5}
_TITLES_MALE: Final = {"Mr. ": 7, "Dr. ": 3}
_TITLES_FEMALE: Final = {"Mrs. ": 5, "Ms. ": 1, "Miss ": 1, "Dr. ": 3}
_SUFFIXES_MALE: Final = {
    "Jr.": 40, "II": 10, "III": 6, "IV": 3, "V": 1, "MD": 60, "DDS": 40, "PhD": 20, "DVM": 20,
}  # fmt: skip
_SUFFIXES_FEMALE: Final = {"MD": 5, "DDS": 3, "PhD": 1, "DVM": 2}

_T = TypeVar("_T")
_STREAM: Final = "penstock donors 1"  # names the random stream; another number for other bytes
_BLOCK_ROWS: Final = 10_000
_WORD: Final = 1 << 16
_BYTE: Final = 1 << 8
_WORDS: Final = 10  # 16-bit draws a row, the last two of them read as four single bytes
_PIECES: Final = 10  # strings a row is joined from


def donor_chunks(rows: int, *, seed: int = 0, rows_per_chunk: int = _BLOCK_ROWS) -> Iterator[bytes]:
    """Yield a CSV file of `rows` donors in pieces of whole lines; the first starts with the header.

    The pieces join to the same bytes for any `rows_per_chunk`, and memory does not grow with
    `rows`. Lines are ASCII and end with a line feed. Raises ValueError for a negative `rows` or
    a `rows_per_chunk` below one.

    >>> print(b"".join(donor_chunks(2, seed=7)).decode(), end="")
    email, name, type, birthday, state
    ginajennings@example.org,Donald Riley,B+,1937-01-30,New York
    wilsonleslie@example.org,Richard Watts,B-,2007-05-02,Alaska
    """
    if rows < 0:
        raise ValueError(f"rows: expected 0 or more, got {rows}")
    if rows_per_chunk < 1:
        raise ValueError(f"rows_per_chunk: expected 1 or more, got {rows_per_chunk}")
    return _chunks(rows, seed, rows_per_chunk)


def write_donors(
    target: Path | BinaryIO,
    rows: int = DEFAULT_ROWS,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
) -> int:
    """Write `rows` donors to a file or a buffered binary stream and return the number of bytes written.

    A file appears under its name only when it is complete: until then it is a hidden `.part` file
    beside it, which is removed if anything goes wrong, an interrupt included. A device or a named
    pipe is written to as it is. `progress` is called with the number of rows just written.
    Raises ValueError for a negative `rows`, OSError when the target cannot be written.
    """
    chunks = donor_chunks(rows, seed=seed)
    if not isinstance(target, Path):
        return _copy(chunks, target, rows, progress)
    with _whole_file(target) as stream:
        return _copy(chunks, stream, rows, progress)


class _Tables(NamedTuple):
    """What each draw of a row stands for. `firsts` and the like hold, for each draw, the table of the next one."""

    lefts: list[list[str]]
    rights: list[list[str]]
    domains: list[str]
    titles: list[str]
    firsts: list[list[str]]
    lasts: list[str]
    suffixes: list[list[str]]
    groups: list[str]
    birthdays: list[str]
    states: list[str]


def _chunks(rows: int, seed: int, rows_per_chunk: int) -> Iterator[bytes]:
    head, pending, step = HEADER, list[str](), rows_per_chunk * _PIECES
    for block, start in enumerate(range(0, rows, _BLOCK_ROWS)):
        pending += _pieces(seed, block, min(_BLOCK_ROWS, rows - start))
        whole = len(pending) // step * step
        for at in range(0, whole, step):
            yield head + "".join(pending[at : at + step]).encode("ascii")
            head = b""
        del pending[:whole]
    if pending or head:
        yield head + "".join(pending).encode("ascii")


def _pieces(seed: int, block: int, rows: int) -> list[str]:
    """Return the first `rows` rows of a block as `_PIECES` strings each.

    Every step is one C loop over a column, with no Python code that runs per row: that is where the speed is from.
    """
    drawn = shake_128(f"{_STREAM} {seed} {block}".encode()).digest(rows * _WORDS * 2)
    words = array("H", drawn)
    if sys.byteorder == "big":
        words.byteswap()
    left, right, domain, style, first, last, birthday, state = (words[column::_WORDS] for column in range(8))
    form, suffix, group = (drawn[column :: _WORDS * 2] for column in range(16, 19))

    tables = name_tables()
    pieces = [""] * (rows * _PIECES)
    pieces[0::_PIECES] = map(getitem, map(tables.lefts.__getitem__, form), left)
    pieces[1::_PIECES] = map(getitem, map(tables.rights.__getitem__, form), right)
    pieces[2::_PIECES] = map(tables.domains.__getitem__, domain)
    pieces[3::_PIECES] = map(tables.titles.__getitem__, style)
    pieces[4::_PIECES] = map(getitem, map(tables.firsts.__getitem__, style), first)
    pieces[5::_PIECES] = map(tables.lasts.__getitem__, last)
    pieces[6::_PIECES] = map(getitem, map(tables.suffixes.__getitem__, style), suffix)
    pieces[7::_PIECES] = map(tables.groups.__getitem__, group)
    pieces[8::_PIECES] = map(tables.birthdays.__getitem__, birthday)
    pieces[9::_PIECES] = map(tables.states.__getitem__, state)
    return pieces


@cache
def name_tables() -> _Tables:
    # The offsets give each list the entropy of Faker's weights for it: 7.11, 7.72 and 9.21 bits a name.
    male, female = _falling(len(MALE), offset=25, power=1), _falling(len(FEMALE), offset=48, power=1)
    last = _falling(len(LAST), offset=4, power=0)

    login_firsts = _spread(
        [name.lower() for name in (*MALE, *FEMALE)],
        [weight * sum(female) for weight in male] + [weight * sum(male) for weight in female],
    )
    login_lasts = _spread([name.lower() for name in LAST], last)
    letters = _spread([chr(letter) for letter in range(ord("a"), ord("z") + 1)])
    numbers = _spread([f"{number:02d}" for number in range(100)])
    logins = _spread(
        [(login_lasts, login_firsts), (login_firsts, login_lasts), (login_firsts, numbers), (letters, login_lasts)],
        size=_BYTE,
    )

    plain = [","] * _BYTE
    styles: dict[tuple[str, int, bool], int] = {}
    firsts, suffixes = [_spread(MALE, male), _spread(FEMALE, female)], [plain, plain]
    for sex, (titles, endings) in enumerate(((_TITLES_MALE, _SUFFIXES_MALE), (_TITLES_FEMALE, _SUFFIXES_FEMALE))):
        suffixes[sex] = _spread([f" {ending}," for ending in endings], list(endings.values()), _BYTE)
        for (titled, suffixed), share in _FORMS.items():
            for title, weight in (titles if titled else {"": sum(titles.values())}).items():
                styles[title, sex, suffixed] = share * weight
    style = _spread(list(styles), list(styles.values()))

    first_day = LAST_BIRTHDAY - timedelta(days=BIRTHDAYS - 1)
    return _Tables(
        lefts=[left for left, _ in logins],
        rights=[right for _, right in logins],
        domains=_spread([f"@{domain}," for domain in _DOMAINS]),
        titles=[title for title, _, _ in style],
        firsts=[firsts[sex] for _, sex, _ in style],
        lasts=_spread([f" {name}" for name in LAST], last),
        suffixes=[suffixes[sex] if suffixed else plain for _, sex, suffixed in style],
        groups=_spread([f"{group}," for group in BLOOD_GROUPS], size=_BYTE),
        birthdays=_spread([f"{first_day + timedelta(days=day)}," for day in range(BIRTHDAYS)]),
        states=_spread([f"{state}\n" for state in STATES]),
    )


def _falling(count: int, *, offset: int, power: int) -> list[int]:
    """Return Zipf and Mandelbrot's weights: (place + offset) to the minus `power` and three quarters, scaled."""
    return [int(2**40 / (x**power * sqrt(x) * sqrt(sqrt(x)))) for x in range(offset, offset + count)]


def _spread(values: Sequence[_T], weights: Sequence[int] | None = None, size: int = _WORD) -> list[_T]:
    """Return a table of `size` entries in which each value has its share, so that one uniform index draws it."""
    ends = list(accumulate(weights or [1] * len(values)))
    table: list[_T] = []
    for value, end in zip(values, ends, strict=True):
        table += [value] * (end * size // ends[-1] - len(table))
    return table


@contextlib.contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    if path.exists() and not path.is_file() and not path.is_dir():
        with path.open("wb") as stream:  # a device or a named pipe: there is nothing to rename
            yield stream
        return
    path = path.resolve()  # a link stays a link: what it points at is replaced
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as stream:
            yield stream
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _copy(chunks: Iterator[bytes], stream: BinaryIO, rows: int, progress: Callable[[int], object] | None) -> int:
    size_bytes = 0
    for at, chunk in enumerate(chunks):
        size_bytes += stream.write(chunk)
        if progress is not None:
            progress(min(_BLOCK_ROWS, rows - at * _BLOCK_ROWS))
    return size_bytes
