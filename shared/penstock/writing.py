"""Work that says what it wants stored and goes on with what came of it: run alone, or many together.

A generator yields each `Write` and gets the entry, or the error is raised where it asked. So one text of the rules
serves both ways, and a batch of documents costs one commit instead of one for each.
"""

from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import TypeVar

from penstock.sinks import BatchSink, Sink
from penstock.types import Entry, Write

T = TypeVar("T")

Writing = Generator[Write, Entry, T]


def run_alone(work: Writing[T], sink: Sink) -> T:
    """Run one piece of work to its end; each write is stored at once. Raises what the work raises."""
    try:
        write = next(work)
        while True:
            try:
                entry = sink.write(write.address, write.result, write.mark, write.source, write.previous)
            except BaseException as exc:  # noqa: BLE001 - raised again, where the work asked for it
                write = work.throw(exc)
            else:
                write = work.send(entry)
    except StopIteration as end:
        result: T = end.value
        return result


def run_together(works: Iterable[Writing[T]], sink: BatchSink) -> list[T | Exception]:
    """Run several pieces of work, and store together what they want stored; in their order, errors not raised."""
    results: dict[int, T | Exception] = {}
    waiting: list[tuple[int, Writing[T], Write]] = []

    def go_on(number: int, work: Writing[T], step: Callable[[], Write]) -> None:
        try:
            waiting.append((number, work, step()))
        except StopIteration as end:
            results[number] = end.value
        except Exception as exc:  # noqa: BLE001 - one object must not take the others of its request down
            results[number] = exc

    for number, work in enumerate(works):
        go_on(number, work, partial(next, work))
    while waiting:
        stored, waiting = waiting, []
        outcomes = sink.write_many([write for _, _, write in stored])
        for (number, work, _), outcome in zip(stored, outcomes, strict=True):
            if isinstance(outcome, Exception):
                go_on(number, work, partial(work.throw, outcome))
            else:
                go_on(number, work, partial(work.send, outcome))
    return [results[number] for number in sorted(results)]
