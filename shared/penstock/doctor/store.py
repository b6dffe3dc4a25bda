"""The object store: whether it answers, has the buckets that functions name, and agrees about the time."""

import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from penstock.doctor.finding import Finding, Grade
from penstock.errors import PenstockError
from penstock.lake.minio_buckets import Buckets
from penstock.settings.config import StoreSettings
from penstock.settings.stackfile import FunctionSpec
from penstock.sinks.wiring import outputs

# S3 refuses a request that is signed 15 minutes off; MinIO and the local store do, too.
_REFUSED_SECONDS: Final = 900
_NOTED_SECONDS: Final = 60
_ANSWER_SECONDS: Final = 10


def examine_store(settings: StoreSettings, specs: Iterable[FunctionSpec]) -> Iterator[Finding]:
    """What holds there; one finding alone when it does not answer."""
    try:
        present = Buckets(settings).names()
    except PenstockError as exc:
        yield Finding(Grade.PROBLEM, "store", str(exc), "start it, or correct MINIO_ENDPOINT and its credentials")
        return
    yield Finding(Grade.GOOD, "store", f"{settings.endpoint} answers with {len(present)} buckets")
    yield from _clock(settings)
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


def _clock(settings: StoreSettings) -> Iterator[Finding]:
    told = _date(settings)
    if told:
        yield clock_finding(parsedate_to_datetime(told).timestamp(), time.time())
    else:
        yield Finding(Grade.NOTE, "clock", "the store's answers have no Date, so its clock is not known")


def _date(settings: StoreSettings) -> str:
    """The Date header of any answer; a refusal has one, too."""
    context = ssl.create_default_context(cafile=str(settings.ca_file)) if settings.ca_file else None
    request = urllib.request.Request(settings.endpoint, method="HEAD")  # noqa: S310 - the setting is checked: http or https
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS, context=context) as answer:  # noqa: S310
            return str(answer.headers.get("Date", ""))
    except urllib.error.HTTPError as refused:
        return refused.headers.get("Date", "")
    except OSError:
        return ""
