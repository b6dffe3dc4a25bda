"""Signed requests: who sent them, that the body is whole, and when (Standard Webhooks, specification 1.0).

The signature is over `ID.TIMESTAMP.BODY` with HMAC-SHA256, and stands in `webhook-signature` as `v1,BASE64`, several of
them with a space between. `webhook-timestamp` is in seconds since 1970.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from penstock.errors import Unauthorized

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
# How far the sender's clock may be from ours, and how long a request can be sent once more by another program.
TOLERANCE_SECONDS: Final = 300
# A sender has two keys at most.
_MOST_SIGNATURES: Final = 8
_SECONDS: Final = r"[0-9]{1,15}"


def signature_headers(keys: Sequence[bytes], message_id: str, body: bytes, now: float) -> dict[str, str]:
    """The three headers of one attempt; each key signs, so that either may be known to the receiver."""
    timestamp = str(int(now))
    start = f"{message_id}.{timestamp}.".encode()
    signatures = [_text(hmac.new(key, start + body, hashlib.sha256)) for key in keys]
    return {ID_HEADER: message_id, TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: " ".join(signatures)}


class SignatureCheck:
    """Which signed requests are taken: those that one of `keys` signed, within `TOLERANCE_SECONDS`."""

    def __init__(self, keys: Sequence[bytes], clock: Callable[[], float] = time.time) -> None:
        self._keys = tuple(keys)
        self._clock = clock

    def checked(self, header: Callable[[str], str | None], chunks: Iterable[bytes]) -> Iterable[bytes]:
        """The body's chunks. After the last one `Unauthorized` is raised unless the signature is right.

        `header` gives a header by its name. Nothing may be done with the body before its end. Where a header is
        missing or the time is too far away it is raised here, before anything is read. Without keys the chunks are
        passed as they are.
        """
        if not self._keys:
            return chunks
        message_id, timestamp, given = (header(name) or "" for name in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER))
        if not message_id or not given or not re.fullmatch(_SECONDS, timestamp):
            raise Unauthorized(
                f"the request is not signed: send {ID_HEADER}, {TIMESTAMP_HEADER} and {SIGNATURE_HEADER}, made with the"
                " function's FUNCTION_HMAC_KEY"
            )
        if abs(self._clock() - int(timestamp)) > TOLERANCE_SECONDS:
            raise Unauthorized(
                f"{TIMESTAMP_HEADER} is more than {TOLERANCE_SECONDS} seconds away from this clock; sign each attempt"
                " anew, and check both clocks"
            )
        start = f"{message_id}.{timestamp}.".encode()
        return self._until_checked(start, given.split(" ")[:_MOST_SIGNATURES], chunks)

    def _until_checked(self, start: bytes, given: Sequence[str], chunks: Iterable[bytes]) -> Iterator[bytes]:
        macs = [hmac.new(key, start, hashlib.sha256) for key in self._keys]
        for chunk in chunks:
            for mac in macs:
                mac.update(chunk)
            yield chunk
        # All are compared, each in constant time: the time of the answer tells nothing.
        wanted = [_text(mac).encode() for mac in macs]
        matches = [hmac.compare_digest(each.encode(), text) for each in given for text in wanted]
        if not any(matches):
            raise Unauthorized(f"{SIGNATURE_HEADER} is not that of this body; check FUNCTION_HMAC_KEY on both sides")


def _text(mac: hmac.HMAC) -> str:
    return f"v1,{base64.b64encode(mac.digest()).decode('ascii')}"
