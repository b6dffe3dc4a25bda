"""What a Knative Broker has given up: a CloudEvent whose extensions say which subscriber refused it, and how.

`knativeerrordest`, `knativeerrorcode` and `knativeerrordata` (base64, the start of the last answer) are set by the
Broker that retried in vain: https://knative.dev/docs/eventing/event-delivery/.
"""

import base64
import binascii
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from penstock.delivery.deliverer import Message
from penstock.errors import TemporaryError

_REASON_CHARACTERS = 400
_STATUS = re.compile("[0-9]{1,3}")


@dataclass(frozen=True, slots=True)
class BrokerDeadLetter:
    """A dead letter to keep.

    `code` is the last status, 0 when there was no answer. `data` is the start of the answer. `function` is the name of
    the subscriber, as far as its address tells it.
    """

    message: Message
    code: int
    reason: str
    data: bytes
    function: str


class BrokerDeadLetterLimits:
    """How much a Broker's dead letters may take of the bridge's disk: a number of letters, and bytes of their bodies.

    The bytes are counted from the start of the process, and from anew when the inbox has no dead letter any more.
    """

    def __init__(self, max_letters: int = 10_000, max_bytes: int = 128 * 1024 * 1024) -> None:
        self._max_letters = max_letters
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()

    def admit(self, size: int, kept: int) -> None:
        """Count a letter of `size` bytes; `kept` dead letters are in the inbox. Raises `TemporaryError` when full."""
        with self._lock:
            taken = self._bytes if kept else 0
            if kept >= self._max_letters or taken + size > self._max_bytes:
                raise TemporaryError(
                    f"dead letters: {kept} are kept, {taken} bytes came from the Broker; at most {self._max_letters} "
                    f"and {self._max_bytes} bytes: see them with `penstock dlq list`, then replay or drop them"
                )
            self._bytes = taken + size


def read_broker_dead_letter(
    headers: Mapping[str, str], body: bytes, target: str, *, authenticated: bool
) -> BrokerDeadLetter:
    """Read a request to a dead letter sink; it is kept, also when it is malformed. `target` gets it when replayed.

    `headers` may have any case. Only the content type travels on: the event's attributes are made anew from its body.
    The message's origin says when the sender was not `authenticated`.
    """
    given = {name.lower(): value for name, value in headers.items()}
    destination = given.get("ce-knativeerrordest", "")
    code = given.get("ce-knativeerrorcode", "")
    data = _decoded(given.get("ce-knativeerrordata", ""))
    kind, identity = given.get("ce-type", "no CloudEvent"), given.get("ce-id", "")
    answer = data.decode("utf-8", "replace").strip() or "no answer was kept"
    origin = f"{kind} {identity}" if authenticated else f"{kind} {identity}, sender not authenticated"
    return BrokerDeadLetter(
        Message("", body, {"content-type": given.get("content-type", "application/json")}, origin, target),
        int(code) if _STATUS.fullmatch(code) else 0,
        f"{destination or 'a subscriber'}: {answer}"[:_REASON_CHARACTERS],
        data,
        subscriber_of(destination),
    )


def subscriber_of(destination: str) -> str:
    """The function at a subscriber's address: the first part of the host's name, a Service's name inside a cluster."""
    try:
        host = urlsplit(destination).hostname or ""
    except ValueError:
        host = ""
    return host.partition(".")[0] or "subscriber"


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # some versions send the answer as it was
        return text.encode("utf-8", "surrogateescape")
