"""The object store: whether it answers, has the buckets that functions name, and agrees about the time."""

import time
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from penstock.doctor.finding import Finding, Grade
from penstock.errors import PenstockError
from penstock.lake.minio_buckets import Buckets
from penstock.settings.config import StoreSettings
from penstock.settings.stackfile import FunctionSpec
from penstock.sinks.wiring import outputs
from penstock.store.profile import answer_headers, profile_of

# S3 refuses a request that is signed 15 minutes off; MinIO and the local store do, too.
_REFUSED_SECONDS: Final = 900
_NOTED_SECONDS: Final = 60


def examine_store(settings: StoreSettings, specs: Iterable[FunctionSpec]) -> Iterator[Finding]:
    """What holds there; one finding alone when it does not answer."""
    try:
        present = Buckets(settings).names()
    except PenstockError as exc:
        yield Finding(Grade.PROBLEM, "store", str(exc), "start it, or correct MINIO_ENDPOINT and its credentials")
        return
    yield Finding(Grade.GOOD, "store", f"{settings.endpoint} answers with {len(present)} buckets")
    specs = list(specs)
    headers = answer_headers(settings)
    if headers:
        yield profile_finding(profile_of(headers), {spec.config().store_profile for spec in specs})
    yield from _clock(str(headers.get("Date") or ""))
    for bucket, functions in sorted(buckets_of(specs).items()):
        subject, used = f"bucket {bucket}", ", ".join(sorted(functions))
        if bucket in present:
            yield Finding(Grade.GOOD, subject, f"is there, for {used}")
        else:
            yield Finding(Grade.PROBLEM, subject, f"is not there, and {used} needs it", "run `penstock lake apply`")


def buckets_of(specs: Iterable[FunctionSpec]) -> Mapping[str, set[str]]:
    """Each bucket of a SOURCE or a SINK, with the functions that name it."""
    found: dict[str, set[str]] = {}
    for spec in specs:
        config = spec.config()
        for name in {rule.bucket for rule in (*config.sources, *outputs(config))}:
            found.setdefault(name, set()).add(spec.name)
    return found


def profile_finding(detected: str, set_profiles: set[str]) -> Finding:
    """Which store it is, beside what STORE_PROFILE of the functions says."""
    wrong = sorted(set_profiles - {"auto", detected})
    same_name = detected == "minio" and set(wrong) <= {"silo", "aistor"}
    # An S3 endpoint of another store, and a store behind a proxy, do not say what is behind them.
    if wrong and not same_name and detected != "s3" and not set(wrong) & {"gcs", "azure"}:
        return Finding(
            Grade.PROBLEM,
            "profile",
            f"the store calls itself {detected}, and STORE_PROFILE says {', '.join(wrong)}",
            "correct it, or set auto; keys in events would be read as the other store writes them",
        )
    return Finding(Grade.GOOD, "profile", f"the store is of the kind {detected} (docs/stores.md)")


def clock_finding(server_seconds: float, own_seconds: float) -> Finding:
    """How far the store's clock is from this machine's, both in seconds since 1970."""
    off = server_seconds - own_seconds
    text = f"the store's clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} this machine's"
    remedy = "set both by NTP; requests that are signed 15 minutes off are refused"
    if abs(off) >= _REFUSED_SECONDS:
        return Finding(Grade.PROBLEM, "clock", text, remedy)
    if abs(off) >= _NOTED_SECONDS:
        return Finding(Grade.NOTE, "clock", text, remedy)
    return Finding(Grade.GOOD, "clock", "the store's and this machine's agree within a minute")


def _clock(told: str) -> Iterator[Finding]:
    if told:
        yield clock_finding(parsedate_to_datetime(told).timestamp(), time.time())
    else:
        yield Finding(Grade.NOTE, "clock", "the store's answers have no Date, so its clock is not known")
