"""What is fuzzed within one process: each subject makes its cases from good inputs and says what was wrong."""

from __future__ import annotations

import json
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from penstock.errors import (
    ConfigError,
    EventError,
    HandlerError,
    InputTooLarge,
    NothingToDo,
    PenstockError,
    PermanentError,
    TemporaryError,
)
from penstock.events import parse_each, parse_listen_line, to_cloudevents
from penstock.handler.options import parse_options
from penstock.testing import run

from tests.fuzz.mutate import any_text, changed_bytes, changed_json, structure_ends
from tests.paths import EVENTS, EXAMPLES, ROOT, STACK_YML

CORPUS = Path(__file__).parent / "corpus"


class Wrong(Exception):
    """An input was answered as no input may be."""


class Subject(ABC):
    """`case(rng, number)` makes an input, `check` gives it to what is fuzzed; `Wrong` or any other error is a find."""

    name: str

    @abstractmethod
    def case(self, rng: random.Random, number: int) -> bytes:
        """The input with this number: the same for the same chance and number."""

    @abstractmethod
    def check(self, data: bytes) -> None:
        """Try one input."""

    def first(self) -> list[bytes]:
        """Inputs that once were answered wrongly."""
        return found_before(self.name)


def found_before(name: str) -> list[bytes]:
    """The inputs that a folder of the corpus keeps."""
    folder = CORPUS / name
    return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.is_dir() else []


class Events(Subject):
    """Every parser of events: notifications, or an `EventError`."""

    name = "events"
    HEADERS: Sequence[Mapping[str, str]] = (
        {},
        {"Content-Type": "application/json"},
        {"Content-Type": "application/cloudevents+json"},
        {"Content-Type": "application/cloudevents-batch+json"},
        {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "minio:s3", "ce-type": "com.amazonaws.s3.x"},
        {
            "ce-specversion": "1.0",
            "ce-id": "1",
            "ce-source": "k",
            "ce-type": "dev.knative.kafka.event",
            "ce-key": "a%2Fb",
        },
        {"X-Topic": "upload"},
    )

    def __init__(self) -> None:
        self._bodies = _bodies()

    def case(self, rng: random.Random, number: int) -> bytes:
        headers = bytes([rng.randrange(len(self.HEADERS))])
        body = rng.choice(self._bodies)
        if rng.random() < 0.75:
            return headers + changed_json(json.loads(body), rng)
        return headers + changed_bytes(body, rng, self._bodies)

    def check(self, data: bytes) -> None:
        headers, body = self.HEADERS[data[0] % len(self.HEADERS)] if data else {}, data[1:]
        readers: Sequence[Callable[[], object]] = (
            lambda: parse_each(body, headers, 5000),
            lambda: parse_listen_line(body),
            lambda: [event.http_headers() for event in to_cloudevents(body)],
        )
        for read in readers:
            try:
                str(read()).encode()
            except (EventError, InputTooLarge) as error:
                str(error).encode()


class Requests(Subject):
    """The routes of a function: never 500, and an answer in JSON, whatever is posted where."""

    name = "requests"
    PATHS = ("/event", "/", "/name.csv", "/a%0Ab", "/?times=2", "/name?times=9", "/%2e%2e/x", "//x", "/event/")

    def __init__(self) -> None:
        from penstock.process.metrics import Metrics
        from penstock.serving.app import create_app
        from penstock.serving.health import Health

        from tests.lake import Lake

        lake = Lake()
        lake.store.put(_source(), [b"some text"])
        self._client = create_app(lake.runtime, Health(lake.runtime), Metrics("upper")).test_client()
        self._bodies = _bodies()

    def case(self, rng: random.Random, number: int) -> bytes:
        # /event comes often: it has most to read.
        path = rng.choice((0, 0, 0, rng.randrange(len(self.PATHS))))
        headers = rng.randrange(len(Events.HEADERS))
        body = rng.choice(self._bodies)
        made = changed_json(json.loads(body), rng) if rng.random() < 0.7 else changed_bytes(body, rng, self._bodies)
        return bytes([path, headers]) + made

    def check(self, data: bytes) -> None:
        if len(data) < 2:
            return
        path = self.PATHS[data[0] % len(self.PATHS)]
        headers = dict(Events.HEADERS[data[1] % len(Events.HEADERS)])
        answer = self._client.post(path, data=data[2:], headers=headers)
        said = answer.get_data()
        if answer.status_code >= 500 and (answer.status_code != 503 or b"incident" in said):
            raise Wrong(f"{path}: {answer.status_code} {said[:500]!r}")
        if answer.status_code >= 400 and answer.is_json and b"HandlerError" in said:
            raise Wrong(f"{path}: the function is blamed: {said[:500]!r}")


class Options(Subject):
    """Options of all functions as settings and query strings have them: a value, or an `EventError` with words."""

    name = "options"

    def __init__(self) -> None:
        from functions.compress.handler import handle as compress
        from functions.index.handler import handle as index
        from functions.resize.handler import handle as resize

        picture = pictures()[0]
        self._functions = [(compress, b"a,b\n1,2\n"), (index, b"a,b\n1,2\n"), (resize, picture)]

    def case(self, rng: random.Random, number: int) -> bytes:
        which = rng.randrange(len(self._functions))
        known = fields(self._functions[which][0].__globals__["Options"])
        given = {}
        for field in rng.sample(known, rng.randint(1, min(4, len(known)))):
            choices = field.metadata.get("choices") or ()
            good = str(field.default) if field.default is not MISSING else "1"
            near = str(rng.choice([field.metadata.get("ge"), field.metadata.get("le"), rng.randint(-9, 9999)]))
            given[field.name] = rng.choice((any_text(rng), good, near, *choices))
        if rng.random() < 0.05:
            given[any_text(rng)] = "1"
        return json.dumps([which, given]).encode()

    def check(self, data: bytes) -> None:
        which, given = json.loads(data)
        handle, sample = self._functions[which]
        try:
            str(parse_options(handle.__globals__["Options"], given)).encode("utf-8", "replace")
            run(handle, sample, name="sample", **given)
        except (PermanentError, NothingToDo) as error:
            str(error).encode("utf-8", "replace")


class Yaml(Subject):
    """stack.yml or lake.yml: what it declares, or a `ConfigError`; and the same for each function in it."""

    def __init__(self, name: str, paths: Sequence[Path], load: Callable[[Path], Any], folder: Path) -> None:
        self.name = name
        self._texts = [path.read_bytes() for path in paths]
        self._load = load
        self._file = folder / name

    def case(self, rng: random.Random, number: int) -> bytes:
        text = rng.choice(self._texts)
        if rng.random() < 0.3:
            return changed_bytes(text, rng, self._texts)
        lines = text.split(b"\n")
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(lines))
            line = lines[at]
            match rng.randrange(6):
                case 0:
                    del lines[at]
                case 1:
                    lines[at] = b"  " + line if rng.random() < 0.5 else line.removeprefix(b"  ")
                case 2:
                    lines.insert(at, rng.choice(lines))
                case 3:
                    lines[at] = line.partition(b":")[0] + b": " + json.dumps(any_text(rng)).encode()
                case 4:
                    odd = (
                        b"[]",
                        b"{}",
                        b"~",
                        b"1",
                        b"yes",
                        b"2026-01-01",
                        b"!!python/name:os.system",
                        b"*x",
                        b"&x [*x]",
                    )
                    lines[at] = line.partition(b":")[0] + b": " + rng.choice(odd)
                case _:
                    lines[at] = line.replace(b"${", rng.choice((b"${}", b"${A", b"$", b"${:-")))
        return b"\n".join(lines) or b"\n"

    def check(self, data: bytes) -> None:
        self._file.write_bytes(data)
        try:
            self._load(self._file)
        except ConfigError as error:
            if not error.problems or not all(error.problems):
                raise Wrong("a ConfigError without words") from error


class Inputs(Subject):
    """Objects for handlers: a result, or an error that is about the input."""

    def __init__(self, name: str, samples: Sequence[bytes], handles: Sequence[tuple[Any, Mapping[str, Any]]]) -> None:
        self.name = name
        self._samples = samples
        self._handles = handles
        # Every sample cut at each of its structures, before, at and behind it, comes before the chances.
        self._cuts = [(each, at + by) for each in samples for at in structure_ends(each) for by in (-1, 0, 1)]

    def case(self, rng: random.Random, number: int) -> bytes:
        if self.name == "images" and number < len(self._cuts):
            data, end = self._cuts[number]
            return data[: max(0, end)]
        return changed_bytes(rng.choice(self._samples), rng, self._samples)

    def check(self, data: bytes) -> None:
        for handle, options in self._handles:
            try:
                run(handle, data, name=f"sample.{self.name}", **options)
            except HandlerError as error:
                raise Wrong(f"the function is blamed: {error}") from error
            except TemporaryError as error:
                raise Wrong(f"it would be tried again: {error}") from error
            except (PermanentError, NothingToDo) as error:
                str(error).encode()
            except PenstockError as error:
                raise Wrong(f"{type(error).__name__}: {error}") from error


def pictures() -> list[bytes]:
    """A small picture of each format that resize reads and index describes, still and moving."""
    from functions.index.samples import pictures as more
    from functions.resize.samples import READ, photo, saved

    still = [saved(photo(48, 36), kind) for kind in READ]
    clear = [saved(photo(40, 30, alpha=True), kind) for kind in ("png", "webp")]
    moving = [more.frames(kind) for kind in ("gif", "webp")]
    tables = [
        more.tiff(bytes(48), width=4, height=4, bits=8, sample_format=1, order="<", is_big=is_big)
        for is_big in (False, True)
    ]
    return [*still, *clear, *moving, *tables, more.photoshop(20, 10), more.os2_bitmap(8, 8), more.heic(still[0])]


def tables() -> list[bytes]:
    """Texts that index describes: CSV in several dialects and encodings, and what is nearly CSV."""
    plain = "email,name,age,when\n" + "".join(
        f"d{n}@example.com,Name {n},{n},2026-01-{n % 28 + 1:02}\n" for n in range(60)
    )
    quoted = 'a;b;c\r\n"x;1";"two\r\nlines";"say ""hi"""\r\n' * 20
    texts = [
        plain,
        quoted,
        plain.replace(",", "\t"),
        plain.replace(",", "|"),
        "{" + plain + "}",
        "<a>" + plain + "</a>",
    ]
    encoded = [text.encode() for text in texts]
    return [*encoded, plain.encode("utf-16"), quoted.encode("utf-16-le"), "é,ü\n1,2\n".encode("latin-1") * 30]


def subjects(folder: Path) -> Mapping[str, Callable[[], Subject]]:
    """All subjects by name; `folder` is for files of theirs."""
    return {
        "events": Events,
        "requests": Requests,
        "options": Options,
        "stack.yml": lambda: Yaml("stack.yml", [STACK_YML], _load_stack, folder),
        "lake.yml": lambda: Yaml("lake.yml", sorted(EXAMPLES.glob("*/lake.yml")), _load_lake, folder),
        "csv": lambda: Inputs("csv", tables(), [(_handle("index"), {}), (_handle("compress"), {})]),
        "images": lambda: Inputs(
            "images",
            pictures(),
            [(_handle("index"), {}), (_handle("resize"), {"width": 16, "format": "jpeg", "max_pixels": 1_000_000})],
        ),
    }


def _handle(function: str) -> Any:
    import importlib

    return importlib.import_module(f"functions.{function}.handler").handle


def _load_stack(path: Path) -> None:
    from penstock.settings.stackfile import load_stack

    for function in load_stack(path, {}).functions.values():
        function.config()
        _ = function.zero_after_seconds


def _load_lake(path: Path) -> None:
    from penstock.lake.file import load_lake

    load_lake(path, {})


def _bodies() -> list[bytes]:
    return [path.read_bytes() for path in sorted(EVENTS.glob("*.json"))]


def _source() -> Any:
    from tests.lake import SOURCE

    return SOURCE


__all__ = ["ROOT", "Subject", "Wrong", "found_before", "subjects"]
