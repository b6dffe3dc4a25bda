"""What a Knative Broker has given up: a CloudEvent whose extensions say who refused it, and how.

`knativeerrordest`, `knativeerrorcode` and `knativeerrordata` (base64, the start of the last answer) are set by the
Broker that retried in vain: https://knative.dev/docs/eventing/event-delivery/.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from penstock.delivery.deliverer import Message

_REASON_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class BrokerDeadLetter:
    """A dead letter to keep: `code` is the last status, 0 when there was no answer; `data` the start of the answer."""

    message: Message
    code: int
    reason: str
    data: bytes


def read_broker_dead_letter(headers: Mapping[str, str], body: bytes, target: str) -> BrokerDeadLetter:
    """Read a request to a dead letter sink; whatever it holds, it is kept. `target` is who gets it when replayed.

    `headers` may have any case. Only the content type travels on: the event's attributes are made anew from its body.
    """
    given = {name.lower(): value for name, value in headers.items()}
    destination = given.get("ce-knativeerrordest", "")
    code = given.get("ce-knativeerrorcode", "")
    data = _decoded(given.get("ce-knativeerrordata", ""))
    kind, identity = given.get("ce-type", "no CloudEvent"), given.get("ce-id", "")
    answer = data.decode("utf-8", "replace").strip() or "no answer was kept"
    return BrokerDeadLetter(
        Message(
            "", body, {"content-type": given.get("content-type", "application/json")}, f"{kind} {identity}", target
        ),
        int(code) if code.isdecimal() else 0,
        f"{destination or 'a subscriber'}: {answer}"[:_REASON_CHARACTERS],
        data,
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):  # some versions send the answer as it was
        return text.encode("utf-8", "surrogateescape")
