"""Whether a server can listen on a port, checked before it tries."""

import errno
import os
import socket


def port_problem(host: str, port: int, *, remedy: str = "PORT or --port") -> list[str]:
    """What is wrong with an address to listen on, as a list of one text with the remedy, or an empty list.

    gunicorn itself would try five times, a second apart, and then not say what to do.
    """
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as exc:
        # Negative numbers come from getaddrinfo: the name does not resolve.
        if (exc.errno or 0) < 0 or exc.errno == errno.EADDRNOTAVAIL:
            return [f"{host}: not an address of this machine; name one of its addresses, or 0.0.0.0 for all"]
        return [f"{host}:{port}: {os.strerror(exc.errno or 0)}: choose another port with {remedy}"]
    return []
