"""A handler's call, checked: a mistake in its code is told from an input that it cannot read.

Such a mistake is a `HandlerError` with one sentence that says what to write (ADR 33).
"""

import io
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import isasyncgen, iscoroutine, isgenerator
from typing import Any

from penstock.errors import HandlerError, as_exception
from penstock.streams import Body
from penstock.types import Context, Event, Result

Handle = Callable[[Event[Any], Context[Any]], Result]

_WANTED = "give bytes, a binary file, an iterable of bytes, or a mapping for a JSON document"


def checked(handle: Handle, explain: Callable[[Exception], str] = lambda _: "") -> Handle:
    """The same handler; it raises `HandlerError` where the code is wrong, and otherwise what `handle` raises.

    `explain` says what to write instead for a module or a name in it that is not there, or "".
    """

    @wraps(handle)
    def call(event: Event[Any], context: Context[Any]) -> Result:
        try:
            result = handle(event, context)
        except (SystemExit, GeneratorExit, KeyboardInterrupt) as exc:
            # Ctrl+C and SIGTERM come to the main thread as KeyboardInterrupt: they end the command, not the input.
            if isinstance(exc, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                raise
            raise HandlerError(
                f"handle raised {type(exc).__name__}; raise penstock.PermanentError, TemporaryError or NothingToDo, "
                "or return a Result"
            ) from exc
        except (AttributeError, ImportError) as exc:
            if remedy := explain(exc):
                raise HandlerError(remedy) from exc
            raise
        except Exception:
            raise
        except BaseException as exc:
            raise as_exception(exc) from exc
        if problem := problem_of(result):
            raise HandlerError(problem)
        return result

    return call


def problem_of(result: Any) -> str:
    """What is wrong with what a handler returned, and what to write instead; "" for a result that can be stored."""
    if not isinstance(result, Result):
        return _not_a_result(result)
    body = result.body
    if not isinstance(body, bytes | Mapping):
        if isinstance(body, str):
            return f"handle returned a Result with a str as its body; write Result(text.encode()), or {_WANTED}"
        if isinstance(body, io.TextIOBase):
            return 'handle returned a Result with a text file as its body; open it with "rb"'
        if body is None:
            return (
                f"handle returned a Result without a body; {_WANTED}; if there is nothing to write, raise NothingToDo"
            )
        if not (hasattr(body, "__iter__") or hasattr(body, "read") or isinstance(body, bytearray | memoryview)):
            _drop(body)
            return f"handle returned a Result with {_named(body)} as its body; {_WANTED}"
        if problem := _problem_of_place(body):
            return problem
    if not isinstance(result.content_type, str):
        return f'handle returned a Result with content_type={result.content_type!r}; give text, such as "text/csv"'
    if not (result.name is None or isinstance(result.name, str)):
        return f"handle returned a Result with name={result.name!r}; give the file's name as text, or None"
    if not isinstance(result.notes, Iterable | None):
        return f"handle returned a Result with notes={result.notes!r}; give a list of sentences"
    if result.metadata:
        return _problem_of_metadata(result.metadata)
    return ""


def _problem_of_place(body: Any) -> str:
    """What is wrong with where a file stands: from its end on nothing would be stored. "" if it is none."""
    if isinstance(body, Body):
        if body.closed or not body.bytes_read or body.peek(1):
            return ""
        return (
            "handle returned a Result with event.body, which it had read to its end; return the bytes that it read, or "
            "a file: file = spool(event.body)"
        )
    try:
        at = body.tell() if body.seekable() else 0
        if not at:
            return ""
        end = body.seek(0, io.SEEK_END)
        body.seek(at)
    except (AttributeError, OSError, TypeError, ValueError):  # no file, or one that tells when it is read
        return ""
    return "handle returned a Result with a file that stands at its end; call seek(0) before" if at == end else ""


def _not_a_result(returned: Any) -> str:
    if returned is None:
        return "handle returned None; return penstock.Result(...), or raise NothingToDo if there is nothing to write"
    if iscoroutine(returned) or isasyncgen(returned):
        _drop(returned)
        return f"handle returned {_named(returned)}; it is not awaited: write handle and what it calls without `async`"
    if isgenerator(returned):
        return "handle returned a generator; return penstock.Result(generator)"
    if isinstance(returned, type) and issubclass(returned, Result):
        return "handle returned the class Result; return penstock.Result(...)"
    if isinstance(returned, str):
        return "handle returned str; return penstock.Result(text.encode(), content_type=...)"
    return f"handle returned {type(returned).__name__}; return penstock.Result(...)"


def _problem_of_metadata(metadata: Any) -> str:
    if not isinstance(metadata, Mapping):
        return f"handle returned a Result with {_named(metadata)} as its metadata; give a mapping of text to text"
    for name, value in metadata.items():
        if not (isinstance(name, str) and isinstance(value, str)):
            return (
                f"handle returned a Result with metadata {name!r}: {value!r}; names and values are text: use str(...)"
            )
    return ""


def _drop(value: Any) -> None:
    """Close a coroutine: Python warns of one that was never awaited."""
    if iscoroutine(value):
        value.close()


def _named(value: object) -> str:
    return f"a value of type {type(value).__name__}"
