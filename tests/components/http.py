"""One JSON request to a real server's HTTP API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3


class HttpError(Exception):
    """The server answered with an error status, which `status` holds; the message has the answer's text."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def request_json(
    method: str,
    url: str,
    body: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    ca_file: Path | None = None,
    timeout_seconds: float = 30,
) -> Any:
    """Send a request and parse the answer: JSON, or text where the server says so."""
    with urllib3.PoolManager(ca_certs=str(ca_file) if ca_file else None, retries=False) as pool:
        response = pool.request(method, url, json=body, headers=headers, timeout=timeout_seconds)
    text = response.data.decode("utf-8", errors="replace")
    if response.status >= 400:
        raise HttpError(f"{method} {url}: {response.status} {text}", response.status)
    return json.loads(text) if "json" in response.headers.get("Content-Type", "") else text
