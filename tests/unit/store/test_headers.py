"""What an HTTP header cannot carry is refused before it is sent."""

import pytest
from penstock.errors import PermanentError
from penstock.store.headers import check_headers


def test_what_a_header_can_carry_passes() -> None:
    check_headers("b/k", "text/plain; charset=utf-8", {"camera-model": "Zeiss\t40", "empty": ""})


@pytest.mark.parametrize(
    ("content_type", "metadata"),
    [
        ("text/plain\r\nx: y", {}),
        ("text/plän", {}),
        ("text/plain", {"a b": "1"}),
        ("text/plain", {"": "1"}),
        ("text/plain", {"a": "1\n2"}),
        ("text/plain", {"a": "日本語"}),
    ],
)
def test_what_it_cannot_carry_is_named(content_type: str, metadata: dict[str, str]) -> None:
    with pytest.raises(PermanentError, match=r"b/k: .*an HTTP header cannot carry it"):
        check_headers("b/k", content_type, metadata)
