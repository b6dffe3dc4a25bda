"""Work that says what it asks of the sink, and goes on with the answer: run alone, or many together.

A generator yields each `Look` and `Write` and gets the entry, or the error is raised where it asked. So one text of the
rules serves both ways, and a batch of documents costs one question and one commit instead of one for each.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from penstock.errors import PermanentError, TemporaryError
from penstock.sinks import BatchSink, Sink
from penstock.types import Entry, Look, Write

T = TypeVar("T")

Request = Look | Write
Writing = Generator[Request, Any, T]
"""A `Look` is answered with the entry or None, a `Write` with the entry."""


def run_alone(work: Writing[T], sink: Sink) -> T:
    """Run one piece of work to its end; each request is made at once. Raises what the work raises."""
    try:
        request = next(work)
        while True:
            try:
                entry = _ask(sink, request)
            except BaseException as exc:  # noqa: BLE001 - raised again, where the work asked for it
                request = work.throw(exc)
            else:
                request = work.send(entry)
    except StopIteration as end:
        result: T = end.value
        return result


def run_together(works: Iterable[Writing[T]], sink: BatchSink) -> list[T | Exception]:
    """Run several pieces of work, and put their requests together; results in their order, errors not raised."""
    results: dict[int, T | Exception] = {}
    waiting: list[tuple[int, Writing[T], Request]] = []

    def go_on(number: int, work: Writing[T], step: Callable[[], Request]) -> None:
        try:
            waiting.append((number, work, step()))
        except StopIteration as end:
            results[number] = end.value
        except Exception as exc:  # noqa: BLE001 - one object must not take the others of its request down
            results[number] = exc

    for number, work in enumerate(works):
        go_on(number, work, partial(next, work))
    while waiting:
        asked, waiting = waiting, []
        for kind, ask in ((Look, _look_all), (Write, _write_all)):
            of_kind = [one for one in asked if isinstance(one[2], kind)]
            answers = ask(sink, [request for _, _, request in of_kind]) if of_kind else ()
            for (number, work, _), answer in zip(of_kind, answers, strict=True):
                step = work.throw if isinstance(answer, Exception) else work.send
                go_on(number, work, partial(step, answer))
    return [results[number] for number in sorted(results)]


def _ask(sink: Sink, request: Request) -> Entry | None:
    if isinstance(request, Look):
        return sink.read(request.address, request.mark)
    return sink.write(request.address, request.result, request.mark, request.source, request.previous)


def _write_all(sink: BatchSink, writes: Sequence[Any]) -> Sequence[Entry | Exception]:
    return sink.write_many(writes)


def _look_all(sink: BatchSink, looks: Sequence[Any]) -> Sequence[Entry | Exception | None]:
    try:
        return sink.read_many(looks)
    except PermanentError as exc:
        # Of one address it says that nothing can be there; of a batch it says nothing about any of them.
        return [TemporaryError(f"asked for {len(looks)} documents at once: {exc}")] * len(looks)
    except Exception as exc:  # noqa: BLE001 - raised where each of them asked
        return [exc] * len(looks)
