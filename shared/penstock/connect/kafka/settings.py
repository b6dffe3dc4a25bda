"""librdkafka's settings: its own names, from a properties file, KAFKA_* variables and --set, in this order."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from penstock.errors import ConfigError
from penstock.settings.secrets import read_secret_file

# What at-least-once rests on; set otherwise, offsets would move past records that were not answered.
_FIXED = {
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "partition.assignment.strategy": "cooperative-sticky",
}
# Log level 4 is syslog's warning; `client_log.py` limits how often each is logged.
_COMMON = {"client.id": "penstock-connect", "log_level": "4"}
_CONSUMER_DEFAULTS = {
    "group.id": "penstock",
    "auto.offset.reset": "earliest",
    # The default of 1000 ms throttles a consumer whose queue is small to some 10,000 records a second.
    "fetch.queue.backoff.ms": "10",
    "queued.max.messages.kbytes": "16384",
    "statistics.interval.ms": "5000",
}
_PRODUCER_FIXED = {"acks": "all", "enable.idempotence": "true", "message.timeout.ms": "0"}
_PRODUCER_DEFAULTS = {"linger.ms": "5", "message.max.bytes": "10485760"}
# librdkafka warns about settings that belong to the other side.
_CONSUMER_ONLY = re.compile(
    r"(group\.|fetch\.|session\.|heartbeat\.|max\.poll|queued\.|auto\.|isolation\.|check\.crcs|partition\.assignment"
    r"|statistics\.|enable\.(auto|partition)|max\.partition|consume\.|coordinator\.)"
)
# Kubernetes sets these for every service whose name begins with kafka; they are not settings.
_SERVICE_LINK = re.compile(r"KAFKA_(.*_)?(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT|PORT_\d+_.*)")


def load_settings(properties: Path | None, env: Mapping[str, str], pairs: Iterable[str]) -> dict[str, str]:
    """Everything that was set, under librdkafka's names; KAFKA_SASL_PASSWORD_FILE names a file with the value.

    KAFKA_BROKERS, as lake.yml calls the brokers that MinIO is to reach, stands in for KAFKA_BOOTSTRAP_SERVERS.
    Raises `ConfigError` with every problem found.
    """
    problems: list[str] = []
    found: dict[str, str] = {}
    if properties is not None:
        try:
            lines = properties.read_text(encoding="utf-8").splitlines()
        except OSError as exc:
            raise ConfigError(f"--properties {properties}: {exc.strerror}") from exc
        except UnicodeDecodeError as exc:
            raise ConfigError(f"--properties {properties}: not UTF-8 at byte {exc.start}; save it as UTF-8") from exc
        for number, line in enumerate(lines, 1):
            name, equals, value = line.partition("=")
            if line.strip() and not line.lstrip().startswith("#"):
                if not equals:
                    problems.append(f"{properties}:{number}: expected name=value")
                found[name.strip()] = value.strip()
    for variable, value in env.items():
        if not variable.startswith("KAFKA_") or _SERVICE_LINK.fullmatch(variable):
            continue
        setting = variable.removeprefix("KAFKA_").removesuffix("_FILE").lower().replace("_", ".")
        if variable.endswith("_FILE"):
            try:
                value = read_secret_file(Path(value), variable, is_pem=setting.endswith(".pem"))
            except FileNotFoundError:
                problems.append(f"{variable}={value}: no such file")
            except ConfigError as exc:
                problems += exc.problems
        found[setting] = value
    brokers = found.pop("brokers", "")
    if brokers:
        found.setdefault("bootstrap.servers", brokers)
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            problems.append(f"--set {pair}: expected name=value")
        found[name.strip()] = value.strip()
    for name, value in _FIXED.items():
        if found.get(name, value) != value:
            problems.append(f"{name}={found[name]}: must be {value}, or events would be lost")
    if found.get("statistics.interval.ms") == "0":
        problems.append("statistics.interval.ms=0: must be above 0, or a consumer that no longer works is not noticed")
    # The mock cluster inside librdkafka has no address.
    if not found.get("bootstrap.servers") and "test.mock.num.brokers" not in found:
        problems.append("KAFKA_BOOTSTRAP_SERVERS: not set; give HOST:PORT, or --set bootstrap.servers=HOST:PORT")
    if problems:
        raise ConfigError(*problems)
    return found


def names_brokers(env: Mapping[str, str]) -> bool:
    """Whether the environment says which brokers `load_settings` finds."""
    names = ("KAFKA_BROKERS", "KAFKA_BOOTSTRAP_SERVERS")
    return any(env.get(name) or env.get(f"{name}_FILE") for name in names)


def consumer_settings(given: Mapping[str, str]) -> dict[str, str]:
    return _COMMON | _CONSUMER_DEFAULTS | dict(given) | _FIXED


def producer_settings(given: Mapping[str, str]) -> dict[str, str]:
    """For dead letters: acknowledged by all replicas in sync, retried until they are."""
    own = {name: value for name, value in given.items() if not _CONSUMER_ONLY.match(name)}
    return _COMMON | _PRODUCER_DEFAULTS | own | _PRODUCER_FIXED


@contextmanager
def refused_settings() -> Iterator[None]:
    """Around making a client: turn what librdkafka does not take into a `ConfigError`.

    Every value here is text. When Ctrl+C comes while confluent-kafka reads one, it says that the value is not text, and
    the interrupt is lost.
    """
    from confluent_kafka import KafkaException

    try:
        yield
    except TypeError as exc:
        if "unicode string" in str(exc):
            raise KeyboardInterrupt from exc
        raise
    except KafkaException as exc:
        raise ConfigError(f"kafka: {exc.args[0].str()}; settings come from --properties, KAFKA_* and --set") from exc
