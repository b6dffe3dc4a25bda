"""Twenty large objects at once: what a function takes for them stays within the memory that the stack file gives it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from penstock.local.store.server import EmbeddedStore
from penstock.settings.config import StoreSettings
from penstock.settings.stackfile import load_stack
from penstock.store.minio_client import connect
from penstock.store.s3 import S3ObjectStore
from penstock.types import ObjectRef

from tests.paths import STACK_YML
from tests.served import served

pytestmark = pytest.mark.long

OBJECTS = 20
MIB = 1024 * 1024
OBJECT_BYTES = 8 * MIB
SINKS = {"compress": "s3://processed/{key}.gz", "index": "sqlite://{folder}/index.db"}


def rows(seed: int) -> Iterator[bytes]:
    """A CSV file that compresses as real ones do."""
    numbers = random.Random(seed)
    left = OBJECT_BYTES
    yield b"id,name,amount,note\n"
    line = b"".join(b"%d,donor %d,%d.50,%x\n" % (n, n, n * 7, numbers.getrandbits(64)) for n in range(25_000))
    while left > 0:
        yield line
        left -= len(line)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    folder: Path = tmp_path_factory.mktemp("objects")
    server = EmbeddedStore(
        access_key="penstock",
        secret_key="penstock-secret",
        notify=lambda ref, document: None,
        wanted=lambda *_: False,
        folder=folder,
    )
    server.start()
    for bucket in ("upload", "processed"):
        connect(server.settings).make_bucket(bucket)
    store = S3ObjectStore(server.settings)
    for number in range(OBJECTS):
        store.put(ObjectRef("upload", f"{number}.csv"), rows(number), content_type="text/csv", metadata={})
    try:
        yield server.settings
    finally:
        server.stop()


@pytest.mark.parametrize("function", SINKS)
def test_twenty_large_objects_at_once_stay_within_the_memory_of_the_function(
    function: str, place: StoreSettings, tmp_path: Path
) -> None:
    limits = load_stack(STACK_YML, {}).functions[function].limits
    assert limits is not None
    limit = int(str(limits.memory).removesuffix("Mi")) * MIB
    settings = {
        "FUNCTION_NAME": function,
        "SOURCE": "s3://upload/*",
        "SINK": SINKS[function].format(folder=tmp_path, key="{key}"),
        "MINIO_ENDPOINT": place.endpoint,
        "MINIO_ACCESS_KEY": place.access_key,
        "MINIO_SECRET_KEY": place.secret_key,
    }
    with served(function, settings) as running, ThreadPoolExecutor(OBJECTS) as callers:
        answers = list(callers.map(lambda number: running.send("upload", f"{number}.csv"), range(OBJECTS)))
        peak = running.peak_bytes()
    assert [status for status, _ in answers] == [200] * OBJECTS, answers
    assert peak < limit * 0.8, f"{peak / MIB:.0f} MiB of {limit / MIB:.0f} MiB"
