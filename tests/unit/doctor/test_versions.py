"""Packages of the extras that are not installed."""

from __future__ import annotations

import pytest
from penstock.doctor import versions


def test_only_what_is_missing_of_an_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [
        "flask>=3",
        'pyyaml<7,>=6; extra == "stack"',
        "penstock[stack]; extra == 'cli'",
        'surely-not-there[x]>=1; extra == "cli"',
        'tqdm<5,>=4.67; extra == "cli"',
    ]
    monkeypatch.setattr(versions, "requires", lambda _package: asked)
    assert versions.missing_of("stack") == []
    assert versions.missing_of("cli") == ["surely-not-there"]


def test_versions_are_the_first_finding() -> None:
    first, *_ = versions.examine_versions()
    assert first.grade.value == "good"
    assert first.text.startswith("penstock ")
