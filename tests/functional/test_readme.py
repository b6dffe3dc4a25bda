"""The shell blocks on direct calls run as they are printed, on other ports: the README's, and each function's first."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.paths import ROOT
from tests.shell_blocks import run_block

SECTION = re.search(r"^## Call a function directly\n(.*?)^## ", (ROOT / "README.md").read_text(), re.S | re.M)
OWN = SECTION.group(1) if SECTION else ""
BLOCKS = re.findall(r"^```sh\n(.*?)^```", OWN, re.S | re.M)
READMES = sorted((ROOT / "functions").glob("*/README.md"))


def first_block(page: Path) -> str:
    found = re.search(r"^```sh\n(.*?)^```", page.read_text(), re.S | re.M)
    assert found, f"{page}: has no block of commands"
    return found[1]


def test_the_section_has_a_block_for_each_function() -> None:
    assert [re.findall(r"functions/(\w+)", block) for block in BLOCKS] == [["compress"], ["resize"], ["index"]]


@pytest.mark.parametrize(
    "block", [*BLOCKS, *map(first_block, READMES)], ids=lambda block: block.split("serve ")[1][:18]
)
def test_a_block_of_commands_runs(block: str, tmp_path: Path) -> None:
    for name in ("functions", "shared"):
        (tmp_path / name).symlink_to(ROOT / name)
    run_block(block, tmp_path)
    if "small.webp" in block:
        with Image.open(tmp_path / "small.webp") as picture:
            assert (picture.format, picture.size) == ("WEBP", (320, 214))


@pytest.mark.parametrize("page", [ROOT / "README.md", *READMES], ids=lambda page: page.parent.name)
def test_each_curl_of_a_page_fails_with_its_server(page: Path) -> None:
    """A command that another program on the port answers must not look like a success."""
    calls = re.findall(r"curl .*", page.read_text())
    assert calls
    assert [call for call in calls if "--fail" not in call] == []
