"""Two versions of a function side by side, buckets that keep versions, and more calls than a function can take."""

from __future__ import annotations

import asyncio
import json
import random
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from minio.commonconfig import ENABLED, GOVERNANCE
from minio.error import InvalidResponseError
from minio.objectlockconfig import DAYS, ObjectLockConfig
from minio.versioningconfig import SUSPENDED, VersioningConfig
from urllib3.exceptions import HTTPError

from tests.chaos.http_relay import Broken, Head, HttpRelay, read_body, read_head
from tests.chaos.model import SOURCES

if TYPE_CHECKING:
    from minio import Minio

    from tests.chaos.acts import Act
    from tests.chaos.lake import Lake

AnswerT = TypeVar("AnswerT")

_BURST = 200
_BURST_SECONDS = 180.0


class Splitter(HttpRelay):
    """One address before the versions of a function: each request goes to one of them, by chance."""

    def __init__(self, port: int, seed: int, versions: Sequence[int]) -> None:
        super().__init__("splitter", port)
        self._random = random.Random(seed)
        self.versions = tuple(versions)

    def upstream(self) -> int:
        return self._random.choice(self.versions)

    async def exchange(
        self,
        head: Head,
        body: bytes,
        store: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        writer: asyncio.StreamWriter,
    ) -> None:
        store[1].write(head.raw + body)
        await store[1].drain()
        answer = await read_head(store[0])
        if answer is None:
            raise Broken
        writer.write(answer.raw + await read_body(store[0], answer))
        await writer.drain()
        # gunicorn says so when it will close the connection.
        if answer.fields.get("connection", "").lower() == "close":
            raise Broken


def make_buckets(client: Minio, names: Sequence[str], rng: random.Random) -> dict[str, str]:
    """Make the buckets: plain, with versions, or with versions that are locked for a day. What each one is, by name."""
    kinds = {name: rng.choice(("plain", "plain", "versions", "locked")) for name in names}
    for name, kind in kinds.items():
        client.make_bucket(bucket_name=name, object_lock=kind == "locked")
        if kind == "versions":
            client.set_bucket_versioning(name, VersioningConfig(ENABLED))
        elif kind == "locked":
            client.set_object_lock_config(name, ObjectLockConfig(GOVERNANCE, 1, DAYS))
    return kinds


def until_answered(ask: Callable[[], AnswerT]) -> AnswerT:
    """What MinIO answers; asked again while another fault of the same moment keeps it down, two minutes at most."""
    end = time.monotonic() + 120
    while True:
        try:
            return ask()
        except (HTTPError, InvalidResponseError):
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def _switch_versions(lake: Lake, seconds: float, rng: random.Random) -> None:
    """A bucket begins to keep versions, and stops again: its older versions stay."""
    name = rng.choice([name for name, kind in sorted(lake.buckets.items()) if kind != "locked"] or [""])
    if not name:
        return
    client = lake.minio.endpoint.client()
    until_answered(lambda: client.set_bucket_versioning(name, VersioningConfig(ENABLED)))
    time.sleep(seconds)
    until_answered(lambda: client.set_bucket_versioning(name, VersioningConfig(SUSPENDED)))


def _two_versions(lake: Lake, seconds: float, rng: random.Random) -> None:
    """A second version of compress, with other options and the same targets, takes a half of the requests."""
    setting = rng.choice(("fast", "small"))
    with lake.second_version({"OPTION_SETTING": setting}) as port:
        first = lake.splitter.versions
        lake.splitter.versions = (*first, port)
        try:
            time.sleep(seconds)
        finally:
            lake.splitter.versions = first


def _overload(function: str) -> Act:
    """More events at once than the function takes: each is answered, with 2xx or with "later"."""

    def act(lake: Lake, seconds: float, rng: random.Random) -> None:
        keys = lake.keys()
        address = lake.address_of(function)
        with ThreadPoolExecutor(_BURST) as callers:
            bodies = [json.dumps({"bucket": SOURCES, "key": rng.choice(keys)}).encode() for _ in range(_BURST)]
            answers = list(callers.map(lambda body: _call(address, body), bodies))
        for status, retry_after, said in answers:
            # A 503 for another reason, such as a store that fails, leaves the delay to the caller.
            if status in (429, 503) and not retry_after and "requests wait" in said:
                raise AssertionError(f"{function} under load answered {status} without Retry-After: {said}")
            # 0: the connection was cut, by another fault at the same time.
            if status not in (0, 413, 422, 429, 503) and not 200 <= status < 300:
                raise AssertionError(f"{function} under load answered {status}: {said}")
        counts = Counter(status for status, _, _ in answers)
        lake.noted[f"{function} under load"] += counts[429] + counts[503]

    return act


def _call(address: str, body: bytes) -> tuple[int, str, str]:
    request = urllib.request.Request(f"http://{address}/event", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_BURST_SECONDS) as answer:
            return answer.status, "", ""
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("Retry-After", ""), error.read().decode(errors="replace")
    except TimeoutError as error:
        raise AssertionError(f"{address} under load gave no answer in {_BURST_SECONDS:.0f} s") from error
    except OSError:
        return 0, "", ""


ACTS: Mapping[str, Act] = {
    "buckets: versions on and off": _switch_versions,
    "compress: two versions": _two_versions,
    "compress: more than it takes": _overload("compress"),
    "index: more than it takes": _overload("index"),
}
