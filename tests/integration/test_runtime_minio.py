"""The runtime on a real MinIO: many workers and many writers on few keys end at the right state."""

from __future__ import annotations

import queue
import random
import threading
from types import SimpleNamespace

import pytest
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig
from penstock import TemporaryError
from penstock.handler.loading import make_function
from penstock.reconcile.engine import reconcile
from penstock.runtime.runtime import Runtime
from penstock.settings.config import Config, SourceRule, StoreSettings
from penstock.sinks.wiring import make_sink
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

from tests.components import MinioServer
from tests.lake import Options, upper
from tests.store_contract import MIB, read

KEYS = ["a", "odd\nkey", "c d+%", "deep/日本"]
WORKERS, WRITERS, WRITES = 6, 3, 50


def write_something(store: S3ObjectStore, ref: ObjectRef, chance: random.Random) -> None:
    """One change, of every kind that there is; small choices, so that earlier states come back."""
    kind, owner = chance.random(), {"owner": chance.choice(["ann", "bob"])}
    if kind < 0.2:
        store.delete(ref)
    elif kind < 0.45:
        store.put(ref, [chance.choice([b"bad", b"done"])], content_type="text/x", metadata={})
    elif kind < 0.55:
        store.put(ref, [b"x" * 6 * MIB], content_type="text/x", metadata=owner)  # multipart: no condition holds
    else:
        store.put(ref, [chance.choice([b"one", b"two"])], content_type="text/x", metadata=owner)


@pytest.mark.parametrize("versioned", [False, True], ids=["plain", "versioned"])
def test_many_workers_and_writers_end_at_the_right_state(minio: MinioServer, unique_name: str, versioned: bool) -> None:
    upload, processed = f"{unique_name}-in", f"{unique_name}-out"
    client = minio.endpoint.client()
    for bucket in (upload, processed):
        client.make_bucket(bucket)
        if versioned:
            client.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
    settings = StoreSettings(minio.endpoint.url, minio.endpoint.access_key, minio.endpoint.secret_key)
    config = Config("upper", (SourceRule(upload),), f"s3://{processed}/{{key}}", settings, remove_with_source=True)
    function = make_function(SimpleNamespace(__name__="handler", handle=upper, Options=Options), config)

    def make_runtime() -> Runtime:
        store = S3ObjectStore(settings)
        return Runtime(function, config, store, make_sink(config, store))

    events: queue.Queue[str | None] = queue.Queue()
    failures: list[BaseException] = []

    def work() -> None:
        runtime = make_runtime()
        while (key := events.get()) is not None:
            try:
                runtime.agree(ObjectRef(upload, key))
            except TemporaryError:
                events.put(key)  # delivered again, behind the others
            except BaseException as exc:  # noqa: BLE001 - the test raises it
                failures.append(exc)
            finally:
                events.task_done()

    def write(seed: int) -> None:
        store, chance = S3ObjectStore(settings), random.Random(seed)
        for _ in range(WRITES):
            key = chance.choice(KEYS)
            write_something(store, ObjectRef(upload, key), chance)
            events.put(key)

    workers = [threading.Thread(target=work) for _ in range(WORKERS)]
    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(WRITERS)]
    for thread in [*workers, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    events.join()
    for _ in workers:
        events.put(None)
    for thread in workers:
        thread.join()
    assert failures == []

    store = S3ObjectStore(settings)
    for key in KEYS:
        source, target = ObjectRef(upload, key), ObjectRef(processed, key)
        data = read(store, source) if store.stat(source) else b"bad"
        if data.startswith((b"bad", b"done")):
            assert store.stat(target) is None, key
        else:
            assert read(store, target) == data.upper(), key
    # It compares the states of targets and refusals too, and finds what should not be there.
    assert reconcile(make_runtime(), check=True).differences == 0
    assert client.unfinished(processed) == []
