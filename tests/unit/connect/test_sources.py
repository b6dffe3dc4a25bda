"""Where a connector learns which function wants which topic."""

import argparse

import pytest
from penstock.commands.flags import add_delivery_flags, add_topic_flags
from penstock.connect import sources
from penstock.errors import ConfigError


def parse(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_delivery_flags(parser)
    add_topic_flags(parser)
    return parser.parse_args(flags)


def test_nothing_to_deliver_to_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="--gateway"):
        sources.finder_from(parse(), {})


@pytest.mark.parametrize("text", ["0", "-1", "nan"])
def test_a_gateway_is_not_asked_without_a_pause(text: str) -> None:
    with pytest.raises(ConfigError, match=r"REDISCOVER_SECONDS='.*': expected a number above 0"):
        sources.finder_from(parse("--gateway", "http://gateway:8080", "--rediscover-seconds", text), {})
