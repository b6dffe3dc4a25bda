"""Whether the caller of a request still waits for its answer."""

import select
import socket
from collections.abc import Callable, Mapping
from typing import Any

# The other side sends no more, the connection is broken, the descriptor is closed already. macOS has no POLLRDHUP.
_LEFT = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR | select.POLLNVAL


def leaving_check(environ: Mapping[str, Any]) -> Callable[[], bool]:
    """A function that says whether this request's caller has closed its connection; it costs one system call.

    A caller that only ends its own side counts as gone too, as for Go's servers. Servers other than gunicorn give no
    socket, so their callers never count as gone.
    """
    sock: socket.socket | None = environ.get("gunicorn.socket")

    def has_left() -> bool:
        if sock is None:
            return False
        poll = select.poll()
        poll.register(sock.fileno(), _LEFT)
        return bool(poll.poll(0))

    return has_left
