"""The shell blocks of the README's section on direct calls run as they are printed, on other ports."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.paths import ROOT
from tests.shell_blocks import run_block

SECTION = re.search(r"^## Call a function directly\n(.*?)^## ", (ROOT / "README.md").read_text(), re.S | re.M)
BLOCKS = re.findall(r"^```sh\n(.*?)^```", SECTION.group(1) if SECTION else "", re.S | re.M)


def test_the_section_has_a_block_for_each_function() -> None:
    assert [re.findall(r"functions/(\w+)", block) for block in BLOCKS] == [["compress"], ["resize"], ["index"]]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: re.findall(r"functions/(\w+)", block)[0])
def test_a_block_of_the_readme_runs(block: str, tmp_path: Path) -> None:
    (tmp_path / "functions").symlink_to(ROOT / "functions")
    Image.effect_mandelbrot((800, 600), (-2, -1.5, 1, 1.5), 60).convert("RGB").save(tmp_path / "photo.jpg")
    run_block(block, tmp_path)
    if "small.webp" in block:
        with Image.open(tmp_path / "small.webp") as picture:
            assert (picture.format, picture.size) == ("WEBP", (320, 240))
