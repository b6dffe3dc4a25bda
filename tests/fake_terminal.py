"""A stream that tests give to what writes for people."""

from __future__ import annotations

import io


class Terminal(io.StringIO):
    """Text that was written to a terminal, or is typed at one."""

    def isatty(self) -> bool:
        return True
