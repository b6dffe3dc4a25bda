"""Settings that the bridge and the connectors share, and what /metrics and the probes answer."""

import argparse
import urllib.error
import urllib.request
from dataclasses import asdict
from pathlib import Path

import pytest
from penstock.commands.flags import add_delivery_flags, add_topic_flags
from penstock.connect import settings, sources
from penstock.connect.kafka.connector import Limits
from penstock.delivery.deliverer import DeliveryOutcome, Message, Policy, Verdict
from penstock.delivery.measures import DeliveryMeasures
from penstock.errors import ConfigError
from penstock.process.status_server import StatusServer
from penstock.settings import table
from penstock.settings.environment import read_secret


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


def test_secret_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    assert read_secret({"SECRETS_DIR": str(tmp_path)}, "TOKEN") == ""
    with pytest.raises(ConfigError, match="TOKEN_FILE"):
        read_secret({"TOKEN_FILE": str(tmp_path / "none")}, "TOKEN")


def test_nothing_to_deliver_to_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="--gateway"):
        sources.finder_from(parse(), {})


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read().decode()


def test_probes_say_what_is_wrong_and_metrics_count_attempts() -> None:
    measures = DeliveryMeasures()
    message = Message("k", b"", {}, "test", "compress")
    measures.observe(message, Verdict(DeliveryOutcome.RETRY, 503), 0.01)
    measures.observe(message, Verdict(DeliveryOutcome.DELIVERED, 200), 0.2)
    measures.gauge("penstock_example", "Example.", lambda: [({"topic": "a"}, 1), ({"topic": "b"}, 2)])
    server = StatusServer(("127.0.0.1", 0), measures, ill=str, unready=lambda: "no broker")
    server.start()
    try:
        assert get(server.port, "/_/health") == (200, "ok\n")
        assert get(server.port, "/_/ready") == (503, "no broker\n")
        assert get(server.port, "/elsewhere")[0] == 404
        status, text = get(server.port, "/metrics")
    finally:
        server.stop()
    assert status == 200
    for line in (
        'penstock_delivery_attempts_total{outcome="retry",target="compress"} 1.0',
        'penstock_delivery_seconds_bucket{le="0.025",target="compress"} 1.0',
        'penstock_delivery_seconds_count{target="compress"} 2.0',
        'penstock_example{topic="b"} 2.0',
    ):
        assert line in text


def test_flags_say_the_words_and_the_default_of_the_table() -> None:
    parser = argparse.ArgumentParser()
    add_delivery_flags(parser)
    add_topic_flags(parser)
    said = " ".join(parser.format_help().split())
    for setting in (*settings.POLICY_SETTINGS.values(), table.DELIVERY_DRAIN_SECONDS, table.REDISCOVER_SECONDS):
        assert f"{setting.doc} (default: {setting.name}, else {setting.default:g})" in said
    assert f"0.0.0.0:PORT, else {table.PORT.default}" in said


def test_every_part_of_the_policy_has_its_setting() -> None:
    found = {name: setting.default for name, setting in settings.POLICY_SETTINGS.items()}
    assert found == asdict(Policy())


def test_defaults_are_those_of_the_table() -> None:
    assert settings.policy_from(parse(), {}) == Policy()
    assert settings.drain_seconds_from(parse(), {}) == Limits().drain_seconds == table.DELIVERY_DRAIN_SECONDS.default
    assert settings.ca_file_from(parse(), {}) is None


@pytest.mark.parametrize("text", ["0", "-1", "nan"])
def test_a_gateway_is_not_asked_without_a_pause(text: str) -> None:
    with pytest.raises(ConfigError, match=r"REDISCOVER_SECONDS='.*': expected a number above 0"):
        sources.finder_from(parse("--gateway", "http://gateway:8080", "--rediscover-seconds", text), {})
