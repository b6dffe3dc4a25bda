"""Compare one function's sources with its sink, and make what differs agree."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from penstock.errors import ConfigError
from penstock.reconcile.compare import Reconciler, Report, listed, narrowed
from penstock.reconcile.held import scratch
from penstock.reconcile.listing import WholeListings
from penstock.reconcile.place import Place
from penstock.reconcile.worker import DifferenceWorker
from penstock.runtime.assets import look_at
from penstock.runtime.runtime import Runtime
from penstock.settings.config import Config, SourceRule
from penstock.sinks.wiring import outputs
from penstock.store import Store

# A live worker's upload is younger than this; MinIO itself expires stale ones after 24 hours.
UPLOAD_AGE_SECONDS = 3600


def reconcile(
    runtime: Runtime,
    *,
    check: bool = False,
    prefix: str = "",
    since: datetime | None = None,
    concurrency: int = 8,
    adopt: bool = False,
    yes: bool = False,
    retry_refused: bool = False,
    resume: Path | None = None,
    upload_age_seconds: float = UPLOAD_AGE_SECONDS,
    tick: Callable[[], None] = lambda: None,
) -> Report:
    """Compare one function's sources with its sink and, unless `check`, make what differs agree.

    `retry_refused` tries every recorded refusal again. `resume` names a file: a run that was cut off goes on from the
    place that is kept there. `tick` is called once for each source that was compared.

    Raises `ConfigError` for a function without SOURCE or SINK, `TooManyRemovals`, and `TemporaryError` when a
    listing fails; then nothing has been removed.
    """
    config, store, sink = runtime.config, runtime.store, runtime.sink
    if store is None or sink is None or not config.sources:
        raise ConfigError(f"{config.function}: set SOURCE, SINK and MINIO_ENDPOINT, or name a stack file with --stack")
    place = Place(resume, _deciding(runtime, prefix, since, adopt=adopt, retry_refused=retry_refused))
    compare = Reconciler(
        runtime,
        store,
        sink,
        prefix=prefix,
        since=since,
        may_remove_many=yes or check,
        adopt=adopt,
        retry_refused=retry_refused,
    )
    report, asked_before = compare.report, _extra_requests(store)
    worker = DifferenceWorker(runtime, sink, report, concurrency=concurrency, adopt=adopt)

    def on_compared(rule: SourceRule, key: str) -> None:
        tick()
        if place.is_due(rule, key):
            worker.drain()
            # A place past an object that does not agree would let the next run pass it over.
            if not report.done["failed"] and not (check and report.differences):
                place.keep()

    try:
        with scratch() as held:
            for difference in compare.differences(held, compared_before=place.before, on_compared=on_compared):
                if not check:
                    worker.take(difference)
            worker.drain()
    finally:
        worker.close()
    place.forget()
    report.extra_requests = _extra_requests(store) - asked_before
    report.uploads = _abandoned_uploads(config, store, upload_age_seconds, dry_run=check)
    return report


def count_sources(config: Config, store: Store, prefix: str = "") -> Iterator[int]:
    """How many sources a run with this prefix looks at, told again after each key: the last number is the count.

    It costs the listing of the sources once more. Raises `TemporaryError` when a listing fails.
    """
    sources = (state for rule in narrowed(config, prefix) for state in listed(config, store, rule))
    return (number for number, _ in enumerate(sources, 1))


def _extra_requests(store: Store) -> int:
    return store.extra_requests if isinstance(store, WholeListings) else 0


def _deciding(runtime: Runtime, prefix: str, since: datetime | None, *, adopt: bool, retry_refused: bool) -> object:
    """What decides which objects agree, for the place that a run keeps."""
    config, function = runtime.config, runtime.function
    prints = sorted((name or "", made) for name, made in look_at(function, runtime.store).fingerprints.items())
    flags = (prefix, since is not None, adopt, retry_refused)
    filters = [str(rule) for rule in config.sources] if config.has_filters else []
    return (function.name, config.sink, config.max_input_bytes, prints, flags, *filters)


def _abandoned_uploads(config: Config, store: Store, age_seconds: float, *, dry_run: bool) -> tuple[str, ...]:
    rules = set(outputs(config))
    return tuple(key for rule in rules for key in store.abort_uploads(rule, age_seconds, dry_run=dry_run))
