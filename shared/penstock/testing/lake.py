"""A function over buckets in memory."""

from collections.abc import Mapping
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any

from penstock.errors import ConfigError
from penstock.handler.results import Handle
from penstock.runtime.outcome import Outcome
from penstock.runtime.runtime import Runtime
from penstock.settings.config import RESERVED_PREFIX, Config, SourceRule
from penstock.sinks.wiring import make_sink, outputs
from penstock.store.memory import MemoryStore
from penstock.streams import close_quietly
from penstock.testing.delivering import notification
from penstock.testing.loading import function_of, texts, texts_of_renditions
from penstock.types import ObjectRef

if TYPE_CHECKING:
    from flask import Flask


class Lake:
    """A function over buckets in memory: put an object, and look at what the function made of it.

    Events, options, refusals, marks and renditions are the runtime's own; only the store is not MinIO. `source` and
    `sink` are written as the settings SOURCE and SINK. With `sink=f"sqlite://{tmp_path}/index.db"` documents go to an
    index. `store` is that of another lake, to see what a new version does with old targets. Buckets of objects that
    options name are there, and empty. `start` is called at once, `stop` by `close` or at the end of a `with` block.

    Raises `ConfigError` for what a deployment would refuse at start.
    """

    def __init__(
        self,
        handle: Handle,
        *,
        source: str = "s3://upload/*",
        sink: str = "s3://processed/{key}",
        renditions: Mapping[str, Mapping[str, object]] | None = None,
        remove_with_source: bool = False,
        function: str = "tested",
        store: MemoryStore | None = None,
        **options: object,
    ) -> None:
        try:
            rules = SourceRule.parse_all(source)
        except ValueError as exc:
            raise ConfigError(f"source: {exc}") from exc
        if not rules:
            raise ConfigError(f"source: {source!r} names no objects; write for example s3://upload/*")
        config = Config(
            function,
            sources=rules,
            sink=sink,
            options=texts(options),
            renditions=texts_of_renditions(renditions),
            remove_with_source=remove_with_source,
        )
        self.function = function_of(handle, config)
        self._source = rules[0].bucket
        self._target = next((written.bucket for written in outputs(config)), "")
        assets = {ref.bucket for named in self.function.assets.values() for ref in named.values()}
        self.store = store or MemoryStore(*{self._source, self._target, *assets} - {""})
        self._sink = make_sink(config, self.store)
        if self.function.start is not None:
            self.function.start(config)
        self.runtime = Runtime(self.function, config, self.store, self._sink)

    def put(
        self,
        key: str,
        data: bytes,
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Store an object in the source bucket and deliver its event; returns how that ended.

        `headers` are what a store keeps beside the content type, in lower case, such as `content-encoding`.
        Raises what the runtime raises: `TemporaryError` for what is to be tried again, or an exception of the handler.
        A `PermanentError` or `NothingToDo` of the handler is the outcome `refused`.
        """
        self.store.put(
            ObjectRef(self._source, key), [data], content_type=content_type, metadata=metadata or {}, headers=headers
        )
        return self.notify(key)

    def put_asset(self, name: str, data: bytes) -> None:
        """Store an object that an option names, `s3://BUCKET/KEY`. As in a real lake no event tells of it."""
        bucket, _, key = name.removeprefix("s3://").partition("/")
        self.store.put(ObjectRef(bucket, key), [data], content_type="application/octet-stream", metadata={})

    def remove(self, key: str) -> Outcome:
        """Remove an object from the source bucket and deliver its event."""
        self.store.delete(ObjectRef(self._source, key))
        return self.notify(key)

    def notify(self, key: str) -> Outcome:
        """Deliver an event about a key: a repeated one, a late one, or one of an object that is gone."""
        return self.runtime.agree(ObjectRef(self._source, key))

    def outputs(self) -> dict[str, bytes]:
        """The targets in the sink's bucket, by key."""
        if not self._target:
            raise TypeError("this sink writes no bucket: see `document`, `query` or what the sink itself keeps")
        keys = [state.ref.key for state in self.store.list(self._target)]
        return {
            key: self.store.read(ObjectRef(self._target, key)) for key in keys if not key.startswith(RESERVED_PREFIX)
        }

    def document(self, key: str) -> dict[str, Any] | None:
        """The document of a source object, from a sink that is an index."""
        document = getattr(self._sink, "document", None)
        if document is None:
            raise TypeError('this sink is a bucket: see `outputs`, or give Lake a sink="sqlite:///PATH"')
        found: dict[str, Any] | None = document(self._source, key)
        return found

    def query(self, **parameters: str) -> Mapping[str, Any] | None:
        """What the function's `query` hook answers to GET /?NAME=VALUE."""
        if self.function.query is None:
            raise TypeError("this function has no query(parameters, sink)")
        return self.function.query(parameters, self._sink)

    def event(self, key: str, name: str = "s3:ObjectCreated:Put") -> dict[str, Any]:
        """The notification that MinIO sends about a key of the source bucket, for `deliver`."""
        return notification(self._source, key, name)

    @cached_property
    def app(self) -> "Flask":
        """The function's WSGI application, with all its routes: for `deliver`, or for `app.test_client()`."""
        from penstock.process.metrics import Metrics
        from penstock.serving.app import create_app
        from penstock.serving.health import Health

        return create_app(self.runtime, Health(self.runtime), Metrics(self.function.name))

    def close(self) -> None:
        """Call the function's `stop`, and let go of the sink's files."""
        if self.function.stop is not None:
            self.function.stop()
        close_quietly(self._sink)

    def __enter__(self) -> "Lake":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
