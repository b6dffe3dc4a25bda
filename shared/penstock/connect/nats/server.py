"""Where NATS servers are and how to log in, from flags and environment."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from penstock.connect import settings
from penstock.connect.settings import Flags
from penstock.errors import ConfigError
from penstock.settings.plaintext import has_login, warn_if_plain, without_login
from penstock.settings.secrets import read_secret

if TYPE_CHECKING:
    from nats.aio.client import Client

CONNECT_SECONDS = 5
# A server that is frozen keeps its connections open: two pings without an answer end one.
PING_SECONDS = 5


@dataclass(frozen=True, slots=True)
class NatsServers:
    """How to reach the servers of one cluster. Connectors of one `group` share the messages of a subject."""

    urls: tuple[str, ...]
    group: str = "penstock"
    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    ca_file: str | None = None

    def __str__(self) -> str:
        return ", ".join(self.urls)


def servers_from(flags: Flags, env: Mapping[str, str]) -> NatsServers:
    """The servers of flags and environment; NATS_USERNAME, NATS_PASSWORD and NATS_TOKEN as secrets.

    Raises `ConfigError`.
    """
    text = flags.url or env.get("NATS_URL", "")
    urls = tuple(each.strip() for each in text.split(","))
    if not all(_is_server(url) for url in urls):
        shown = ", ".join(map(without_login, urls))
        raise ConfigError(
            f"NATS_URL={shown!r}: expected nats://HOST:4222 or tls://HOST:4222, several separated by commas, user and "
            "password in settings of their own"
        )
    username, password, token = (read_secret(env, name) for name in ("NATS_USERNAME", "NATS_PASSWORD", "NATS_TOKEN"))
    if bool(username) != bool(password):
        raise ConfigError("NATS_USERNAME and NATS_PASSWORD go together; set both or none")
    if username and token:
        raise ConfigError("NATS_TOKEN and NATS_USERNAME: set one of them")
    for url in urls:
        if password or token:
            warn_if_plain(url, "NATS_PASSWORD" if password else "NATS_TOKEN")
    group = flags.group or "penstock"
    if any(each in group for each in " .*>/\\\t\r\n"):
        raise ConfigError(f"--group {group!r}: a name of NATS has no spaces, no dots and none of * > / \\")
    return NatsServers(urls, group, username, password, token, settings.ca_file_from(flags, env))


async def connect_to(servers: NatsServers) -> "Client":
    """One connection that does not connect again by itself. Raises `OSError`, or an error of nats-py.

    A server of `tls://` that offers no TLS gets no login.
    """
    from nats.aio.client import Client

    class StrictClient(Client):
        """Speaks TLS where the URL says so: nats-py asks the server, and one that is forged says no."""

        async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
            if self._current_server is not None and self._current_server.uri.scheme == "tls":
                info["tls_required"] = True
            await super()._process_info(info, initial_connection)

    async def ignore(_error: Exception) -> None:
        """What goes wrong is raised by the call that it concerns."""

    client = StrictClient()
    options = {"user": servers.username, "password": servers.password} if servers.username else {}
    if servers.token:
        options["token"] = servers.token
    tls = any(url.startswith("tls:") for url in servers.urls)
    await client.connect(
        list(servers.urls),
        error_cb=ignore,
        name="penstock",
        allow_reconnect=False,
        max_reconnect_attempts=0,
        connect_timeout=CONNECT_SECONDS,
        ping_interval=PING_SECONDS,
        tls=ssl.create_default_context(cafile=servers.ca_file) if tls else None,
        **options,  # type: ignore[arg-type]
    )
    return client


def servers_answer(servers: NatsServers) -> bool:
    """Whether a server lets a client in that connects now; one that is frozen does not."""
    import asyncio

    from nats.errors import Error

    async def ask() -> None:
        client = await asyncio.wait_for(connect_to(servers), 2 * CONNECT_SECONDS)
        await client.close()

    try:
        asyncio.run(ask())
    except (Error, OSError, TimeoutError):
        return False
    return True


def _is_server(url: str) -> bool:
    try:
        found = urlsplit(url)
        _ = found.port
    except ValueError:
        return False
    return found.scheme in ("nats", "tls") and bool(found.hostname) and not has_login(url) and not found.path
