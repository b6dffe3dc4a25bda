"""docs/licences.md has every package that an image ships, each under a licence that is permitted."""

import pytest

from tests.licences import PAGE, PERMITTED, is_permitted, page_with, shipped, table
from tests.paths import ROOT


def test_the_page_has_the_packages_of_the_locks_and_their_licences() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_with(table()), "run make licences"
    assert len(shipped()) > 25


def test_every_licence_is_known_and_permitted() -> None:
    assert {each.name: each.licence for each in shipped() if not is_permitted(each.licence)} == {}


@pytest.mark.parametrize(
    "expression", ["", "GPL-3.0-only", "MIT AND AGPL-3.0-only", "(MIT AND GPL-2.0-only) OR SSPL-1.0"]
)
def test_what_is_not_on_the_list_is_not_permitted(expression: str) -> None:
    assert not is_permitted(expression)


def test_one_permitted_alternative_is_enough() -> None:
    assert is_permitted("EPL-2.0 OR BSD-3-Clause")
    assert is_permitted("MPL-2.0 AND (Apache-2.0 OR MIT)")
    assert not {"GPL-3.0-only", "AGPL-3.0-only"} & PERMITTED


def test_the_notice_names_the_library_under_the_lgpl() -> None:
    lgpl = {each.name for each in shipped() if "LGPL" in each.licence}
    assert lgpl == {"pyvips-binary"}
    assert "libvips" in (ROOT / "NOTICE").read_text(encoding="utf-8")
