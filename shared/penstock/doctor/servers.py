"""Brokers, the gateway and the index: whether each of them answers."""

import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from penstock.connect.openfaas import OpenFaasGateway
from penstock.doctor.finding import Finding, Grade
from penstock.errors import PenstockError
from penstock.settings import table
from penstock.settings.environment import load_config
from penstock.settings.plaintext import without_login
from penstock.settings.stackfile import FunctionSpec
from penstock.sinks.address import parse_sink

_CONNECT_SECONDS: Final = 5.0


def examine_kafka(settings: Mapping[str, str]) -> Iterator[Finding]:
    """Whether a broker takes a client with these settings of librdkafka."""
    from penstock.connect.kafka.topics import brokers_answer

    where = settings.get("bootstrap.servers", "")
    if brokers_answer(settings):
        yield Finding(Grade.GOOD, "kafka", f"{where} answers")
    else:
        remedy = "start it, or correct bootstrap.servers, TLS and user; `penstock listen kafka` says more"
        yield Finding(Grade.PROBLEM, "kafka", f"{where} does not answer", remedy)


def examine_mqtt(url: str) -> Iterator[Finding]:
    """Whether something listens where the broker is said to be."""
    shown = without_login(url)
    try:
        parts = urlsplit(url)
        where = (parts.hostname or "", parts.port or (8883 if parts.scheme == "mqtts" else 1883))
    except ValueError:
        where = ("", 0)
    if not where[0]:
        yield Finding(
            Grade.PROBLEM, "mqtt", f"{shown!r} is not an address", "write mqtt://HOST:1883 or mqtts://HOST:8883"
        )
        return
    try:
        socket.create_connection(where, timeout=_CONNECT_SECONDS).close()
    except OSError as exc:
        text = f"{shown} does not answer: {exc.strerror or exc}"
        yield Finding(Grade.PROBLEM, "mqtt", text, "start the broker, or correct MQTT_URL")
    else:
        yield Finding(Grade.GOOD, "mqtt", f"{shown} takes connections; `penstock listen mqtt` tries the login")


def examine_gateway(gateway: OpenFaasGateway) -> Iterator[Finding]:
    """Whether the gateway answers with this login."""
    try:
        functions = gateway.functions()
    except PenstockError as exc:
        yield Finding(Grade.PROBLEM, "gateway", str(exc), "start it, or correct GATEWAY_URL and BASIC_AUTH_...")
        return
    text = f"{gateway.url} answers with {len(functions)} functions"
    yield Finding(Grade.GOOD, "gateway", text, "`penstock doctor openfaas` compares them with the stack file")


def examine_indexes(specs: Iterable[FunctionSpec], env: Mapping[str, str]) -> Iterator[Finding]:
    """Whether each index that a function writes to answers; an index in a file may be made later."""
    for spec in specs:
        config = spec.config()
        address = parse_sink(config.sink) if config.sink else None
        if address is None or not (address.is_searchable or address.url):
            continue
        subject = f"index of {spec.name}"
        if address.file is not None:
            yield Finding(Grade.GOOD, subject, f"is a file: {address.file}")
            continue
        given = {name: text for name, text in spec.environment.items() if not name.startswith("MINIO_")}
        own = {name: env[name] for name in env if name.startswith("SINK_") or name == table.MINIO_CA_FILE.name}
        try:
            address.open(load_config({**given, **own}, function=spec.name), None).check()
        except PenstockError as exc:
            remedy = "start it, or correct SINK, SINK_USERNAME, SINK_PASSWORD and MINIO_CA_FILE"
            yield Finding(Grade.PROBLEM, subject, str(exc), remedy)
        else:
            yield Finding(Grade.GOOD, subject, f"{address.url} answers")
