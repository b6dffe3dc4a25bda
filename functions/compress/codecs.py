"""Compress a stream of chunks: gzip with igzip and zlib-ng, and zstd.

Everything here is lazy and ends where the caller stops: a generator that is closed half-way, or whose source
raises, has no trailer written and leaves no thread behind. The same bytes give the same output in any chunks
that they come in: igzip and zlib-ng choose matches by what they have been handed so far, so they are handed blocks
of one size.
"""

import struct
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import cache
from itertools import cycle
from typing import Final, NamedTuple, Protocol, TypeVar

BLOCK_BYTES: Final = 512 * 1024
OUTPUT_BYTES: Final = 64 * 1024

# Parameters and flush modes have the numbers of zlib.h in every library with its interface.
_DEFLATED: Final = 8
_RAW: Final = -15  # no header, and a window of 2**15 bytes
_MEMORY: Final = 9  # the most there is, less than 1 MiB: a little smaller and no slower
_DEFAULT_STRATEGY: Final = 0
_SYNC_FLUSH: Final = 2
_WINDOW_BYTES: Final = 32 * 1024
_END_OF_DEFLATE: Final = b"\x03\x00"  # an empty last block, RFC 1951 section 3.2.6
_FNAME: Final = 8  # the gzip header's flag: a name follows
_UNKNOWN_SYSTEM: Final = 255

Item = TypeVar("Item")
Made = TypeVar("Made")


class Codec(NamedTuple):
    """A library by name, `igzip`, `zlib-ng` or `zstd`, and one of its levels."""

    library: str
    level: int


class Packer(Protocol):
    """A stream being compressed."""

    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self, mode: int = ..., /) -> bytes: ...


class Engine(NamedTuple):
    """A library with the interface of the standard library's zlib; other threads run while it works."""

    compressobj: Callable[..., Packer]
    crc32: Callable[[bytes], int]
    crc32_combine: Callable[[int, int, int], int]


def gzip_chunks(parts: Iterable[bytes], plan: Sequence[Codec], *, name: str = "", threads: int = 1) -> Iterator[bytes]:
    """Yield one gzip member (RFC 1952) with `name` in its header, in chunks of about 64 KiB or more.

    Each block of 512 KiB is compressed by the next codec of `plan`, over and over, with the 32 KiB before it as its
    dictionary. So the bytes are the same for any number of threads, and a plan of two libraries reaches what lies
    between them. It is always one member, because too many readers stop after the first; its time is 0 and its
    system unknown, so the same input gives the same bytes. What `parts` raises passes through.
    """
    return _gathered(_gzip(parts, plan, name, threads))


def zstd_chunks(parts: Iterable[bytes], *, level: int, threads: int = 1) -> Iterator[bytes]:
    """Yield one zstd frame (RFC 8878) with a checksum, in chunks of about 64 KiB or more.

    The frame does not say how long its content is: in a stream that is known only at its end.
    """
    return _gathered(_zstd(parts, level, threads))


def gzip_header(name: str = "") -> bytes:
    """A member's header. It carries the last part of `name` if that can be a file's name in Latin-1.

    RFC 1952 allows Latin-1 only. Names with control characters stay out as well, because `gunzip -N` would make
    files of them.
    """
    name = name.rpartition("/")[2]
    try:
        stored = name.encode("latin-1") if name.isprintable() and name not in ("", ".", "..") else b""
    except UnicodeEncodeError:
        stored = b""
    header = struct.pack("<3sBIBB", b"\x1f\x8b\x08", _FNAME if stored else 0, 0, 0, _UNKNOWN_SYSTEM)
    return header + (stored + b"\0" if stored else b"")


def fixed_blocks(parts: Iterable[bytes], block_bytes: int) -> Iterator[bytes]:
    """Yield the same bytes in blocks of one size, the last one shorter; a part that fits is not copied."""
    pending: list[memoryview] = []
    have = 0
    for part in parts:
        if not have and len(part) == block_bytes:
            yield part
            continue
        view = memoryview(part)
        while len(view):
            taken = view[: block_bytes - have]
            view = view[len(taken) :]
            pending.append(taken)
            have += len(taken)
            if have == block_bytes:
                yield b"".join(pending)
                pending, have = [], 0
    if have:
        yield b"".join(pending)


def in_order(work: Callable[[Item], Made], items: Iterable[Item], threads: int) -> Generator[Made]:
    """Yield `work(item)` in the order of `items`, made by `threads` threads that are never far ahead of the caller."""
    if threads == 1:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="compress")
    waiting: deque[Future[Made]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@cache
def _engine(library: str) -> Engine:
    """Import a library on first use: a start pays only for what it needs, and a small object needs one."""
    if library == "igzip":
        from isal import isal_zlib

        return Engine(isal_zlib.compressobj, isal_zlib.crc32, isal_zlib.crc32_combine)
    from zlib_ng import zlib_ng

    return Engine(zlib_ng.compressobj, zlib_ng.crc32, zlib_ng.crc32_combine)


class _Packed(NamedTuple):
    deflated: bytes
    crc: int
    size: int


def _pack(job: tuple[Codec, bytes, bytes]) -> _Packed:
    """Deflate one block, with what came before it as its dictionary, up to a byte's boundary."""
    codec, block, before = job
    engine = _engine(codec.library)
    packer = engine.compressobj(codec.level, _DEFLATED, _RAW, _MEMORY, _DEFAULT_STRATEGY, before)
    return _Packed(packer.compress(block) + packer.flush(_SYNC_FLUSH), engine.crc32(block), len(block))


def _gzip(parts: Iterable[bytes], plan: Sequence[Codec], name: str, threads: int) -> Generator[bytes]:
    def jobs() -> Iterator[tuple[Codec, bytes, bytes]]:
        before = b""
        for codec, block in zip(cycle(plan), fixed_blocks(parts, BLOCK_BYTES), strict=False):
            yield codec, block, before
            before = block[-_WINDOW_BYTES:]

    combine = _engine(plan[0].library).crc32_combine
    crc = size = 0
    yield gzip_header(name)
    with closing(in_order(_pack, jobs(), threads)) as blocks:
        for packed in blocks:
            crc = combine(crc, packed.crc, packed.size)
            size += packed.size
            yield packed.deflated
    yield _END_OF_DEFLATE + struct.pack("<II", crc, size & 0xFFFFFFFF)


def _zstd(parts: Iterable[bytes], level: int, threads: int) -> Generator[bytes]:
    import zstandard

    packer = zstandard.ZstdCompressor(
        level=level, threads=threads if threads > 1 else 0, write_checksum=True, write_content_size=False
    ).compressobj()
    for block in fixed_blocks(parts, BLOCK_BYTES):
        yield packer.compress(block)
    yield packer.flush()


def _gathered(chunks: Generator[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in chunks of at least `OUTPUT_BYTES`, the last one excepted."""
    pending: list[bytes] = []
    have = 0
    with closing(chunks):
        for chunk in chunks:
            pending.append(chunk)
            have += len(chunk)
            if have >= OUTPUT_BYTES:
                yield b"".join(pending)
                pending, have = [], 0
    if have:
        yield b"".join(pending)
