"""What several workers of one function counted, for whichever of them is scraped.

Not prometheus_client's own way for several processes: it keeps a file per process and metric type in a folder that
somebody has to make, empty and find writable, and needs the library imported at the start.
"""

import mmap
import struct
import time
import zlib

from penstock.process.metrics import Counts


class Board:
    """Memory that a server and its workers share, with a place for each worker's counts; made before they are forked.

    Nobody waits for a lock that a killed worker still holds: a checksum tells what was read while it was written.
    """

    PLACE_BYTES = 16 * 1024  # the labels are few: 2 KiB are in use
    _LOOKS = 100
    _PAUSE_SECONDS = 0.0001  # a write takes a microsecond, and more if its processor was taken away in the middle
    _HEAD = struct.Struct("<II")  # length and CRC-32 of the JSON after it

    def __init__(self, places: int) -> None:
        self.places = places
        self._memory = mmap.mmap(-1, places * self.PLACE_BYTES)

    def write(self, place: int, counts: Counts) -> None:
        """Publish; raises `ValueError` for more than fits."""
        text = counts.dump()
        if self._HEAD.size + len(text) > self.PLACE_BYTES:
            raise ValueError(f"{len(text)} bytes of counts; at most {self.PLACE_BYTES - self._HEAD.size}")
        start = place * self.PLACE_BYTES
        data = self._HEAD.pack(len(text), zlib.crc32(text)) + text
        self._memory[start : start + len(data)] = data

    def read(self, place: int) -> Counts | None:
        """What the worker at this place published last; None for nothing, and when it was killed while it wrote."""
        start = place * self.PLACE_BYTES
        for _ in range(self._LOOKS):
            length, checksum = self._HEAD.unpack_from(self._memory, start)
            if not length:
                return None
            first = start + self._HEAD.size
            text = self._memory[first : first + min(length, self.PLACE_BYTES - self._HEAD.size)]
            if zlib.crc32(text) == checksum:
                return Counts.load(text)
            time.sleep(self._PAUSE_SECONDS)
        return None

    def all(self) -> Counts:
        """What all workers counted since the server's start, those that have ended among them."""
        total = Counts()
        for place in range(self.places):
            counts = self.read(place)
            if counts is not None:
                total.include(counts)
        return total
