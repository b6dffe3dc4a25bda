"""One heap for all threads, from the start on: imported before any of them exists.

glibc gives threads heaps of their own, and libvips has a thread for every picture: what one heap has free, another
cannot use, and memory grows with the number of pictures done. One heap for all halves the peak and costs no time.
"""

import ctypes
from typing import Final

_M_ARENA_MAX: Final = -8  # malloc.h
_mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # only glibc has it
if _mallopt is not None:
    _mallopt(_M_ARENA_MAX, 1)
