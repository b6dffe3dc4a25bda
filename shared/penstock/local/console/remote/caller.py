"""Calls of a lake's functions by the console: with their token, signed, and by TLS with a private authority."""

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from penstock.connect import rest
from penstock.events.signature import signature_headers

_ASK_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class FunctionCaller:
    """What functions want to see of their callers: headers, and keys with which each body is signed.

    `ca_file` is a PEM file with the authority of https addresses, None for those that the system trusts.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    keys: Sequence[bytes] = field(default=(), repr=False)
    ca_file: str | None = None

    def send(self, name: str, method: str, url: str, body: bytes | None = None) -> rest.ServerAnswer:
        """Send one request, a body as JSON; raises `TemporaryError` when the function `name` does not answer."""
        headers = dict(self.headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
            if self.keys:
                headers |= signature_headers(self.keys, uuid.uuid4().hex, body, time.time())
        return rest.send(
            method, url, what=name, headers=headers, body=body, ca_file=self.ca_file, timeout_seconds=_ASK_SECONDS
        )
