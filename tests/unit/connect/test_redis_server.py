"""Where a Redis server is and how to log in, from flags and environment."""

import argparse
from pathlib import Path

import pytest
from penstock.commands import connect_redis
from penstock.connect.redis.server import RedisServer, server_answers, server_from
from penstock.errors import ConfigError

from tests.components.process import free_ports


def server(env: dict[str, str], *flags: str) -> RedisServer:
    parser = argparse.ArgumentParser()
    connect_redis.add_arguments(parser)
    return server_from(parser.parse_args(flags), env)


def test_server_comes_from_the_environment_and_secret_files(tmp_path: Path) -> None:
    (tmp_path / "redis-password").write_text("secret\n")

    found = server({"REDIS_URL": "rediss://cache:6390/2", "SECRETS_DIR": str(tmp_path), "REDIS_LEASE_SECONDS": "7.5"})

    assert (found.host, found.port, found.database, found.tls) == ("cache", 6390, 2, True)
    assert (found.username, found.password, found.lease_seconds) == ("", "secret", 7.5)
    assert "secret" not in repr(found)


def test_each_connector_is_a_member_of_its_own() -> None:
    assert server({"REDIS_URL": "redis://cache"}).member != server({"REDIS_URL": "redis://cache"}).member


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"REDIS_URL": "http://cache"}, "REDIS_URL='http://cache': expected redis://HOST:6379"),
        ({"REDIS_URL": "redis://cache/lake"}, "the path is the number of a database"),
        ({"REDIS_URL": "redis://cache", "REDIS_USERNAME": "lake"}, "REDIS_USERNAME needs REDIS_PASSWORD"),
        ({"REDIS_URL": "redis://cache", "REDIS_LEASE_SECONDS": "0"}, "REDIS_LEASE_SECONDS='0'"),
    ],
)
def test_what_cannot_work_is_refused(env: dict[str, str], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        server(env)


def test_a_server_that_is_not_there_does_not_answer() -> None:
    assert not server_answers(RedisServer("127.0.0.1", free_ports(1)[0]))
