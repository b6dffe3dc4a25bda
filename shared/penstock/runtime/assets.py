"""Assets: objects that a function's options name, such as a watermark, read from the store beside the source (ADR 49).

A target depends on them as it does on its source. So the fingerprint in its mark covers their ETags, and a changed
asset makes the targets stale.
"""

import hashlib
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from penstock.errors import SourceChanged, TemporaryError
from penstock.handler.loading import Function
from penstock.settings.config import Config
from penstock.sinks.wiring import outputs
from penstock.store import Store
from penstock.streams import Body
from penstock.types import ObjectRef

MAX_ASSET_BYTES = 16 * 1024 * 1024


class AssetCache:
    """The bytes of each asset in the state that was read last, for all threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[ObjectRef, tuple[str, bytes]] = {}

    def get(self, ref: ObjectRef, etag: str, store: Store) -> bytes:
        """The bytes of exactly this state, fetched when another one is held."""
        # Within the lock: threads that start together fetch once.
        with self._lock:
            held = self._held.get(ref)
            if held is None or held[0] != etag:
                held = self._held[ref] = etag, _read(ref, etag, store)
            return held[1]


class Assets(NamedTuple):
    """The assets of a function as they were at one moment.

    `fingerprints` has what marks say of each rendition's options, with the ETags of their assets.
    """

    function: Function
    fingerprints: Mapping[str | None, str]
    store: Store | None = None
    etags: Mapping[ObjectRef, str] = MappingProxyType({})

    def reader(self, rendition: str | None, cache: AssetCache) -> Callable[[str], bytes] | None:
        """What gives a handler the bytes for the name of an option, or None where there is nothing to read."""
        named, store = self.function.assets.get(rendition), self.store
        if not named or store is None:
            return None

        def read(option: str) -> bytes:
            ref = named[option]
            return cache.get(ref, self.etags[ref], store)

        return read


def look_at(function: Function, store: Store | None) -> Assets:
    """The present state of a function's assets, by one HEAD each; no request for a function without any.

    Raises `TemporaryError` for one that is not there: events wait until it is.
    """
    if not function.assets or store is None:
        return Assets(function, function.fingerprints)
    etags: dict[ObjectRef, str] = {}
    for rendition, named in function.assets.items():
        for option, ref in named.items():
            if ref not in etags:
                state = store.stat(ref)
                if state is None:
                    where = f" of rendition {rendition}" if rendition else ""
                    raise TemporaryError(f"{ref}: option {option}{where} names it, and it is not there; upload it")
                etags[ref] = state.etag
    prints = {
        rendition: _fingerprint(made, {name: etags[ref] for name, ref in function.assets.get(rendition, {}).items()})
        for rendition, made in function.fingerprints.items()
    }
    return Assets(function, prints, store, etags)


def problems_of_assets(function: Function, config: Config, *, has_store: bool) -> list[str]:
    """Assets that cannot be read, and those that the function itself may write: each target would renew all others."""
    problems = []
    refs = {ref: option for named in function.assets.values() for option, ref in named.items()}
    for ref, option in refs.items():
        if not has_store:
            problems.append(f"option {option}: {ref} needs an object store: set MINIO_ENDPOINT")
        if any(rule.matches(ref) for rule in outputs(config)):
            problems.append(f"option {option}: {ref} is where this function writes: an endless loop; use another key")
    return problems


def _fingerprint(options: str, etags: Mapping[str, str]) -> str:
    if not etags:
        return options
    text = "\n".join([options, *(f"{name}={etag}" for name, etag in sorted(etags.items()))])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(ref: ObjectRef, etag: str, store: Store) -> bytes:
    try:
        found = store.open(ref, if_etag=etag)
    except SourceChanged as exc:
        raise TemporaryError(f"{ref}: changed while it was used", retry_after=1) from exc
    if found is None:
        raise TemporaryError(f"{ref}: removed while it was used; upload it again")
    state, chunks = found
    if state.size > MAX_ASSET_BYTES:
        raise TemporaryError(f"{ref}: {state.size} bytes; what an option names may have {MAX_ASSET_BYTES}")
    with Body(lambda: chunks, max_bytes=MAX_ASSET_BYTES, name=str(ref)) as body:
        return body.read()
