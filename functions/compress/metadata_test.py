"""What the target says of its source: content type, name and metadata."""

from urllib.parse import unquote

import pytest
from penstock.testing import run

from .handler import handle


def test_the_target_keeps_metadata_content_type_and_name() -> None:
    metadata = {"team": "blood bank", "original-name": "older"}
    result = run(handle, b"x", name="donors.csv", content_type="text/csv; charset=utf-8", metadata=metadata)
    assert result.content_type == "application/gzip"
    assert result.name == "donors.csv.gz"
    assert result.metadata == {
        "team": "blood bank",
        "original-name": "donors.csv",
        "original-content-type": "text/csv; charset=utf-8",
    }


def test_zstd_says_so_in_type_and_name() -> None:
    result = run(handle, b"x", name="donors.csv", format="zstd")
    assert (result.content_type, result.name) == ("application/zstd", "donors.csv.zst")


@pytest.mark.parametrize(
    "name", ["日本語.csv", "line\nbreak.csv", "100 %.csv", "a&b?c#d+e'f\".csv", "März.csv", "\x7f"]
)
def test_a_name_of_any_characters_fits_a_header_and_comes_back(name: str) -> None:
    stored = run(handle, b"x", name=name).metadata["original-name"]
    assert stored.isascii()
    assert stored.isprintable()
    assert stored.strip() == stored
    assert unquote(stored) == name


def test_a_content_type_of_any_characters_fits_a_header() -> None:
    stored = run(handle, b"x", content_type="text/plain; name=日本\n").metadata["original-content-type"]
    assert stored.isascii()
    assert stored.isprintable()


def test_a_name_too_long_for_metadata_is_left_out_of_it() -> None:
    result = run(handle, b"x", name="日" * 300)
    assert "original-name" not in result.metadata
    assert result.name == "日" * 300 + ".gz"


def test_a_nameless_input_has_a_nameless_result() -> None:
    assert run(handle, b"x", name="").name is None
