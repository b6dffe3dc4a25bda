"""Each changed event at every way in: `make test` takes a third of them (tests/unit/events/test_any_member.py)."""

from __future__ import annotations

import pytest

from tests.unit.events.test_any_member import NAMES, WAYS, read_changed


@pytest.mark.parametrize("name", NAMES)
def test_any_member_may_be_any_json_at_every_way_in(name: str) -> None:
    assert read_changed(name, one_of=1) == set(WAYS)
