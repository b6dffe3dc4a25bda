"""The local stack for as long as a block of code runs."""

import contextlib
import os
import resource
from collections.abc import Iterator

from penstock.local.stack import Stack, StackOptions


@contextlib.contextmanager
def running(options: StackOptions) -> Iterator[Stack]:
    """A stack that runs inside the block; raises `ConfigError`."""
    before = os.umask(0o077)  # logs, inbox and objects are for their owner only
    try:
        stack = Stack(options)
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()
    finally:
        os.umask(before)


def raise_file_limit() -> None:
    """The embedded store keeps a file open for each large object."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
