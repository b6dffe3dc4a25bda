"""The error tree: which class is raised decides whether an event is retried or becomes a dead letter.

    PenstockError
    ├── ConfigError                   a deployment that cannot work: found at start, exit code 78
    ├── NothingToDo              200  the input needs no work: recorded, never retried
    ├── PermanentError           422  the same input will fail again: dead letter
    │   ├── EventError           400  the event or request itself is malformed
    │   ├── Forbidden            403  outside what this function may touch
    │   ├── InputTooLarge        413  over a stated limit
    │   ├── Unauthorized         401  the caller sent no token, or a wrong one
    │   └── UnsupportedInput     415  not a format this function reads
    ├── HandlerError             422  a mistake in the function's own code: dead letter, nothing recorded
    └── TemporaryError           503  it may work later: retry, after `retry_after` seconds when given
        ├── RequestTooSlow       408  the caller sent its request too slowly
        ├── SourceChanged             the source was overwritten while it was read
        └── TargetChanged             another process wrote the target meanwhile

Any other exception is a defect: status 500 with an incident id (`failure_of` in serving/responses.py). It is tried
again like a temporary error, and becomes a dead letter after ATTEMPTS (delivery/deliverer.py).

Knative retries 5xx, 404, 408, 409 and 429. It sends any other 4xx to the dead letter sink. So permanent
errors never use these. Exit codes are those of sysexits.h, for one-shot runs in a Job.
"""

import errno
from collections.abc import Sequence
from http import HTTPStatus
from typing import ClassVar, TypeGuard


class PenstockError(Exception):
    """Base of every error Penstock raises on purpose; its text names the subject and the remedy."""

    status: ClassVar[int] = HTTPStatus.INTERNAL_SERVER_ERROR
    exit_code: ClassVar[int] = 70  # EX_SOFTWARE

    def __str__(self) -> str:
        return super().__str__() or f"{type(self).__name__}, raised without a reason"


class ConfigError(PenstockError):
    """A deployment cannot work as configured. It carries every problem found, not just the first.

    To do: change what it names, and start again.
    """

    exit_code = 78  # EX_CONFIG

    def __init__(self, *problems: str) -> None:
        self.problems: Sequence[str] = problems
        super().__init__("\n".join(problems))


class NothingToDo(PenstockError):
    """A handler raises this when the input is fine and needs no work, such as a compressed one. It is recorded.

    To do: nothing.
    """

    status = HTTPStatus.OK
    exit_code = 0


class PermanentError(PenstockError):
    """The same input will fail in the same way again. It is recorded, and the event becomes a dead letter.

    To do: see its reason.
    """

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    exit_code = 65  # EX_DATAERR


class EventError(PermanentError):
    """The event or the request itself is malformed.

    To do: mend the sender.
    """

    status = HTTPStatus.BAD_REQUEST


class Forbidden(PermanentError):
    """The event names a bucket that is not one of the function's sources.

    To do: change SOURCE, or the sender.
    """

    status = HTTPStatus.FORBIDDEN


class InputTooLarge(PermanentError):
    """The input is over a limit that the message names.

    To do: raise the limit, then `penstock reconcile`.
    """

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class Unauthorized(PermanentError):
    """The caller sent no token, or a wrong one.

    To do: give the caller the token of FUNCTION_TOKEN.
    """

    status = HTTPStatus.UNAUTHORIZED


class UnsupportedInput(PermanentError):
    """The content is not of a format this function reads.

    To do: upload one that it reads under the same key; the function's README names its formats.
    """

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class HandlerError(PenstockError):
    """The function's own code is wrong, such as a handler that returns no `Result`.

    The same code fails again, so the event becomes a dead letter at once. The object is not the cause, so no refusal
    is recorded for it, and an older target stays.

    To do: mend the handler, then replay the dead letter.
    """

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    exit_code = 78  # EX_CONFIG, with which a Job is not tried again


class TemporaryError(PenstockError):
    """It may work later: it is tried again, after Retry-After where that is given.

    To do: nothing, or what the message names.
    """

    status = HTTPStatus.SERVICE_UNAVAILABLE
    exit_code = 75  # EX_TEMPFAIL

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        # Here and not where the answer is made: the trace then has the handler's own line.
        if retry_after is not None and not isinstance(retry_after, int | float):
            raise TypeError(f"retry_after={retry_after!r}: expected seconds as a number")
        self.retry_after = retry_after  # in seconds; None leaves the delay to the caller
        super().__init__(message)


class RequestTooSlow(TemporaryError):
    """The caller did not send the whole request in time.

    To do: see READ_TIMEOUT_SECONDS.
    """

    status = HTTPStatus.REQUEST_TIMEOUT


class SourceChanged(TemporaryError):
    """The source has changed since its state was read.

    To do: nothing.
    """


class TargetChanged(TemporaryError):
    """The target has changed since it was looked at before the write.

    To do: nothing.
    """


def as_exception(exc: BaseException) -> Exception:
    """What is no `Exception`, as an unexpected error: it fails one object, and does not end a worker with all others.

    Libraries in Rust raise such a thing when they panic, and asyncio when a task is cancelled. Raise it from `exc`.
    """
    return RuntimeError(f"{type(exc).__name__}, which is no Exception")


def is_full(exc: BaseException) -> TypeGuard[OSError]:
    """Whether an error says that a disk has no space left, or the user no more of it."""
    return isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT)
