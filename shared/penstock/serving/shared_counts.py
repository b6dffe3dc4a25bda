"""What several workers of one function counted. Any of them can be scraped for all.

prometheus_client's own way for several processes is not used: it keeps one file for each process and metric type in a
folder, which an operator must make, empty and keep writable, and it needs the library imported at the start.
"""

import mmap
import struct
import time
import zlib

from penstock.process.metrics import Counts

PLACE_BYTES = 16 * 1024  # the labels are few: 2 KiB are in use
_LOOKS = 100
_PAUSE_SECONDS = 0.0001  # a write takes a microsecond, and more if its processor was taken away in the middle
_HEAD = struct.Struct("<II")  # length and CRC-32 of the JSON after it


class SharedCounts:
    """Memory that a server and its workers share, with a place for each worker's counts; made before they are forked.

    There is no lock: a killed worker would hold it for ever. A checksum tells what was read while it was written.
    `memory` is for tests; by default it is anonymous memory that a fork shares.
    """

    def __init__(self, places: int, memory: mmap.mmap | bytearray | None = None) -> None:
        self.places = places
        self._memory = memory if memory is not None else mmap.mmap(-1, places * PLACE_BYTES)

    def write(self, place: int, counts: Counts) -> None:
        """Publish the counts of one worker; raises `ValueError` for more than fits."""
        text = counts.dump()
        if _HEAD.size + len(text) > PLACE_BYTES:
            raise ValueError(f"{len(text)} bytes of counts; at most {PLACE_BYTES - _HEAD.size}")
        start = place * PLACE_BYTES
        data = _HEAD.pack(len(text), zlib.crc32(text)) + text
        self._memory[start : start + len(data)] = data

    def read(self, place: int) -> Counts | None:
        """What the worker at this place published last; None for nothing, or if it was killed while it wrote."""
        start = place * PLACE_BYTES
        for _ in range(_LOOKS):
            length, checksum = _HEAD.unpack_from(self._memory, start)
            if not length:
                return None
            first = start + _HEAD.size
            text = bytes(self._memory[first : first + min(length, PLACE_BYTES - _HEAD.size)])
            if zlib.crc32(text) == checksum:
                return Counts.load(text)
            time.sleep(_PAUSE_SECONDS)
        return None

    def all(self) -> Counts:
        """What all workers counted since the server's start, also those that have ended."""
        total = Counts()
        for place in range(self.places):
            counts = self.read(place)
            if counts is not None:
                total.include(counts)
        return total
