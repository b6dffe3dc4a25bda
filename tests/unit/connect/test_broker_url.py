"""A broker's address: what is read, and what is refused without showing a password."""

import pytest
from penstock.connect.broker_url import BrokerUrl, read_broker_url
from penstock.errors import ConfigError

PORTS = {"redis": 6379, "rediss": 6380}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://cache", BrokerUrl("cache", 6379, False, None)),
        ("rediss://cache/", BrokerUrl("cache", 6380, True, "")),
        ("redis://[::1]:7/%2Flake", BrokerUrl("::1", 7, False, "/lake")),
    ],
)
def test_host_port_tls_and_path_are_read(text: str, expected: BrokerUrl) -> None:
    assert read_broker_url("REDIS_URL", text, PORTS) == expected


@pytest.mark.parametrize(
    "text",
    ["", "cache:6379", "http://cache", "redis://", "redis://cache:port", "redis://cache?db=1", "redis://cache#1"],
)
def test_another_address_is_refused_with_what_is_expected(text: str) -> None:
    with pytest.raises(ConfigError, match=r"REDIS_URL=.*expected redis://HOST:6379 or rediss://HOST:6380"):
        read_broker_url("REDIS_URL", text, PORTS)


@pytest.mark.parametrize("text", ["redis://lake:secret@cache", "lake:secret@cache", "redis://:secret@cache/0"])
def test_a_login_in_the_address_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ConfigError, match="user and password in settings of their own") as refused:
        read_broker_url("REDIS_URL", text, PORTS)
    assert "secret" not in str(refused.value)
