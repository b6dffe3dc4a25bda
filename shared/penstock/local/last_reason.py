"""Why an object is still pending: an attempt that waits, or a dead letter, as a local stack or a bridge knows it."""

import base64
import http.client
import json
import time
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from penstock.connect.bridge.broker_dead_letters import subscriber_of
from penstock.connect.bridge.settings import BROKER, SELF
from penstock.delivery.attempts import NextAttempt
from penstock.errors import TemporaryError
from penstock.local.address import kept_gateway
from penstock.local.console.remote.bridge import BridgeInbox
from penstock.types import ObjectRef

_TIMEOUT_SECONDS: Final = 5.0
_LETTERS: Final = 10_000  # a bridge keeps no more that a Broker gave up


def last_reason(data: Path, function: str, ref: ObjectRef) -> str:
    """What came of the last attempt of `function` for `ref`, in words; empty when that is not known.

    It asks the console of the stack that runs on the folder `data`. A stack that does not answer knows nothing.
    """
    gateway = kept_gateway(data)
    if gateway is None:
        return ""
    url, password = gateway
    login = base64.b64encode(f"admin:{password}".encode()).decode()
    query = urlencode({"bucket": ref.bucket, "key": ref.key})
    request = urllib.request.Request(f"{url}/ui/about?{query}", headers={"Authorization": f"Basic {login}"})  # noqa: S310
    # The proxy of the environment is not for this machine's own address.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
            about = json.load(response)
        waiting = [each for each in about["waiting"] if each["function"] == function]
        letters = [each for each in about["dead_letters"] if each["function"] == function]
        return _in_words(waiting, letters, "after mending it: penstock dlq replay {}")
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return ""  # it ended, or another server has taken its port


class BridgeReasons:
    """What a bridge tells of objects; its dead letters are read once."""

    def __init__(self, inbox: BridgeInbox) -> None:
        self._inbox = inbox
        self._letters: list[dict[str, Any]] | None = None

    def last_reason(self, function: str, ref: ObjectRef) -> str:
        """What came of the last attempt of `function` for `ref`, in words; empty when the bridge does not know.

        Where the bridge hands events to a Broker, what waits there concerns every function, and only dead letters name
        theirs. Raises `TemporaryError` when the bridge does not answer, or as no bridge does.
        """
        named = f"{ref.bucket}/{ref.key}"
        if self._letters is None:
            self._letters = self._inbox.letters(0, _LETTERS)
        try:
            waiting = [
                each
                for each in self._inbox.overview()["waiting"]
                if each["object"] == named and each["function"] in (function, BROKER)
            ]
            letters = [each for each in self._letters if each["object"] == named and _function_of(each) == function]
            return _in_words(waiting, letters, "dead letter {} of the bridge")
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise TemporaryError(f"bridge {self._inbox.url}: it cannot be read: {exc!r}; check its version") from exc


def _function_of(letter: Mapping[str, Any]) -> str:
    """The function that gave up; a letter of a Broker is replayed to the bridge itself, and its reason names it."""
    if letter["function"] == SELF:
        return subscriber_of(letter["reason"].partition(": ")[0])
    return str(letter["function"])


def _in_words(waiting: Iterable[Mapping[str, Any]], letters: Iterable[Mapping[str, Any]], then: str) -> str:
    """An attempt that waits comes first: a dead letter of the same object is older. `then` is for its id."""
    for each in waiting:
        next_attempt = NextAttempt(**each)
        return f"{next_attempt.text(time.time())}: {next_attempt.reason}"
    last = max(letters, key=lambda each: float(each["died"]), default=None)
    return f"given up: {last['reason']}; {then.format(last['id'])}" if last else ""
