"""Compares the lake with the model, after the events are through and `penstock reconcile` has run."""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_plus

from minio import Minio
from minio.error import S3Error

from tests.chaos.lake import FUNCTIONS, Lake
from tests.chaos.model import SOURCES, TARGETS, Model, target_of

_REFUSALS = ".penstock/refused/"
# What a dead letter of the campaign may have died of: too large, or a stranger's object at the target's key.
_FINAL_CODES = frozenset({413, 422})


def wait_until_quiet(lake: Lake, timeout_seconds: float) -> str:
    """Wait until no event is under way; what still waits, in words, or "" when all is quiet."""
    end = time.monotonic() + timeout_seconds
    quiet = 0
    while quiet < 3:
        waiting = {place: count for place, count in lake.waiting().items() if count}
        quiet = 0 if waiting else quiet + 1
        if time.monotonic() > end:
            return f"events still under way after {timeout_seconds:.0f} s: {waiting}"
        time.sleep(0.5)
    return ""


def findings(lake: Lake, model: Model) -> Iterator[str]:
    """Everything that is not as it must be, one line each."""
    client = lake.minio.endpoint.client()
    _forgive(client, model, lake)
    yield from _sources(client, model)
    yield from _targets(client, model)
    yield from _documents(client, lake, model)
    yield from (f"upload in parts left over: {name}" for name in lake.unfinished_uploads())


def _sources(client: Minio, model: Model) -> Iterator[str]:
    """The model itself is held to the bucket: a wrong model would prove nothing."""
    found = {str(item.object_name): item.etag for item in client.list_objects(SOURCES, recursive=True)}
    for key in sorted(found.keys() ^ model.sources.keys()):
        yield f"source {key!r}: {'not in the model' if key in found else 'gone from the bucket'}"


def _forgive(client: Minio, model: Model, lake: Lake) -> None:
    """Forget strangers' objects that were lost where nothing is promised: the key is the function's own again.

    No S3 store deletes on a condition that MinIO knows of: what is put between a look and its DELETE is lost.
    """
    for target, stranger in list(model.strangers.items()):
        seen = lake.proxy.deletions.get(f"/{TARGETS}/{target}", [])
        in_between = any(each.looked <= stranger.ended and stranger.began <= each.ended for each in seen)
        if in_between and _read(client, TARGETS, target) != stranger.data:
            del model.strangers[target]
            lake.noted["strangers' objects put between a look and its DELETE"] += 1


def _targets(client: Minio, model: Model) -> Iterator[str]:
    listed = {str(item.object_name) for item in client.list_objects(TARGETS, recursive=True)}
    targets = {key for key in listed if not key.startswith(".penstock/")}
    with ThreadPoolExecutor(8) as pool:
        stored = dict(zip(targets, pool.map(lambda key: _read(client, TARGETS, key), targets), strict=True))
    for key in sorted(model.history):
        fate, target = model.fate(key), target_of(key)
        held = stored.get(target)
        if fate == "nothing" or fate == "refused":
            if held is not None:
                yield f"target {target!r}: there, but its source is {'gone' if fate == 'nothing' else 'refused'}"
            continue
        if fate == "foreign":
            if held != model.strangers[target].data:
                yield f"stranger's object {target!r}: {'gone' if held is None else 'replaced'}"
        elif held is None:
            yield f"target {target!r}: missing"
        else:
            yield from _content(target, model.sources[key].data(), held)
    for target in sorted(targets - {target_of(key) for key in model.history}):
        yield f"target {target!r}: no source ever asked for it"
    yield from _refusals(client, model, {key for key in listed if key.startswith(_REFUSALS)})


def _content(target: str, wanted: bytes, held: bytes) -> Iterator[str]:
    try:
        found = gzip.decompress(held)
    except (OSError, EOFError) as error:
        yield f"target {target!r}: not whole ({error})"
        return
    if found != wanted:
        yield f"target {target!r}: {len(found)} bytes inside, not the {len(wanted)} of its source's last state"


def _refusals(client: Minio, model: Model, names: set[str]) -> Iterator[str]:
    """Each refused source has exactly one record, of its present state."""
    about: Counter[str] = Counter()
    for name in sorted(names):
        record = json.loads(_read(client, TARGETS, name) or b"{}")
        key = record["source"]["key"]
        about[key] += 1
        if key not in model.sources or model.fate(key) == "target":
            yield f"refusal of {key!r}: left over ({record['reason']})"
        elif record["source"]["etag"] != _etag(client, key):
            yield f"refusal of {key!r}: of an earlier state"
        elif not record["reason"]:
            yield f"refusal of {key!r}: without a reason"
    for key in sorted(model.sources):
        wanted = 1 if model.fate(key) in ("refused", "foreign") else 0
        # A stranger that came after a good target is found at the next look, which nothing asks for.
        if about[key] < wanted:
            yield f"refusal of {key!r}: not recorded"
        elif about[key] > 1:
            yield f"refusal of {key!r}: {about[key]} records"


def _documents(client: Minio, lake: Lake, model: Model) -> Iterator[str]:
    documents = lake.documents()
    etags = {str(item.object_name): item.etag for item in client.list_objects(SOURCES, recursive=True)}
    for name in sorted(documents.keys() - {f"{SOURCES}/{key}" for key in model.sources}):
        yield f"document {name!r}: its object does not exist"
    for key in sorted(model.sources):
        document = documents.get(f"{SOURCES}/{key}")
        if document is None:
            yield f"document of {key!r}: missing"
        elif document["refusal"] is not None:
            yield f"document of {key!r}: a refusal ({document['refusal']})"
        elif document["etag"] != (etags.get(key) or "").strip('"'):
            yield f"document of {key!r}: of another state"


def letters(lake: Lake) -> list[dict[str, Any]]:
    """The dead letters of bridge and connector."""
    return [json.loads(line) for line in lake.dlq("list", "--json")]


def unexplained(found: list[dict[str, Any]], model: Model, *, replayed: bool) -> Iterator[str]:
    """Dead letters without a reason; after a replay also those whose cause is gone."""
    for letter in found:
        subject = f"dead letter {letter['id']} to {letter['target']}"
        if not letter["reason"] or not letter["code"] or not letter["target"]:
            yield f"{subject}: without reason, code or target: {letter}"
        if replayed:
            key = _key_of(letter)
            stays = "compress" in letter["target"] and key is not None and model.fate(key) in ("refused", "foreign")
            if letter["code"] not in _FINAL_CODES or not stays:
                yield f"{subject}: {letter['code']} {letter['reason']!r} for {key!r}, whose cause is gone"


def reconciled(lake: Lake, *, check: bool) -> Iterator[str]:
    """Run `penstock reconcile` for each function; its exit code must be 0."""
    for function in FUNCTIONS:
        done = lake.reconcile(function, *(["--check"] if check else ["--uploads-older-than", "1s"]))
        if done.returncode != 0:
            what = "reconcile --check" if check else "reconcile"
            yield f"{what} {function} ended with {done.returncode}: {(done.stdout + done.stderr)[-3000:]}"


def _key_of(letter: dict[str, Any]) -> str | None:
    try:
        [record] = json.loads(letter["value"])["Records"]
        return unquote_plus(record["s3"]["object"]["key"])
    except (ValueError, KeyError, TypeError):
        return None


def _etag(client: Minio, key: str) -> str:
    return str(client.stat_object(SOURCES, key).etag).strip('"')


def _read(client: Minio, bucket: str, key: str) -> bytes | None:
    try:
        with client.get_object(bucket, key) as response:
            return response.read()
    except S3Error as error:
        if error.code != "NoSuchKey":
            raise
        return None
