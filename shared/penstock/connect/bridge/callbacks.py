"""Tells the URLs of OUTCOME_URLS how deliveries ended, from a file of its own beside the inbox.

What is to be told is on disk before the inbox forgets the event, so a kill loses none, and some are told twice. Nothing
here holds up a delivery: a full disk, a full file and a receiver that does not answer cost outcomes, and each of these
is counted as given up.
"""

import logging
import re
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from penstock.connect.bridge.outcomes import outcome_of
from penstock.delivery.deliverer import Message, Policy
from penstock.delivery.http import HttpTarget
from penstock.delivery.inbox import RESERVE_BYTES, Inbox
from penstock.delivery.inbox_sender import CLAIM_LIMIT, EndedDelivery, InboxSender
from penstock.delivery.measures import DeliveryMeasures
from penstock.delivery.reserve import free_bytes_of
from penstock.delivery.verdict import DeliveryOutcome, Verdict
from penstock.errors import ConfigError, TemporaryError
from penstock.process import metric_table

MOST_URLS: Final = 8
MOST_WAITING: Final = 10_000  # for one URL
# A file of SQLite never becomes smaller, and what it takes is lost to the events on the same volume.
MOST_BYTES: Final = 128 * 1024 * 1024
MOST_SECONDS: Final = 10.0  # for one request and its answer
_CONCURRENCY: Final = 4
_IN_FLIGHT: Final = 100
# Callbacks leave this much of the volume free, so that events still find a place where callbacks do not.
_RESERVE_BYTES: Final = 4 * RESERVE_BYTES
_BUSY_SECONDS: Final = 1.0  # another program that reads the file must not hold up the deliveries
_NAMED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)=")

_log = logging.getLogger("penstock.connect")


@dataclass(frozen=True, slots=True)
class CallbackConfig:
    """Where outcomes go, and how hard each is tried; without targets nothing is told."""

    targets: tuple[HttpTarget, ...] = ()
    policy: Policy = field(default_factory=Policy)


def read_callbacks(text: str, keys: tuple[bytes, ...], ca_file: str | None, policy: Policy) -> CallbackConfig:
    """Read `[NAME=]URL ...`; raises `ConfigError` with every problem found, which shows no path of a URL.

    >>> [target.name for target in read_callbacks("shop=https://example.com/a", (), None, Policy()).targets]
    ['shop']
    """
    problems: list[str] = []
    targets: list[HttpTarget] = []
    for number, word in enumerate(text.split(), 1):
        named = _NAMED.match(word)
        url = word[named.end() :] if named else word
        try:
            targets.append(HttpTarget(named[1] if named else _host(url), url, ca_file=ca_file, keys=keys))
        except ConfigError:  # its text would show the URL, which may hold a token
            problems.append(f"OUTCOME_URLS: number {number}: expected [NAME=]http://HOST[:PORT]/PATH or https://..., ")
            problems[-1] += "without a user or a password"
    names = [target.name for target in targets]
    if len(set(names)) < len(names):
        problems.append(f"OUTCOME_URLS: the names {', '.join(names)} must differ; write NAME=URL")
    if len(names) > MOST_URLS:
        problems.append(f"OUTCOME_URLS: {len(names)} URLs; at most {MOST_URLS}")
    if problems:
        raise ConfigError(*problems)
    bounded = replace(
        policy,
        timeout_seconds=min(policy.timeout_seconds, MOST_SECONDS),
        concurrency=_CONCURRENCY,
        max_in_flight=_IN_FLIGHT,
        batch=1,
    )
    return CallbackConfig(tuple(targets), bounded)


def outcome_words(given: Sequence[str]) -> tuple[str, ...]:
    """URLs as OUTCOME_URLS has them, each with its name: `NAME=URL`. Raises `ConfigError`.

    >>> outcome_words(["https://shop.example.com/hook"])
    ('shop.example.com=https://shop.example.com/hook',)
    """
    if any(len(each.split()) != 1 for each in given):
        raise ConfigError("--outcome-url: expected one [NAME=]URL each; give the flag once for each URL")
    targets = read_callbacks(" ".join(given), (), None, Policy()).targets
    return tuple(f"{target.name}={target.url}" for target in targets)


def callbacks_file(inbox: Path) -> Path:
    """The file that keeps what is to be told, beside the inbox.

    >>> str(callbacks_file(Path("/data/inbox.db")))
    '/data/inbox-outcomes.db'
    """
    return inbox.with_name(f"{inbox.stem}-outcomes{inbox.suffix}")


class Callbacks:
    """Tells each URL each outcome, at least once unless it is given up; in order for one object.

    `told` may be called from any thread, and does not raise. The constructor and `start` raise `ConfigError` for a file
    that cannot be used.
    """

    def __init__(self, config: CallbackConfig, file: Path, measures: DeliveryMeasures) -> None:
        self._names = [target.name for target in config.targets]
        self._inbox = Inbox(
            file,
            max_pending=MOST_WAITING * len(self._names),
            reserve_bytes=_RESERVE_BYTES,
            busy_timeout_seconds=_BUSY_SECONDS,
            free_bytes=partial(_free_bytes, file),
        )
        self._sender = InboxSender(
            self._inbox, config.targets, config.policy, observe=self._observe, given_up=self._given_up
        )
        self._ended = measures.counter(metric_table.OUTCOMES)
        for name in self._names:
            for end in ("sent", "given_up"):
                self._ended.labels(name, end)
        measures.gauge(metric_table.OUTCOMES_PENDING, self._pending)
        self._waiting = dict.fromkeys(self._names, 0)  # counted here, for to count rows takes long where many wait
        self._lock = threading.Lock()

    def start(self) -> None:
        """Go on with what an earlier run has not told; what was for a name that is gone is given up."""
        self._waiting = {**dict.fromkeys(self._names, 0), **self._inbox.pending_by_target()}
        self._sender.start()
        for name in self._inbox.targets() - set(self._names):
            while left := self._inbox.claim(name, CLAIM_LIMIT):
                self._inbox.finish([each.receipt for each in left])
                self._give_up(name, len(left), "OUTCOME_URLS does not name it any more")

    def told(self, ended: Sequence[EndedDelivery]) -> None:
        """Keep the outcomes of deliveries until they are told."""
        made = [told for message, verdict in ended if (told := _told_of(message, verdict)) is not None]
        fitting: list[Message] = []
        for name in self._names:
            room = self._enter(name, len(made))
            fitting += [replace(message, target=name) for message in made[:room]]
            if room < len(made):
                self._give_up(name, len(made) - room, f"{MOST_WAITING} wait already; see why it does not answer")
        try:
            self._inbox.put(fitting)
        except TemporaryError as exc:
            for name, count in Counter(message.target for message in fitting).items():
                self._leave(name, count)
                self._give_up(name, count, f"{exc} (outcomes may take {MOST_BYTES} bytes)")

    def stop(self, timeout_seconds: float) -> None:
        """Finish the requests under way; the rest is told by the next run."""
        self._sender.stop(timeout_seconds)
        self._inbox.close()

    def _observe(self, message: Message[object], verdict: Verdict, _seconds: float) -> None:
        """On the sender's thread: an attempt has ended."""
        if verdict.outcome is DeliveryOutcome.DELIVERED:
            self._ended.labels(message.target, "sent").inc()
        if verdict.outcome is not DeliveryOutcome.RETRY:
            self._leave(message.target)

    def _given_up(self, message: Message[object], verdict: Verdict) -> None:
        self._give_up(message.target, 1, verdict.reason)

    def _give_up(self, name: str, count: int, reason: str) -> None:
        self._ended.labels(name, "given_up").inc(count)
        _log.error("outcomes for %s: %d given up: %s", name, count, reason)

    def _enter(self, name: str, count: int) -> int:
        """Reserve room for up to `count` more; how much there was."""
        with self._lock:
            room = max(0, min(count, MOST_WAITING - self._waiting[name]))
            self._waiting[name] += room
        return room

    def _leave(self, name: str, count: int = 1) -> None:
        with self._lock:
            self._waiting[name] -= count

    def _pending(self) -> list[tuple[dict[str, str], float]]:
        pending = self._inbox.pending_by_target()
        return [({"to": name}, pending.get(name, 0)) for name in self._names]


def _told_of(message: Message[object], verdict: Verdict) -> Message | None:
    """What is told of a delivery, to a target that is filled in later; None where nothing is."""
    event = outcome_of(message, verdict)
    if event is None:
        return None
    trace = {"traceparent": found} if (found := message.headers.get("traceparent")) else {}
    subject, identity = event.attributes["subject"], event.attributes["id"]
    return Message(subject, event.data, event.http_headers() | trace, f"outcome {identity} of {subject}")


def _free_bytes(file: Path, folder: Path) -> int:
    """What the volume has free, and the reserve alone once the file is as large as it may be."""
    return min(free_bytes_of(folder), max(0, MOST_BYTES - file.stat().st_size) + _RESERVE_BYTES)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or "url"
    except ValueError:
        return "url"
