"""The tree in docs/architecture.md is the tree on disk."""

import re
from pathlib import Path

from tests.paths import DOCS, ROOT

PACKAGE = ROOT / "shared" / "penstock"
TEXT = (DOCS / "architecture.md").read_text(encoding="utf-8")


def drawn() -> dict[str, set[str]]:
    """What the page names at the root of the package, and below each folder."""
    block = TEXT.partition("shared/penstock/ ")[2].partition("\n    stack.yml ")[0]
    found: dict[str, set[str]] = {}
    last = ""
    for line in block.splitlines()[1:]:
        if entry := re.fullmatch(r" {8}(\S+) +\S.*", line):
            last = entry[1]
            found[last] = set()
        else:
            found[last] |= set(line.split())
    return found


def on_disk(folder: Path) -> set[str]:
    folders = {f"{path.name}/" for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"}
    return folders | {path.stem for path in folder.glob("*.py") if path.stem != "__init__"}


def test_the_page_names_what_is_at_the_root_of_the_package() -> None:
    assert {name.removesuffix(".py") for name in drawn()} == on_disk(PACKAGE)


def test_the_page_names_the_modules_of_every_folder() -> None:
    listed = {name: modules for name, modules in drawn().items() if name.endswith("/")}
    assert listed == {name: on_disk(PACKAGE / name) for name in listed}
    assert len(listed) > 15


def test_the_files_that_answer_questions_are_there_and_have_the_names() -> None:
    table = TEXT.partition("Where to look first")[2].partition("\n## ")[0]
    answers = [row.split("|")[2] for row in table.splitlines() if row.startswith("| ") and "`" in row]
    assert len(answers) >= 6
    for answer in answers:
        named = re.findall(r"`([a-z_/]+/[a-z_]+\.py)`", answer)
        files = [(ROOT if name.startswith("functions/") else PACKAGE) / name for name in named]
        assert files, answer
        assert [str(file) for file in files if not file.is_file()] == []
        text = "".join(file.read_text(encoding="utf-8") for file in files)
        functions = re.findall(r"`([a-z_]+)`(?= and | in `)", answer.partition("`Options`")[0])
        assert [name for name in functions if f"def {name}(" not in text] == []
