"""LZ4 files unpacked by a library with C code, which takes the input as a file."""

from collections.abc import Iterator

import lz4.frame
from penstock import Context, Event, PermanentError, Result, UnsupportedInput

MAGIC = b"\x04\x22\x4d\x18"
CHUNK_BYTES = 256 * 1024


def handle(event: Event, context: Context) -> Result:
    if event.body.peek(4) != MAGIC:
        raise UnsupportedInput(f"{event.name}: expected an LZ4 frame")
    return Result(unpacked(event), name=event.name.removesuffix(".lz4"))


def unpacked(event: Event) -> Iterator[bytes]:
    try:
        with lz4.frame.open(event.body) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except (RuntimeError, EOFError) as exc:  # what lz4 raises for a damaged file and for one that was cut short
        raise PermanentError(f"{event.name}: cannot be unpacked: {exc}") from exc
