"""Listings with the whole state of each object, on every store.

MinIO's listings have content type and user metadata, which those of other stores do not have. Where a listing lacks
them, one HEAD is sent for each object, many at once. The HEADs are counted and reported.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

from penstock.settings.config import RESERVED_PREFIX, Config
from penstock.sinks.wiring import outputs
from penstock.store import Store
from penstock.types import ObjectRef, ObjectState

HEADS_AT_ONCE = 32


class WholeListings:
    """A store whose listings tell content type and metadata of each object that `is_needed`; the rest is the store's.

    An object that is gone by the time it is asked for is left out. `extra_requests` counts the HEADs.
    """

    def __init__(self, store: Store, is_needed: Callable[[ObjectRef], bool] = lambda _ref: True) -> None:
        self._store = store
        self._is_needed = is_needed
        self.extra_requests = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @classmethod
    def of(cls, store: Store, config: Config) -> "WholeListings":
        """Of what concerns one function: its sources, its targets and its recorded refusals."""
        targets = outputs(config)
        refusals = f"{RESERVED_PREFIX}refused/{config.function}/"

        def is_needed(ref: ObjectRef) -> bool:
            return config.takes(ref) or ref.key.startswith(refusals) or any(rule.matches(ref) for rule in targets)

        return cls(store, is_needed)

    def list(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[ObjectState]:
        """As the store's own, in key order; raises what a HEAD raises."""
        listed = iter(self._store.list(bucket, prefix, start_after))
        waiting: deque[ObjectState | Future[ObjectState | None]] = deque()
        with ThreadPoolExecutor(HEADS_AT_ONCE, thread_name_prefix="head") as pool:
            try:
                # A window: what was listed and not passed on stays bounded.
                for state in islice(listed, 2 * HEADS_AT_ONCE):
                    waiting.append(self._complete(pool, prefix, state))
                while waiting:
                    first = waiting.popleft()
                    whole = first.result() if isinstance(first, Future) else first
                    for state in islice(listed, 1):
                        waiting.append(self._complete(pool, prefix, state))
                    if whole is not None:
                        yield whole
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _complete(
        self, pool: ThreadPoolExecutor, prefix: str, state: ObjectState
    ) -> ObjectState | Future[ObjectState | None]:
        # What is under the reserved prefix is listed for itself.
        is_aside = state.ref.key.startswith(RESERVED_PREFIX) and not prefix.startswith(RESERVED_PREFIX)
        if state.content_type or is_aside or not self._is_needed(state.ref):
            return state
        self.extra_requests += 1
        return pool.submit(self._store.head, state.ref)
