"""Where NATS servers are and how to log in, from flags and environment."""

import argparse
import asyncio
from pathlib import Path

import pytest
from nats.errors import Error
from penstock.commands import connect_nats
from penstock.connect.nats.server import NatsServers, connect_to, servers_answer, servers_from
from penstock.errors import ConfigError

from tests.components.process import free_ports


def servers(env: dict[str, str], *flags: str) -> NatsServers:
    parser = argparse.ArgumentParser()
    connect_nats.add_arguments(parser)
    return servers_from(parser.parse_args(flags), env)


def test_servers_come_from_the_environment_and_secret_files(tmp_path: Path) -> None:
    (tmp_path / "nats-password").write_text("secret\n")
    urls = "tls://nats-0:4222, tls://nats-1:4222"

    found = servers({"NATS_URL": urls, "NATS_USERNAME": "lake", "SECRETS_DIR": str(tmp_path)})

    assert found.urls == ("tls://nats-0:4222", "tls://nats-1:4222")
    assert (found.username, found.password, found.group) == ("lake", "secret", "penstock")
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    "url", ["", "nats:4222", "http://nats", "nats://", "nats://lake:secret@nats", "nats://nats:port", "nats://a,"]
)
def test_unusable_address_is_named(url: str) -> None:
    with pytest.raises(ConfigError, match="NATS_URL"):
        servers({"NATS_URL": url})


@pytest.mark.parametrize(
    ("env", "flags", "expected"),
    [
        ({"NATS_USERNAME": "lake"}, (), "go together"),
        ({"NATS_USERNAME": "lake", "NATS_PASSWORD": "x", "NATS_TOKEN": "y"}, (), "set one of them"),
        ({}, ("--group", "two words"), "--group 'two words'"),
        ({}, ("--group", "a.b"), "--group 'a.b'"),
    ],
)
def test_what_cannot_work_is_refused(env: dict[str, str], flags: tuple[str, ...], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        servers({"NATS_URL": "nats://nats", **env}, *flags)


def test_a_server_that_is_not_there_does_not_answer() -> None:
    assert not servers_answer(NatsServers((f"nats://127.0.0.1:{free_ports(1)[0]}",)))


@pytest.mark.parametrize("offer", ['"tls_available": true', '"tls_required": false', '"version": "2.9.10"'])
def test_a_server_of_tls_that_speaks_none_gets_no_login(offer: str) -> None:
    """Anything between client and server could say so, to have the password in plain sight."""
    told: list[bytes] = []

    async def ask() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b'INFO {%s, "auth_required": true}\r\n' % offer.encode())
            told.append(await reader.read(4096))
            writer.write(b"PONG\r\n")
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            servers = NatsServers((f"tls://127.0.0.1:{port}",), username="lake", password="hunter2")
            with pytest.raises((OSError, Error)):
                await connect_to(servers)

    asyncio.run(asyncio.wait_for(ask(), 60))
    assert told
    assert b"hunter2" not in b"".join(told)
    assert b"CONNECT" not in b"".join(told)
