"""Why an object is still pending, as the local stack that runs knows it: an attempt that waits, or a dead letter."""

import base64
import http.client
import json
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from penstock.delivery.attempts import NextAttempt
from penstock.local.address import kept_gateway
from penstock.types import ObjectRef

_TIMEOUT_SECONDS: Final = 5.0


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
            return _in_words(json.load(response), function, time.time())
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return ""  # it ended, or another server has taken its port


def _in_words(about: Mapping[str, Any], function: str, now: float) -> str:
    """An attempt that waits comes first: a dead letter of the same object is older."""
    for each in about["waiting"]:
        if each["function"] == function:
            waiting = NextAttempt(**each)
            return f"{waiting.text(now)}: {waiting.reason}"
    letters = [each for each in about["dead_letters"] if each["function"] == function]
    if not letters:
        return ""
    last = max(letters, key=lambda each: float(each["died"]))
    return f"given up: {last['reason']}; after mending it: penstock dlq replay {last['id']}"
