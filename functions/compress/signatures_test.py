import pytest

from .signatures import PEEK_BYTES, SIGNATURES, compressed_kind


@pytest.mark.parametrize("sign", SIGNATURES, ids=lambda sign: f"{sign.kind}-{sign.magic!r}")
def test_what_is_compressed_already_is_known_by_its_first_bytes(sign: tuple[str, bytes, int]) -> None:
    kind, magic, offset = sign
    assert compressed_kind((bytes(offset) + magic + b"the rest of it")[:PEEK_BYTES]) == kind


@pytest.mark.parametrize(
    "data",
    [
        b"\x1f\x8b",
        b"\x1f",
        b"PK\n",
        b"BZh9 is a plate",
        b"ID3,ID4\n1,2\n",
        b"PAR1,PAR2\n",
        b"RIFF\x10\x00\x00\x00WAVEfmt ",
        b"leftype,right\n",
        b"OggS, a word",
        b"%PDF-1.7",
        b"7z",
        b"LZIP it",
        b"Rar!",
        b"\xff\xd8",
        b"",
    ],
)
def test_what_only_begins_like_something_compressed_is_not_taken_for_it(data: bytes) -> None:
    assert compressed_kind(data[:PEEK_BYTES]) is None
