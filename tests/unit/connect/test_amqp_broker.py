"""Where an AMQP broker is and how to log in, from flags and environment."""

import argparse
import logging
import socket
from pathlib import Path

import pytest
from penstock.commands import connect_amqp
from penstock.connect.amqp.broker import AmqpBroker, broker_answers, broker_from, connect_to
from penstock.errors import ConfigError

from tests.components.process import free_ports


def broker(env: dict[str, str], *flags: str) -> AmqpBroker:
    parser = argparse.ArgumentParser()
    connect_amqp.add_arguments(parser)
    return broker_from(parser.parse_args(flags), env)


def test_broker_comes_from_the_environment_and_secret_files(tmp_path: Path) -> None:
    (tmp_path / "amqp-password").write_text("secret\n")
    env = {"AMQP_URL": "amqps://rabbit/lake", "AMQP_USERNAME": "penstock", "SECRETS_DIR": str(tmp_path)}

    found = broker(env, "--exchange", "events")

    assert (found.host, found.port, found.virtual_host, found.tls) == ("rabbit", 5671, "lake", True)
    assert (found.username, found.password, found.exchange) == ("penstock", "secret", "events")
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("url", "virtual_host"),
    [
        ("amqp://rabbit", "/"),
        ("amqp://rabbit/", "/"),
        ("amqp://rabbit/%2F", "/"),
        ("amqp://rabbit/%2Flake", "/lake"),
        ("amqp://rabbit/a%20b", "a b"),
    ],
)
def test_the_path_is_the_virtual_host(url: str, virtual_host: str) -> None:
    assert broker({}, "--url", url).virtual_host == virtual_host


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"AMQP_URL": ""}, "expected amqp://HOST:5672 or amqps://HOST:5671"),
        ({"AMQP_URL": "http://rabbit"}, "expected amqp://HOST:5672"),
        ({"AMQP_URL": "amqp://rabbit?heartbeat=0"}, "expected amqp://HOST:5672"),
        ({"AMQP_USERNAME": "lake"}, "AMQP_USERNAME and AMQP_PASSWORD go together"),
        ({"AMQP_PASSWORD": "word"}, "AMQP_USERNAME and AMQP_PASSWORD go together"),
        ({"CA_FILE": "/nowhere/ca.pem"}, "no such file"),
    ],
)
def test_what_cannot_work_is_refused(env: dict[str, str], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        broker({"AMQP_URL": "amqp://rabbit", **env})


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="user and password in settings of their own") as found:
        broker({"AMQP_URL": "amqp://lake:hunter2@rabbit"})
    assert "hunter2" not in str(found.value)


def test_a_password_without_tls_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        broker({"AMQP_URL": "amqp://rabbit", "AMQP_USERNAME": "lake", "AMQP_PASSWORD": "hunter2"})
    assert "AMQP_PASSWORD is sent unencrypted to amqp://rabbit: use amqps://" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_broker_that_is_not_there_does_not_answer() -> None:
    assert not broker_answers(AmqpBroker("127.0.0.1", free_ports(1)[0]))


def test_a_broker_that_takes_connections_and_is_silent_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """pika's error for it is of none of its documented classes, and ended the connector's thread."""
    monkeypatch.setattr("penstock.connect.amqp.broker.CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        silent = AmqpBroker("127.0.0.1", server.getsockname()[1])
        with pytest.raises(TimeoutError, match=r"does not answer within 0\.4 seconds"):
            connect_to(silent)
        assert not broker_answers(silent)
