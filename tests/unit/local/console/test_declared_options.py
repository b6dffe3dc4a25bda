"""Options as a handler's source text declares them, which nothing runs."""

from pathlib import Path

import pytest
from penstock.local.console.declared_options import DeclaredOption, declared_options

from tests.paths import ROOT

HANDLER = """
from penstock import option
from .shapes import FITS
raise SystemExit("a page must not run this")

LIMIT = 9

class Options:
    width: int | None = option(None, "pixels", ge=1, le=LIMIT)
    fit: str = option("inside", "how it meets the box", choices=FITS)
    made: str = option("a", "computed", choices=other())
    level: int = option(2, help="how hard", ge=0)
    plain: bool = option(False, "whether")
    not_an_option: int = 3
"""


def test_options_are_read_without_running_anything(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(HANDLER)
    (tmp_path / "shapes.py").write_text('FITS = {"inside": 1, "cover": 2}\n')

    assert declared_options(tmp_path) == [
        DeclaredOption("width", "int | None", "None", "pixels", "1 to 9"),
        DeclaredOption("fit", "str", "inside", "how it meets the box", "inside, cover"),
        DeclaredOption("made", "str", "a", "computed", "see handler.py"),
        DeclaredOption("level", "int", "2", "how hard", "0 or more"),
        DeclaredOption("plain", "bool", "False", "whether", ""),
    ]


@pytest.mark.parametrize("text", [None, "def (", "\0"])
def test_a_handler_that_cannot_be_read_has_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "handler.py").write_text(text)
    assert declared_options(tmp_path) == []


@pytest.mark.parametrize("name", ["compress", "resize", "index"])
def test_every_option_of_the_functions_is_shown_with_its_meaning(name: str) -> None:
    found = declared_options(ROOT / "functions" / name)
    source = (ROOT / "functions" / name / "handler.py").read_text(encoding="utf-8")
    assert len(found) == source.count("= option(")
    assert all(each.meaning for each in found)
    assert [each.name for each in found if "handler.py" in each.accepts] == []


def test_choices_put_together_of_constants_are_shown(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(
        "from . import kinds as k\n"
        "from .places import ALL\n"
        "class Options:\n"
        '    kind: str = option("keep", "what", choices=("keep", *k.WRITTEN))\n'
        '    place: str = option("north", "where", choices=ALL)\n'
        '    text: str = option("a", "odd", choices=("a", *"bc"))\n'
    )
    (tmp_path / "kinds.py").write_text('WRITTEN = {"jpeg": "image/jpeg", "png": "image/png"}\n')
    (tmp_path / "places.py").write_text('NAMED = {"north": 1}\nSMART = ("entropy",)\nALL = (*NAMED, *SMART)\n')

    assert [each.accepts for each in declared_options(tmp_path)] == [
        "keep, jpeg, png",
        "north, entropy",
        "see handler.py",
    ]
