"""What a server that listens on this machine only asks of a request: not to come from a web page of another server.

A page that a user has open can send requests to local servers. It does so under a name of its own that leads to this
machine (DNS rebinding), which the header Host shows. Or it posts there directly, which the header Origin shows.
"""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def is_loopback(host: str) -> bool:
    """Whether a server that listens on this name or address is reached from its own machine only.

    >>> is_loopback("127.0.0.2"), is_loopback("0.0.0.0")
    (True, False)
    """
    return host in LOOPBACK or host.startswith("127.")


def page_problem(host: str, origin: str, hosts: Collection[str], *, server: str) -> str:
    """Why `server`, which answers to the names `hosts`, refuses a request with these headers Host and Origin, or "".

    >>> page_problem("localhost:8080", "http://evil.example", LOOPBACK, server="this function")
    "Origin 'http://evil.example': pages of other servers may not call this function"
    """
    name = host_of(f"//{host}")
    if name not in hosts:
        return f"Host {name!r}: {server} answers to {', '.join(sorted(hosts))} only"
    if origin and not (host_of(origin) and urlsplit(origin).netloc == host):
        is_own = host_of(origin) in hosts and host_of(origin) not in LOOPBACK
        remedy = "; a proxy in between must pass on the browser's Host" if is_own else ""
        return f"Origin {origin!r}: pages of other servers may not call {server}{remedy}"
    return ""


def host_of(url: str) -> str:
    """The host in a URL, "" for a malformed one."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
