"""What librdkafka logs, at a rate that a person can read."""

import logging
import time
from collections.abc import Callable

QUIET_SECONDS = 30.0


def librdkafka_logger() -> logging.Logger:
    """The logger to give to a client of librdkafka: at most one warning of each kind in `QUIET_SECONDS`."""
    logger = logging.getLogger("penstock.librdkafka")
    if not any(isinstance(each, OnePerKind) for each in logger.filters):
        logger.addFilter(OnePerKind())
    return logger


class OnePerKind(logging.Filter):
    """Passes one warning or error of each kind in `QUIET_SECONDS`, and says how many it left out since.

    While a broker is away librdkafka logs the same failure some ten times a second. Its kind is the first word that it
    logs: FAIL, REQTMOUT, MAXPOLL. Messages below a warning pass: they come only if a debug setting asks for them.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._quiet_until: dict[object, float] = {}
        self._left_out: dict[object, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        kind = record.args[0] if isinstance(record.args, tuple) and record.args else record.msg
        now = self._clock()
        if now < self._quiet_until.get(kind, 0.0):
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False
        self._quiet_until[kind] = now + QUIET_SECONDS
        if left_out := self._left_out.pop(kind, 0):
            record.msg = f"{record.getMessage()} ({left_out} more {kind} left out)"
            record.args = ()
        return True
