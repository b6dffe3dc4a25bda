"""What the tests of rendering share."""

from functools import partial
from pathlib import Path

import pytest

from tests.rendering import Render, render_one


@pytest.fixture
def rendered(tmp_path: Path) -> Render:
    """Renders one function; see `render_one`."""
    return partial(render_one, tmp_path)
