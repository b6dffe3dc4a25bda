"""The local stack for as long as a block of code runs."""

import contextlib
import os
import resource
from collections.abc import Iterator

from penstock.local.stack import Stack, StackOptions
from penstock.local.stack_folder import take_away


@contextlib.contextmanager
def running(options: StackOptions) -> Iterator[Stack]:
    """A stack that runs inside the block; raises `ConfigError`, and leaves no folder of a start that failed."""
    before = os.umask(0o077)  # logs, inbox and objects are for their owner only
    is_new, has_started = not options.data.exists(), False
    try:
        stack = Stack(options)
        try:
            stack.start()
            has_started = True
            yield stack
        finally:
            stack.stop()
    finally:
        if is_new and not has_started:
            take_away(options.data)
        os.umask(before)


def raise_file_limit() -> None:
    """The embedded store keeps a file open for each large object."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
