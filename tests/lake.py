"""A small lake for tests: a store in memory, a function, a sink, and what happened in which order."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypeVar

from penstock import Context, Event, NothingToDo, Result, UnsupportedInput, option
from penstock.handler.loading import make_function
from penstock.runtime.outcome import FindJob, Offload, Outcome
from penstock.runtime.runtime import Runtime
from penstock.settings.config import Config, SourceRule
from penstock.sinks import Sink
from penstock.sinks.bucket import BucketSink
from penstock.sinks.bucket_address import BucketAddress
from penstock.sinks.wiring import make_sink
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef, ObjectState

T = TypeVar("T")

SOURCE = ObjectRef("upload", "a.txt")
TARGET = ObjectRef("processed", "a.txt")


@dataclass(frozen=True)
class Options:
    """Upper-casing has one option, so that fingerprints can differ."""

    times: int = option(1, "how often the result is repeated", ge=1, le=3)


def upper(event: Event[Options], context: Context[Options]) -> Result:
    """Upper-case the input; refuse what starts with `bad`, and find nothing to do where it starts with `done`."""
    start = event.body.peek(4)
    if start.startswith(b"bad"):
        raise UnsupportedInput(f"{event.name}: starts with bad")
    if start.startswith(b"done"):
        raise NothingToDo(f"{event.name}: is done already")
    made = (chunk.upper() for chunk in event.body)
    return Result(
        b"".join(made) * event.options.times, content_type=event.content_type, metadata=event.metadata, name=event.name
    )


class Lake:
    """A store, a runtime over it and the list of all requests, as `("GET", "upload/a.txt")`."""

    def __init__(
        self,
        handle: Callable[[Event[Any], Context[Any]], Result] = upper,
        *,
        options: type[Any] = Options,
        sink: str | Sink = "s3://processed/{key}",
        store: MemoryStore | None = None,
        function: str = "upper",
        offload: Offload | None = None,
        find_job: FindJob | None = None,
        hooks: Mapping[str, Any] | None = None,
        config_options: Mapping[str, str] | None = None,
        **config: Any,
    ) -> None:
        self.store = store or MemoryStore("upload", "processed")
        self.requests: list[tuple[str, str]] = []
        self.store.on_request = self._record
        # Called ahead of each request; what it does itself is neither counted nor interrupted.
        self.before: Callable[[str, ObjectRef], None] | None = None
        sources = config.pop("sources", (SourceRule("upload"),))
        config["options"] = dict(config_options or {})
        named = sink if isinstance(sink, str) else "sqlite:///index.db"
        self.config = Config(function, sources=sources, sink=named, **config)
        module = SimpleNamespace(__name__="handler", handle=handle, Options=options, **(hooks or {}))
        self.function = make_function(module, self.config)
        self.sink = sink if not isinstance(sink, str) else self._sink_at(sink)
        self.runtime = Runtime(self.function, self.config, self.store, self.sink, offload, find_job)

    def _sink_at(self, text: str) -> Sink:
        if not text.startswith("s3://"):
            made = make_sink(self.config, self.store)
            assert made is not None
            return made
        address = BucketAddress.parse(text)
        return BucketSink(
            self.store,
            address,
            renditions=self.config.renditions,
            sources=self.config.sources,
            remove_with_source=self.config.remove_with_source,
            store_name=self.config.store_name,
        )

    def _record(self, verb: str, ref: ObjectRef) -> None:
        self.requests.append((verb, f"{ref.bucket}/{ref.key}"))
        if self.before is not None:
            before = self.before
            self._outside(lambda: before(verb, ref))

    def put(self, data: bytes, ref: ObjectRef = SOURCE, **how: Any) -> ObjectState:
        """Store an object as an uploader does: it is not counted as a request."""
        return self._outside(lambda: self.store.put(ref, [data], **how))

    def delete(self, ref: ObjectRef = SOURCE) -> None:
        self._outside(lambda: self.store.delete(ref))

    def state(self, ref: ObjectRef) -> ObjectState | None:
        return self._outside(lambda: self.store.head(ref))

    def agree(self, ref: ObjectRef = SOURCE) -> Outcome:
        return self.runtime.agree(ref)

    def requests_of(self, ref: ObjectRef = SOURCE) -> list[str]:
        """What one event costs: `VERB bucket/key`, a refusal's long name shortened."""
        self.requests.clear()
        self.agree(ref)
        return [f"{verb} {'refusal' if '.penstock/refused/' in key else key}" for verb, key in self.requests]

    def read(self, ref: ObjectRef = TARGET) -> bytes | None:
        """The bytes of an object, or None when there is none."""
        try:
            return self.store.read(ref)
        except KeyError:
            return None

    def keys(self, bucket: str = "processed") -> list[str]:
        return self._outside(lambda: [state.ref.key for state in self.store.list(bucket)])

    def refusals(self) -> list[dict[str, Any]]:
        """The recorded refusals."""
        names = [key for key in self.keys() if key.startswith(".penstock/refused/")]
        return [json.loads(self.store.read(ObjectRef("processed", name))) for name in names]

    def _outside(self, act: Callable[[], T]) -> T:
        hook, self.store.on_request = self.store.on_request, lambda _verb, _ref: None
        try:
            return act()
        finally:
            self.store.on_request = hook
