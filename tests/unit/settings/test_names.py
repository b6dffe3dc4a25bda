"""Which names a function may have."""

from __future__ import annotations

import pytest
from penstock.settings.names import is_dns_label


@pytest.mark.parametrize("name", ["a", "resize", "resize-2", "2d", "x" * 63])
def test_a_dns_label_is_taken(name: str) -> None:
    assert is_dns_label(name)


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a.b", "x" * 64, "a\n", "é"])
def test_anything_else_is_not(name: str) -> None:
    assert not is_dns_label(name)
