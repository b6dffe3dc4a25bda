import bz2
import hashlib
import io
import lzma
import struct
import wave
import zlib

import pytest
import zstandard

from .signatures import PATTERNS, PEEK_BYTES, SIGNATURES, compressed_kind

NOISE = hashlib.shake_128(b"noise").digest(600)


@pytest.mark.parametrize("sign", SIGNATURES, ids=lambda sign: f"{sign.kind}-{sign.magic!r}")
def test_what_is_compressed_already_is_known_by_its_first_bytes(sign: tuple[str, bytes, int]) -> None:
    kind, magic, offset = sign
    assert compressed_kind((bytes(offset) + magic + b"the rest of it")[:PEEK_BYTES]) == kind


def mp3(version_and_layer: int, *, frames: int) -> bytes:
    """Frames of 128 kbit/s at 44.1 kHz in MPEG 1, or 64 kbit/s at 22.05 kHz in MPEG 2, as their headers say."""
    length = 417 if version_and_layer == 0xFB else 208
    index = 9 if version_and_layer == 0xFB else 8
    return (bytes((0xFF, version_and_layer, index << 4, 0x44)) + NOISE[: length - 4]) * frames


def adts(*, frames: int, length: int = 371) -> bytes:
    header = bytes((0xFF, 0xF1, 0x50, 0x80 | length >> 11, length >> 3 & 0xFF, (length & 7) << 5 | 0x1F, 0xFC))
    return (header + NOISE[: length - 7]) * frames


def mp2(*, frames: int) -> bytes:
    """384 kbit/s at 48 kHz in MPEG 1, which layer III has not."""
    return (b"\xff\xfd\xe4\x04" + (NOISE * 2)[:1148]) * frames


def ac3(header: bytes, length: int, *, frames: int) -> bytes:
    return (header + (NOISE * 3)[: length - len(header)]) * frames


def transport(packets: int, time: bytes = b"") -> bytes:
    return (time + b"\x47\x40\x00\x10" + NOISE[:184]) * packets


def latm(*, frames: int) -> bytes:
    return (b"\x56\xe1\x2c" + NOISE[:300]) * frames


def avro(codec: bytes | None) -> bytes:
    def text(data: bytes) -> bytes:
        return bytes((len(data) * 2,)) + data

    named = text(b"avro.codec") + text(codec) if codec else b""
    return b"Obj\x01" + (b"\x04" if codec else b"\x02") + text(b"avro.schema") + text(b'"long"') + named + b"\0" + NOISE


AVRO_CODECS = ("deflate", "snappy", "bzip2", "zstandard", "xz")
SKIPPED = struct.pack("<I", 4) + b"abcd"
COMPRESSED = {
    **{f"zstd skippable {low:x}": ("zstd", bytes((0x50 | low,)) + b"\x2a\x4d\x18" + SKIPPED) for low in range(16)},
    "zstd skippable, then data": ("zstd", b"\x50\x2a\x4d\x18" + SKIPPED + zstandard.compress(b"a,b\n")),
    "zstd 0.7": ("zstd", b"\x27\xb5\x2f\xfd" + NOISE),
    "bare JPEG XL": ("JPEG XL", b"\xff\x0a\x7a\x05" + NOISE),
    "JPEG XL in boxes": ("JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0\0\0\x14ftypjxl "),
    "compress": ("compress", b"\x1f\x9d\x90" + NOISE),
    "xz": ("xz", lzma.compress(b"once")),
    "lzma": ("lzma", lzma.compress(b"once", format=lzma.FORMAT_ALONE)),
    "lzma of a known size": ("lzma", b"\x5d" + struct.pack("<IQ", 1 << 23, 1_000_000) + b"\0" + NOISE),
    "bzip2": ("bzip2", bz2.compress(b"once")),
    "zlib 1": ("zlib", zlib.compress(NOISE, 1)),
    "zlib 6": ("zlib", zlib.compress(b"once, twice, thrice" * 9)),
    "zlib 9": ("zlib", zlib.compress(NOISE * 20, 9)),
    "zlib 2": ("zlib", zlib.compress(b"a,b\n1,2\n" * 99, 2)),
    "zlib 5": ("zlib", zlib.compress(NOISE * 20, 5)),
    "LZFSE": ("LZFSE", b"bvx2\x10\x20\x01\x00" + NOISE),
    "LHA": ("LHA", b"\x24\x8c-lh5-" + NOISE),
    "GIF of 1987": ("GIF", b"GIF87a" + struct.pack("<HHBBB", 40, 30, 0x80, 0, 0) + NOISE),
    "GIF": ("GIF", b"GIF89a" + struct.pack("<HHBBB", 40, 30, 0x80, 0, 0) + NOISE),
    **{f"WebP {kind!r}": ("WebP", b"RIFF" + struct.pack("<I", 616) + b"WEBPVP8" + kind + struct.pack("<I", 600) + NOISE)
       for kind in (b" ", b"L", b"X")},
    "WOFF of PostScript": ("WOFF", b"wOFFOTTO" + struct.pack(">IHH", 1000, 9, 0) + NOISE),
    "WOFF2 of PostScript": ("WOFF2", b"wOF2OTTO" + struct.pack(">IHH", 1000, 9, 0) + NOISE),
    "MPEG 1, a pack": ("MPEG", bytes.fromhex("000001ba2100010001801b83") + bytes.fromhex("000001bb") + NOISE),
    "MPEG 2, a pack": ("MPEG", bytes.fromhex("000001ba44000400040100c35ff8") + bytes.fromhex("000001e0") + NOISE),
    "MPEG, a sequence": ("MPEG", bytes.fromhex("000001b316012013ffffe018") + bytes.fromhex("000001b8") + NOISE),
    "QOI": ("QOI", b"qoif" + struct.pack(">II", 40, 30) + b"\x04\x00" + NOISE),
    "FLIF": ("FLIF", b"FLIF\x3412" + NOISE),
    "ACE": ("ACE", b"\x12\x34\x31\0\0\0\x90**ACE**" + NOISE),
    "squashfs": ("squashfs", b"hsqs" + bytes(24) + b"\x04\0\0\0" + NOISE),
    "deb": ("Debian package", b"!<arch>\ndebian-binary   1700000000  0     0     100644  4         `\n2.0\n"
            b"control.tar.xz  1700000000  0     0     100644  500       `\n"),
    "deb by GNU ar": ("Debian package", b"!<arch>\ndebian-binary/  1700000000  0     0     100644  4         `\n2.0\n"
            b"control.tar.zst/1700000000  0     0     100644  500       `\n"),
    "mp4": ("MP4, MOV, HEIC or AVIF", b"\0\0\0\x20ftypisom"),
    **{f"mp4, {box!r} first": ("MP4, MOV, HEIC or AVIF", b"\0\0\0\x10" + box + bytes(8) + b"\0\0\0\x20ftypisom")
       for box in (b"free", b"skip", b"pnot", b"emsg", b"prft")},
    "fragment of mp4": ("MP4, MOV, HEIC or AVIF", b"\0\0\0\x18stypmsdh"),
    "old MOV, index first": ("MP4, MOV, HEIC or AVIF", b"\0\0\x12\x34moov\0\0\0\x6cmvhd"),
    "old MOV, data first": ("MP4, MOV, HEIC or AVIF", b"\x01\x34\x12\x34mdat" + NOISE),
    "old MOV, wide": ("MP4, MOV, HEIC or AVIF", b"\0\0\0\x08wide\0\0\x10\0mdat"),
    "H.264": ("H.264", b"\0\0\0\x01\x67\x64\0\x28" + NOISE),
    "H.265": ("H.265", b"\0\0\0\x01\x40\x01\x0c\x01" + NOISE),
    "H.264, a delimiter first": ("H.264", b"\0\0\0\x01\x09\xf0\0\0\0\x01\x67\x64\0\x28" + NOISE),
    "H.265, a delimiter first": ("H.265", b"\0\0\0\x01\x46\x01\x50\0\0\0\x01\x40\x01\x0c\x01" + NOISE),
    "MPEG 4, a sequence": ("MPEG", bytes.fromhex("000001b001000001b5891300000100") + NOISE),
    "TrueHD": ("TrueHD", b"\xc0\x50\x12\x34\xf8\x72\x6f\xba" + NOISE),
    "AAC in ADIF": ("AAC", b"ADIF\x10\0\x3e\x80" + NOISE),
    "AAC in LATM": ("AAC", latm(frames=3)),
    "DTS of 14 bits": ("DTS", b"\x1f\xff\xe8\0\x07\xf1" + NOISE),
    "DTS of 14 bits, turned": ("DTS", b"\xff\x1f\0\xe8\xf1\x07" + NOISE),
    "squashfs of an older version": ("squashfs", b"hsqs" + bytes(24) + b"\x03\0\x01\0" + NOISE),
    "squashfs in the other order": ("squashfs", b"sqsh" + bytes(24) + b"\0\x03\0\x01" + NOISE),
    "WOFF by Apple": ("WOFF", b"wOFFtrue" + struct.pack(">IHH", 1000, 9, 0) + NOISE),
    "WOFF2 of several fonts": ("WOFF2", b"wOF2ttcf" + struct.pack(">IHH", 1000, 9, 0) + NOISE),
    "ZOO": ("ZOO", b"ZOO 2.10 Archive.\x1a\0\0\xdc\xa7\xc4\xfd" + NOISE),
    "DjVu": ("DjVu", b"AT&TFORM\0\0\x10\0DJVU"),
    "AMR": ("AMR", b"#!AMR\n\x3c" + NOISE),
    "WavPack": ("WavPack", b"wvpk\x10\x20\x01\x00" + NOISE),
    "Monkey's Audio": ("Monkey's Audio", b"MAC \x96\x0f\0\0" + NOISE),
    "Musepack": ("Musepack", b"MPCKSH" + NOISE),
    "True Audio": ("True Audio", b"TTA1\x01\0" + NOISE),
    "Flash": ("Flash", b"CWS\x0a\x10\x20\x01\x00" + NOISE),
    "MP3 without a tag": ("MP3", mp3(0xFB, frames=3)),
    "MP3 of one frame": ("MP3", mp3(0xFB, frames=1)),
    "MP3 of MPEG 2": ("MP3", mp3(0xF3, frames=3)),
    "MP2": ("MP2", mp2(frames=3)),
    "MP2 of one frame": ("MP2", mp2(frames=1)),
    "AC-3": ("AC-3", ac3(b"\x0b\x77\xc1\x14\x14\x40", 768, frames=3)),
    "AC-3 at 44.1 kHz": ("AC-3", ac3(b"\x0b\x77\xc1\x14\x55\x40", 836, frames=2)),
    "E-AC-3": ("AC-3", ac3(b"\x0b\x77\x01\x7f\x34\x87", 768, frames=2)),
    "AAC": ("AAC", adts(frames=3)),
    "MPEG-TS": ("MPEG", transport(5)),
    "MPEG-TS of a camcorder": ("MPEG", transport(5, b"\x0d\x9e\xe2\x02")),
    "MPEG-TS with parity": ("MPEG", b"".join(b"\x47\x40\x00\x10" + NOISE[:200] for _ in range(5))),
    **{f"Avro {codec}": ("Avro", avro(codec.encode())) for codec in AVRO_CODECS},
    "Arrow in lz4": ("Arrow", b"ARROW1\0\0" + bytes(400) + b"\x40\0\0\0\0\0\0\0\x04\x22\x4d\x18" + NOISE),
    "a stream of Arrow in lz4": ("Arrow",
            b"\xff\xff\xff\xff\xa8\0\0\0\x10\0\0\0" + bytes(400) + b"\x04\x22\x4d\x18" + NOISE),
    "Arrow in zstd": ("Arrow", b"ARROW1\0\0" + bytes(400) + b"\x40\0\0\0\0\0\0\0\x28\xb5\x2f\xfd" + NOISE),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "data"), COMPRESSED.values(), ids=COMPRESSED)
def test_what_takes_more_than_equal_bytes_is_known_too(kind: str, data: bytes) -> None:
    assert compressed_kind(data[:PEEK_BYTES]) == kind


def test_every_pattern_is_in_the_table() -> None:
    matched = {kind for kind, _ in COMPRESSED.values()}
    assert {kind for kind, _ in PATTERNS} <= matched


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 44_100, 0, "NONE", ""))
        sound.writeframes(bytes(2000))
    return file.getvalue()


PLAIN = {
    "half a gzip": b"\x1f\x8b",
    "a control character": b"\x1f",
    "PK": b"PK\n",
    "BZh": b"BZh9 is a plate",
    "ID3": b"ID3,ID4\n1,2\n",
    "PAR1": b"PAR1,PAR2\n",
    "WAV": b"RIFF\x10\x00\x00\x00WAVEfmt ",
    "a whole WAV": wav(),
    "AVI": b"RIFF\x10\x00\x00\x00AVI LIST",  # its film may be stored as it is
    "ftyp in words": b"leftype,right\n",
    "moov in words": b"a,b,moov\n",
    "mdat in words": b"some mdat and more",
    "Ogg": b"OggS, a word",
    "GIF in words": b"GIF89a,a format\nPNG,a format\nBMP,another\n",
    "GIF in words beyond ASCII": "GIF87a f\u00fcr alle\n".encode("latin-1"),
    "GIF, and no more": b"GIF89a",
    "WebP in words": b"see our WEBPVP8 page\n",
    "WebP in words behind RIFF": b"RIFFxxxxWEBPVP8 is how it begins\n",
    "ACE in Markdown": b"We are **ACE** Hardware, your shop.\n" * 200,
    "LHA in words": b"DE-lh2-001,5\nFR-lh2-002,6\n",
    "FLIF with digits in words": b"FLIF40 format notes\n",
    "Musepack in words": b"MPCKSH is a word\n" * 99,
    "WOFF in words": b"wOFFOTTO says hi\n" * 99,
    "WOFF2 in words": b"wOF2OTTO says hi\n" * 99,
    "AMR in words": b"#!AMR\nx\n",
    "bzip2 in words": b"BZh91AY&SY is how it begins\n",
    "numbers that begin like a pack of MPEG": struct.pack(">6I", 442, 1, 2, 3, 4, 5),
    "numbers that begin like a sequence of MPEG": struct.pack(">6I", 435, 1, 2, 3, 4, 5),
    "numbers that begin like MPEG": b"\0\0\1\xba" + bytes(range(256)) * 16,
    "PDF": b"%PDF-1.7",
    "7z": b"7z",
    "lzip": b"LZIP it",
    "rar": b"Rar!",
    "JPEG": b"\xff\xd8",
    "BMP": b"BM\x36\x10\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
    "TIFF": b"II*\0\x08\0\0\0",
    "tar": b"name".ljust(257, b"\0") + b"ustar\x0000",
    "nothing": b"",
    "UTF-16": "\ufeffname,city\n".encode("utf-16-le"),
    "P*M": b"P*M in words",
    "QOI in words": b"qoif is an image format\n",
    "FLIF in words": b"FLIF,name\n",
    "ZOO in words": b"ZOO 2.10 opens at ten\n",
    "TAK in words": b"tBaK,name\n",
    "ACE in words": b"an ACE** of hearts",
    "skippable, but not": b"\x4f\x2a\x4d\x18",
    "skippable, but not either": b"\x60\x2a\x4d\x18",
    "LHA, stored": b"\x24\x8c-lh0-" + NOISE,
    "Flash, stored": b"FWS\x0a\x10\x20\x01\x00" + NOISE,
    "Avro, stored": avro(None),
    "Avro, null": avro(b"null"),
    "Arrow, stored": b"ARROW1\0\0" + bytes(4000),
    "an archive that is no package": b"!<arch>\nlib.o/          0",
    "x and a text": b"x\x01" + b"text " * 100,
    "x^2": b"x^2 + y^2 = z^2\n" * 100,
    "x^2, and no more": b"x^2",
    "numbers that begin like AC-3": struct.pack("<1000H", *[0x770B, *range(9000, 9999)]),
    "numbers that begin like MP2": struct.pack("<1000H", *[0xFDFF, *range(9000, 9999)]),
    "a bracket": b"]" + bytes(3) + b"\x01" + bytes(20),
    "zeros": bytes(PEEK_BYTES),
    "ones": b"\xff" * PEEK_BYTES,
    "numbers": struct.pack("<2000h", *range(-1000, 1000)),
    "numbers that begin like MP3": struct.pack("<1000H", *[0xFBFF, *range(9000, 9999)]),
    "numbers that begin like AAC": struct.pack("<1000H", *[0xF1FF, *range(9000, 9999)]),
    "a word of eight letters": b"ADIF, one of the formats of AAC\n",
    "a stream of Arrow, stored": b"\xff\xff\xff\xff\xa8\0\0\0\x10\0\0\0" + bytes(4000),
    "V and accents": "V\u00e0, a text\n".encode("latin-1") * 50,
    "free in words": b"some free words\n",
    "numbers that begin like a delimiter of H.264": struct.pack(">6I", 1, 0x09100001, 2, 3, 4, 5),
    "letters G": b"G" * PEEK_BYTES,
    "a CSV of fields as wide as packets": (b"G@\0\x10".ljust(187, b"x") + b"\n") * 8,
    "latin-1": "ÿû, a text\n".encode("latin-1") * 50,
}


@pytest.mark.parametrize("data", PLAIN.values(), ids=PLAIN)
def test_what_only_begins_like_something_compressed_is_not_taken_for_it(data: bytes) -> None:
    assert compressed_kind(data[:PEEK_BYTES]) is None


def test_noise_is_hardly_ever_taken_for_something_compressed() -> None:
    noise = hashlib.shake_128(b"more noise").digest(64 * 20_000)
    taken = [compressed_kind(noise[start : start + 64]) for start in range(0, len(noise), 64)]
    assert sum(kind is not None for kind in taken) <= 3


def test_lzma_and_zlib_of_rare_properties_are_not_known() -> None:
    filters = [{"id": lzma.FILTER_LZMA1, "lc": 0, "lp": 2, "pb": 0}]
    assert compressed_kind(lzma.compress(NOISE, format=lzma.FORMAT_ALONE, filters=filters)) is None
    packer = zlib.compressobj(wbits=9)
    assert compressed_kind(packer.compress(NOISE) + packer.flush()) is None
