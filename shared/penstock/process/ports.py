"""Whether a port can be listened on, said in words before a server tries."""

import errno
import os
import socket


def port_problem(host: str, port: int, *, remedy: str = "PORT or --port") -> list[str]:
    """gunicorn would try five times, a second apart, and then not say what to do."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as exc:
        # Negative ones are getaddrinfo's: the name leads nowhere.
        if (exc.errno or 0) < 0 or exc.errno == errno.EADDRNOTAVAIL:
            return [f"{host}: is no address of this machine; name one that is, or 0.0.0.0 for all"]
        return [f"{host}:{port}: {os.strerror(exc.errno or 0)}: choose another port with {remedy}"]
    return []
