"""Settings that the bridge and the connectors share."""

import argparse
from dataclasses import asdict

import pytest
from penstock.commands.flags import add_delivery_flags, add_topic_flags
from penstock.connect import settings
from penstock.connect.kafka.connector import Limits
from penstock.delivery.deliverer import Policy
from penstock.errors import ConfigError
from penstock.settings import connector_table as connectors
from penstock.settings import table


def parse(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_delivery_flags(parser)
    add_topic_flags(parser)
    return parser.parse_args(flags)


def test_flags_override_the_environment_and_both_the_defaults() -> None:
    found = settings.policy_from(parse("--attempts", "3"), {"ATTEMPTS": "9", "MAX_WAIT_SECONDS": "7.5"})
    assert found == Policy(attempts=3, max_wait_seconds=7.5)


def test_every_bad_number_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        settings.policy_from(parse("--attempts", "1.5"), {"TIMEOUT_SECONDS": "soon"})
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("flag", "env", "address"),
    [
        ([], {}, ("0.0.0.0", 8080)),
        ([], {"PORT": "9000"}, ("0.0.0.0", 9000)),
        (["--listen", "127.0.0.1:1"], {"PORT": "9000"}, ("127.0.0.1", 1)),
        (["--listen", "[::1]:80"], {}, ("::1", 80)),
    ],
)
def test_address_to_listen_on(flag: list[str], env: dict[str, str], address: tuple[str, int]) -> None:
    assert settings.address_from(parse(*flag), env) == address


def test_flags_say_the_words_and_the_default_of_the_table() -> None:
    parser = argparse.ArgumentParser()
    add_delivery_flags(parser)
    add_topic_flags(parser)
    said = " ".join(parser.format_help().split())
    for setting in (
        *settings.POLICY_SETTINGS.values(),
        connectors.DELIVERY_DRAIN_SECONDS,
        connectors.REDISCOVER_SECONDS,
    ):
        assert f"{setting.doc} (default: {setting.name}, else {setting.default:g})" in said
    assert f"0.0.0.0:PORT, else {table.PORT.default}" in said


def test_every_part_of_the_policy_has_its_setting() -> None:
    found = {name: setting.default for name, setting in settings.POLICY_SETTINGS.items()}
    assert found == asdict(Policy())


def test_defaults_are_those_of_the_table() -> None:
    assert settings.policy_from(parse(), {}) == Policy()
    assert (
        settings.drain_seconds_from(parse(), {}) == Limits().drain_seconds == connectors.DELIVERY_DRAIN_SECONDS.default
    )
    assert settings.ca_file_from(parse(), {}) is None
