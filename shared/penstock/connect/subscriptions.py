"""Which functions want which topics: `topic=URL` pairs, the annotations in stack.yml, or those behind a gateway."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from penstock.connect.openfaas import OpenFaasGateway
from penstock.connect.settings import named_target
from penstock.delivery.http import HttpTarget
from penstock.errors import ConfigError, TemporaryError

RETRY_SECONDS = 5.0
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

_log = logging.getLogger("penstock.connect")


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """The targets, and for each topic the names of those that want it."""

    targets: Mapping[str, HttpTarget]
    topics: Mapping[str, tuple[str, ...]]

    def signed(self, keys: Sequence[bytes]) -> "Subscriptions":
        """The same, whose targets get signed requests."""
        targets = {name: replace(target, keys=tuple(keys)) for name, target in self.targets.items()}
        return replace(self, targets=targets)


def names_refused(kind: str, names: Iterable[str]) -> str:
    """What is said of names that no topic of this kind of broker can have; "" for none.

    >>> names_refused("Kafka", ["^.*"])
    '^.*: Kafka cannot have a topic of this name; change the annotation `topic`'
    """
    return "; ".join(
        f"{name[:80]}: {kind} cannot have a topic of this name; change the annotation `topic`" for name in names
    )


def collect(pairs: Iterable[tuple[str, HttpTarget]]) -> Subscriptions:
    """Put pairs of topic and target together."""
    targets: dict[str, HttpTarget] = {}
    topics: dict[str, tuple[str, ...]] = {}
    for topic, target in pairs:
        if targets.setdefault(target.name, target) != target:
            raise ConfigError(f"target {target.name}: given twice, as {targets[target.name].url} and {target.url}")
        if target.name not in topics.get(topic, ()):
            topics[topic] = (*topics.get(topic, ()), target.name)
    return Subscriptions(targets, topics)


def from_pairs(texts: Iterable[str], ca_file: str | None, headers: Mapping[str, str] = NO_HEADERS) -> Subscriptions:
    """Read `topic=URL`; `headers` go with every request. Raises `ConfigError` with every problem found."""
    pairs, problems = [], []
    for text in texts:
        topic, equals, url = text.partition("=")
        if not equals or not topic:
            problems.append(f"--to {text}: expected TOPIC=URL")
            continue
        try:
            pairs.append((topic, named_target(url, ca_file, headers)))
        except ConfigError as exc:
            problems += exc.problems
    if problems:
        raise ConfigError(*problems)
    return collect(pairs)


def from_annotations(
    functions: Iterable[tuple[str, Mapping[str, str]]],
    gateway: str,
    ca_file: str | None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Subscriptions:
    """From functions' names and annotations; `topic` holds names separated by commas."""
    return collect(
        (topic.strip(), HttpTarget(name, f"{gateway.rstrip('/')}/function/{name}", headers, ca_file))
        for name, annotations in functions
        for topic in annotations.get("topic", "").split(",")
        if topic.strip()
    )


def from_stack(
    path: Path,
    env: Mapping[str, str],
    gateway: str | None,
    ca_file: str | None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Subscriptions:
    """From a stack.yml; `gateway` overrides the one that it names."""
    from penstock.settings.stackfile import load_stack

    stack = load_stack(path, env)
    found = [(name, function.annotations) for name, function in stack.functions.items()]
    return from_annotations(found, gateway or stack.gateway, ca_file, headers)


def from_gateway(
    gateway: OpenFaasGateway, ca_file: str | None, headers: Mapping[str, str] = NO_HEADERS
) -> Subscriptions:
    """From the functions behind an OpenFaaS gateway; raises `TemporaryError` when it does not answer with them."""
    suffix = f".{gateway.namespace}" if gateway.namespace else ""
    found = [(each.name + suffix, each.annotations) for each in gateway.functions()]
    return from_annotations(found, gateway.url, ca_file, headers)


class Finder:
    """Finds out which function wants which topic, on a thread of its own, because a gateway may take its time.

    `discover` is called every `seconds`, or once when that is 0. While it raises `TemporaryError`, what was found
    last stays in force.
    """

    def __init__(self, discover: Callable[[], Subscriptions], seconds: float = 0.0) -> None:
        self._discover = discover
        self._seconds = seconds
        self._news: Subscriptions | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="finder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def news(self) -> Subscriptions | None:
        """What was found since the last call, None when nothing was."""
        news, self._news = self._news, None
        return news

    def _run(self) -> None:
        failed = False
        while not self._stopping.is_set():
            try:
                self._news = self._discover()
            except TemporaryError as exc:
                if not failed:
                    _log.error("%s", exc)
                failed = True
            else:
                failed = False
                if not self._seconds:
                    return
            self._stopping.wait(self._seconds or RETRY_SECONDS)
