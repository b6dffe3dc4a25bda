"""What the tests compress: a table, and ways to cut it."""

import itertools
import random
from collections.abc import Iterator
from functools import cache

_STATES = ("Alaska", "Iowa", "Maine", "New York", "Ohio", "Texas", "Utah", "Vermont")
_SYLLABLES = ("an", "bel", "cor", "da", "el", "fin", "gra", "ha", "il", "jo", "ka", "lin", "mar", "no", "ro", "sa")


@cache
def csv(size: int) -> bytes:
    """The first `size` bytes of one table: mail addresses, names, days and states, the same at every call."""
    draw, lines, have = random.Random(1), [b"email, name, birthday, state\n"], 0
    while have < size:
        name = " ".join("".join(draw.choices(_SYLLABLES, k=draw.randint(2, 3))).capitalize() for _ in range(2))
        day = f"{draw.randint(1930, 2008)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"
        mail = f"{name.replace(' ', '').lower()}{draw.randint(1, 999)}@example.org"
        lines.append(f"{mail},{name},{day},{draw.choice(_STATES)}\n".encode())
        have += len(lines[-1])
    return b"".join(lines)[:size]


def cut(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    """The same bytes in chunks of these sizes, over and over."""
    start = 0
    for size in itertools.cycle(sizes):
        if start >= len(data):
            return
        yield data[start : start + size]
        start += size
