from collections.abc import Callable

import lz4.frame
import pytest
from penstock import PermanentError, UnsupportedInput
from penstock.testing import Lake, run

from .handler import handle

TEXT = b"the same line again\n" * 50_000


def test_what_was_packed_comes_back() -> None:
    made = run(handle, lz4.frame.compress(TEXT), name="notes.txt.lz4")
    assert made.data == TEXT
    assert made.name == "notes.txt"


def test_other_files_are_refused() -> None:
    with pytest.raises(UnsupportedInput, match=r"notes\.txt: expected an LZ4 frame"):
        run(handle, TEXT, name="notes.txt")


@pytest.mark.parametrize("damage", [lambda packed: packed[:-20], lambda packed: packed[:100] + b"x" * len(packed)])
def test_damaged_file_leaves_no_target(damage: Callable[[bytes], bytes]) -> None:
    packed = lz4.frame.compress(TEXT, content_checksum=True)
    with pytest.raises(PermanentError, match="cannot be unpacked"):
        run(handle, damage(packed))
    lake = Lake(handle, sink="s3://processed/{stem}")
    assert lake.put("notes.txt.lz4", damage(packed)).kind == "refused"
    assert lake.outputs() == {}
