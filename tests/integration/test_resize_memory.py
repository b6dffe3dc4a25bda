"""Every kind of picture takes no more memory than was estimated: minutes of encoding, so not in `make test`."""

from pathlib import Path

import pytest

from functions.resize.estimate_test import JOBS, LARGEST, check_largest, over_the_estimate


def test_no_picture_takes_more_than_was_estimated(tmp_path: Path) -> None:
    assert over_the_estimate(tmp_path, (), JOBS) == {}


@pytest.mark.parametrize(("kind", "sides"), LARGEST[1:])
def test_the_largest_that_is_admitted_stays_within_the_shipped_limit(
    tmp_path: Path, kind: str, sides: tuple[int, int]
) -> None:
    check_largest(tmp_path, kind, sides)
