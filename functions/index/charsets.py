"""What encoding a text is in, when nothing declares it.

In this order: a byte order mark, NULs where UTF-16 and UTF-32 have them, escape sequences (ISO 2022, HZ), whether it is
valid UTF-8. All of these are facts. What is left is a guess by the frequency of letters, made by chardetng, which is
Firefox's detector. It was the best of four in a measurement: README.md says how good it is.
"""

import codecs
import re
import unicodedata
from itertools import islice
from typing import NamedTuple

# Control characters that no text has; \t \n \v \f \r and ESC are left out, terminals' logs have that one.
_CONTROLS = bytes(code for code in (*range(32), 127) if code not in b"\t\n\v\f\r\x1b")
_CONTROLS_BUT_DELIMITERS = _CONTROLS.translate(None, b"\x01\x02\x03\x14\x1c\x1d\x1e\x1f")
_BOMS = (  # UTF-32's little-endian mark begins with UTF-16's, so it comes first
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"\x84\x31\x95\x33", "gb18030"),
)
_UTF_16 = ("utf-16-le", "utf-16-be")
_UTF_32 = ("utf-32-le", "utf-32-be")
_ESCAPES = (  # ISO 2022; RFC 1843
    (b"\x1b$)C", "iso-2022-kr"),
    (b"\x1b$B", "iso-2022-jp"),
    (b"\x1b$@", "iso-2022-jp"),
    (b"\x1b(J", "iso-2022-jp"),
    (b"\x1b(I", "iso-2022-jp"),
    (b"~{", "hz"),
)
# The detector names encodings as the WHATWG does. Where its table has more letters than Python's codec of the same
# name, the larger codec reads it.
_CODECS = {
    "shift_jis": "cp932",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "euc-kr": "cp949",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-8859-8-i": "iso8859-8",
    "windows-874": "cp874",
    "x-mac-cyrillic": "mac_cyrillic",
    "macintosh": "mac_roman",
}
_USUAL_NAMES = {"cp874": "windows-874", "cp866": "ibm866"}
# Bytes of one character may look like ASCII in these, so they become UTF-8 before bytes are counted.
_SEVERAL_BYTES = ("utf-16", "utf-32", "shift_jis", "gb", "big5", "euc-", "iso-2022", "hz")
_UKRAINIAN = frozenset(b"\xa4\xa6\xa7\xad\xb4\xb6\xb7\xbd")  # letters in KOI8-U, lines of a box in KOI8-R

# Which share of 2,500 samples in 17 languages was named rightly, by how many bytes they had outside ASCII.
_CONFIDENCE = ((4, 0.85), (8, 0.95), (16, 0.98))
_MOST_CONFIDENCE = 0.99
# Mac Roman and the code pages of DOS, which the detector does not have, come out like that: a sign or a capital letter
# with an accent inside a word.
_LATIN = ("windows-1250", "windows-1252", "windows-1254", "windows-1257", "iso-8859-2")
_CAPITALS = "".join(chr(code) for code in range(0xC0, 0x180) if unicodedata.category(chr(code)) == "Lu")
_SIGNS = (
    "\u0080-\u009f\ufffd\u00a1-\u00a9\u00ab-\u00b1\u00b5\u00b6\u00bb\u00bf"
    "\u0192\u2020-\u2022\u2026\u2030\u201e\u201c\u201d\u20ac\u2122"
)
# It begins with what is rare: so most places are passed fast.
_ODD_WORD = f"[{_SIGNS}{_CAPITALS}](?:(?<=[A-Za-z][{_SIGNS}])|(?<=[a-z].))[a-z]"
_ODD_CONFIDENCE = 0.5
_ASCII = bytes(range(128))
GUESSED_BYTES = 4096  # that are looked at when they have enough letters outside ASCII
_ENOUGH_FOREIGN = 64

# Letters, digits, spaces, ends of lines and usual signs where all code pages of EBCDIC have them (IBM CDRA, set 00640).
_EBCDIC = b"\x05\x0d\x15\x25\x40\x4b\x4c\x4d\x4e\x50\x5c\x5d\x5e\x60\x61\x6b\x6c\x6d\x6e\x6f\x7a\x7d\x7e\x7f" + bytes(
    code
    for start, end in ((0x81, 0x89), (0x91, 0x99), (0xA2, 0xA9), (0xC1, 0xC9), (0xD1, 0xD9), (0xE2, 0xE9), (0xF0, 0xF9))
    for code in range(start, end + 1)
)
_EBCDIC_PARTING = b"\x15\x25\x40\x6b"  # ends of lines, the space and the comma
_LEAST_EBCDIC_BYTES, _MOST_OTHER_SHARE = 16, 0.05

_UTF_7_RUN = rb"\+(?!-)[A-Za-z0-9+/]*+-?"  # RFC 2152
_LEAST_UTF_7_BYTES, _LEAST_UTF_7_RUNS, _MOST_UTF_7_RUNS = 4, 2, 100

# What UTF-8 looks like that was read as windows-1252, or Latin-1, and encoded once more: U+00FC becomes U+00C3 U+00BC.
_TWICE = (
    "[\u00c2-\u00d1][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]"
    "|\u00e2(?:\u20ac|\u0080)[\u0080-\u00bf\u0153\u02dc\u201c\u201d\u2122\u00a6]"
)
_TWICE_IN_WORDS = "(?<=[A-Za-z])\u00c3[\u00a1-\u00bf\u0192\u2030\u0153](?=[a-z])"
_LEAST_TWICE = 2
_FOREIGN = r"[^\x00-\x7f]+"

# Of characters: control, without a meaning, private, half of one.
_STRANGE = ("Cc", "Cn", "Co", "Cs")
_STRANGE_SHARE = 0.005  # numbers of 16 bits that are not text have far more
_SPACES = "\t\n\v\f\r\x1b"
_PLAUSIBLE_CHARS = 256
_PARTING = frozenset(" \t\r\n,;|:.")
_LEAST_WIDE_BYTES = 4
_MOSTLY = 0.7
_LETTERS_TO_DAMAGE = 4  # Chinese in GBK has one by chance where it has four that are no UTF-8


class Encoding(NamedTuple):
    """An encoding by its usual name, and how likely it is: None when that is a fact and no guess."""

    name: str
    confidence: float | None = None

    @property
    def codec(self) -> str:
        """What Python reads it with."""
        return _CODECS.get(self.name, self.name)

    @property
    def has_several_bytes(self) -> bool:
        """Whether a byte below 128 can be a part of another character."""
        return self.name.startswith(_SEVERAL_BYTES)


UTF_8 = Encoding("utf-8")


def text_encoding(head: bytes, *, is_hinted: bool) -> Encoding | None:
    """The encoding of a text by its first bytes, or None for bytes that are not text.

    Few control characters make a text; many are let pass when the name says text, so that a damaged CSV is still read.
    """
    for bom, name in _BOMS:
        if head.startswith(bom):
            return Encoding(name)
    if (declared := _by_structure(head)) is not None:
        return declared
    if is_hinted:  # a logger that lost its power leaves a file with NULs at its end; Hive parts cells by controls
        head = head.rstrip(b"\0")
        controls = len(head) - len(head.translate(None, _CONTROLS_BUT_DELIMITERS))
    else:
        controls = len(head) - len(head.translate(None, _CONTROLS))
    is_unicode = is_utf8(head) or is_mostly_utf8(head)
    share = (0.3 if is_unicode else 0.02) if is_hinted else 0.0  # of random bytes, a tenth are
    if controls > len(head) * share:
        return None
    if is_unicode:
        return UTF_8
    return None if _is_ebcdic(head) else guess(head)


def _is_ebcdic(head: bytes) -> bool:
    """Whether this is text of a mainframe, which is not read: the detector would take it for Chinese."""
    if len(head) < _LEAST_EBCDIC_BYTES or len(head.translate(None, _EBCDIC)) > len(head) * _MOST_OTHER_SHARE:
        return False
    return any(code in head for code in _EBCDIC_PARTING)


def is_utf8(head: bytes) -> bool:
    """Whether these bytes, perhaps cut inside a character, are valid UTF-8."""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return True


def is_mostly_utf8(sample: bytes, *, before: int = 0) -> bool:
    """Whether so many letters are UTF-8, with `before` that came earlier, that the rest is damage."""
    text = _decoded(sample, "utf-8")
    damaged = text.count("\ufffd")
    letters = len(text) - len(text.encode("ascii", "ignore")) - damaged
    return letters + before >= _LETTERS_TO_DAMAGE * damaged


def looks_like_utf7(head: bytes) -> bool:
    """Whether ASCII has its letters as UTF-7 writes them (`M+APw-ller`), and all that looks like them is one.

    It is not decoded, as in browsers: the format says nowhere that it is meant, and phone numbers may look like it.
    """
    if b"+" not in head or not head.isascii():
        return False
    runs = 0
    for found in islice(re.finditer(_UTF_7_RUN, head), _MOST_UTF_7_RUNS):
        if found.end() == len(head):  # it may be cut
            break
        if not _is_utf7_run(found[0]):
            return False
        runs += 1
    return runs >= _LEAST_UTF_7_RUNS


def _is_utf7_run(run: bytes) -> bool:
    if len(run) < _LEAST_UTF_7_BYTES:  # as nearly all that is none, `A+` or `1+1`
        return False
    try:
        text = run.decode("utf-7")
    except UnicodeDecodeError:
        return False
    letters = text.removeprefix("\ufeff")  # the mark of UTF-7 is one
    are_letters = all(not one.isascii() and unicodedata.category(one)[0] in "LM" for one in letters)
    return are_letters and not run.strip(b"+-").isdigit()


def looks_encoded_twice(text: str) -> bool:
    """Whether all letters outside ASCII in the beginning, or those of some words, are UTF-8 which was encoded again."""
    foreign = "".join(re.findall(_FOREIGN, text[:GUESSED_BYTES]))
    if not foreign:
        return False
    if re.match(_TWICE, foreign) is not None and not re.sub(_TWICE, "", foreign):
        return True
    return len(re.findall(_TWICE_IN_WORDS, text[:GUESSED_BYTES])) >= _LEAST_TWICE  # where only a part of the rows was


def guess(sample: bytes) -> Encoding:
    """The likeliest encoding of bytes that are no UTF-8, with a measured confidence."""
    from chardetng_py import EncodingDetector  # type: ignore[import-untyped]

    start = len(sample) - len(sample.lstrip(_ASCII))
    near = sample[max(start - 2, 0) : start + GUESSED_BYTES]
    foreign = near.translate(None, _ASCII)
    if len(foreign) < _ENOUGH_FOREIGN:
        near, foreign = sample, sample.translate(None, _ASCII)
    detector = EncodingDetector()
    detector.feed(near, last=False)  # a sample may be cut inside a character
    name = detector.guess(tld=None, allow_utf8=False).lower()
    name = _USUAL_NAMES.get(name, name)
    if name == "koi8-u" and not _UKRAINIAN & set(foreign):
        name = "koi8-r"
    if name in _LATIN and re.search(_ODD_WORD, _decoded(near, name)):
        return Encoding(name, _ODD_CONFIDENCE)
    confidence = next((value for most, value in _CONFIDENCE if len(foreign) <= most), _MOST_CONFIDENCE)
    return Encoding(name, confidence)


def _by_structure(head: bytes) -> Encoding | None:
    """UTF-32 and UTF-16 without a mark, ISO 2022 and HZ."""
    if 0 in head and len(head) >= _LEAST_WIDE_BYTES:
        for names, unit in ((_UTF_32, 4), (_UTF_16, 2)):
            nuls, name = max((_wide_nuls(head, name, unit), name) for name in names)
            if nuls:
                return Encoding(name)
    if (0x1B in head or (0x7E in head and b"~{" in head)) and head.isascii():  # one byte is found faster than two
        for escape, name in _ESCAPES:
            if escape in head and "\ufffd" not in _decoded(head, Encoding(name).codec):
                return Encoding(name)
    return None


def _wide_nuls(head: bytes, name: str, unit: int) -> int:
    """How many characters have a NUL for their high byte, as all of ASCII has, or 0 when this is not text.

    A text in any letters has lines, spaces and commas. Read from the wrong end, a line's end is U+0A00,
    which no script has.
    """
    whole = head[: len(head) // unit * unit]
    narrow = head.replace(b"\0", b"")
    # A text in ASCII or UTF-8 with NULs is just as likely, unless nearly each character has them.
    is_mostly = len(head) - len(narrow) >= _MOSTLY * len(head) * (unit - 1) / unit
    if not is_mostly and is_utf8(narrow) and len(narrow.translate(None, _CONTROLS)) == len(narrow):
        return 0
    nuls = whole[unit - 1 if name.endswith("-le") else 0 :: unit].count(0)
    text = _decoded(whole[: _PLAUSIBLE_CHARS * unit], name) if nuls else ""
    strange = sum(char == "\ufffd" or (char not in _SPACES and unicodedata.category(char) in _STRANGE) for char in text)
    is_parted = text.isascii() or not _PARTING.isdisjoint(text)
    return nuls if is_parted and strange <= len(text) * _STRANGE_SHARE else 0


def _decoded(head: bytes, codec: str) -> str:
    """Decode what may be cut inside a character."""
    return codecs.getincrementaldecoder(codec)("replace").decode(head)
