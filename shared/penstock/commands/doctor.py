"""`penstock doctor`: what does not work here, or `penstock doctor openfaas` there, why, and what to do.

Each place that can be examined is one entry of `PLACES`: its flags, and a function that returns findings. Without a
place the servers that the environment names are examined, and the files and packages of this machine.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from penstock.commands.flags import add_ca_file_flag, add_store_flags
from penstock.commands.objects import store_settings
from penstock.connect import settings
from penstock.connect.openfaas import OpenFaasGateway
from penstock.connect.sources import gateway_from
from penstock.doctor import openfaas
from penstock.doctor.finding import Finding, Grade
from penstock.errors import ConfigError, PenstockError
from penstock.settings import connector_table
from penstock.settings.names import stack_path
from penstock.settings.stackfile import FunctionSpec, load_stack
from penstock.sinks.wiring import outputs
from penstock.terminal import coloured, columns, json_text, one_line, printable, progress

FOUND_PROBLEMS: Final = 1
_COLOURS: Final[Mapping[Grade, Literal["red", "green", "yellow"]]] = {
    Grade.GOOD: "green",
    Grade.NOTE: "yellow",
    Grade.PROBLEM: "red",
}
_LOCAL_GATEWAY: Final = "http://127.0.0.1:8080"


class Examination(NamedTuple):
    """One word after `doctor`."""

    text: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    examine: Callable[[argparse.Namespace, Mapping[str, str]], Iterable[Finding]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    _here_arguments(parser)
    places = parser.add_subparsers(dest="place", metavar="|".join(PLACES))
    for word, place in PLACES.items():
        own = places.add_parser(word, help=place.text)
        place.add_arguments(own)
        own.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Print what was found; returns 1 when something does not work. Raises `ConfigError` and `TemporaryError`."""
    findings: list[Finding] = []
    with progress("doctor", unit=" findings", stays=False) as bar:
        for finding in (PLACES[args.place].examine if args.place else _here)(args, env):
            findings.append(finding)
            bar.advance()
    if args.json:
        fields = ("grade", "subject", "text", "remedy")
        print(json_text([{name: str(getattr(each, name)) for name in fields} for each in findings], indent=2))
    else:
        for line, finding in zip(columns([_row(each) for each in findings]), findings, strict=True):
            grade = finding.grade.value
            print(coloured(grade, _COLOURS[finding.grade], sys.stdout) + printable(line[len(grade) :]))
    return FOUND_PROBLEMS if any(each.grade is Grade.PROBLEM for each in findings) else 0


def _row(finding: Finding) -> tuple[str, str, str]:
    return finding.grade.value, finding.subject, one_line(_sentence(finding))


def _sentence(finding: Finding) -> str:
    return f"{finding.text}; {finding.remedy}" if finding.remedy else finding.text


def _here_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stack", type=Path, metavar="FILE", help="the stack file, for buckets and index (default: stack.yml, if any)"
    )
    parser.add_argument("--gateway", metavar="URL", help="OpenFaaS gateway to ask, too (default: GATEWAY_URL)")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="Kafka broker to ask, too (default: KAFKA_BROKERS)")
    parser.add_argument("--mqtt", metavar="URL", help="MQTT broker to connect to, too (default: MQTT_URL)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_ca_file_flag(parser, "of the gateway")
    add_store_flags(parser)


def _here(args: argparse.Namespace, env: Mapping[str, str]) -> Iterator[Finding]:
    from penstock.doctor.environment import examine_environment
    from penstock.doctor.files import examine_files
    from penstock.doctor.versions import examine_versions

    yield from examine_versions()
    yield from examine_files(env, args.data, args.ca_file)
    try:
        # Where no server is named, the local stack's functions keep their index in a file.
        local = {} if env.get("MINIO_ENDPOINT") else {"INDEX_SINK": f"sqlite://{args.data.resolve()}/index.sqlite"}
        specs = _specs(args.stack, {**env, **local})
        for spec in specs:
            with spec.named_in_problems():
                outputs(spec.config())
    except PenstockError as exc:
        yield Finding(Grade.PROBLEM, "stack file", str(exc), "correct it")
        specs = []
    yield from examine_environment(specs)
    try:
        store = store_settings(args.data, env)
    except PenstockError as exc:
        yield Finding(Grade.PROBLEM, "store", str(exc))
    else:
        from penstock.doctor.store import examine_store

        yield from examine_store(store, specs)
    yield from _servers(args, env, specs)


def _servers(args: argparse.Namespace, env: Mapping[str, str], specs: Sequence[FunctionSpec]) -> Iterator[Finding]:
    from penstock.doctor.servers import examine_gateway, examine_indexes, examine_kafka, examine_mqtt

    yield from examine_indexes(specs, env)
    if args.gateway or connector_table.GATEWAY_URL.value(env):
        try:
            gateway = _gateway(args, env)
        except ConfigError as exc:
            yield Finding(Grade.PROBLEM, "gateway", f"cannot be asked: {exc}")
        else:
            yield from examine_gateway(gateway)
    from penstock.connect.kafka.settings import load_settings, names_brokers

    if args.kafka or names_brokers(env):
        try:
            kafka = load_settings(None, env, [f"bootstrap.servers={args.kafka}"] if args.kafka else [])
        except ConfigError as exc:
            yield Finding(Grade.PROBLEM, "kafka", f"cannot be asked: {exc}")
        else:
            yield from examine_kafka(kafka)
    if url := args.mqtt or connector_table.MQTT_URL.value(env):
        yield from examine_mqtt(url)


def _specs(given: Path | None, env: Mapping[str, str]) -> list[FunctionSpec]:
    stack = given or stack_path()
    return list(load_stack(stack, env).functions.values()) if given or stack.is_file() else []


def _gateway(args: argparse.Namespace, env: Mapping[str, str]) -> OpenFaasGateway:
    url = args.gateway or connector_table.GATEWAY_URL.value(env) or _LOCAL_GATEWAY
    return gateway_from(url, env, ca_file=settings.ca_file_from(args, env))


def _openfaas_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gateway", metavar="URL", help=f"OpenFaaS gateway (default: GATEWAY_URL, else {_LOCAL_GATEWAY})"
    )
    parser.add_argument(
        "--stack", type=Path, metavar="FILE", help="the stack file that is to be deployed (default: stack.yml, if any)"
    )
    add_ca_file_flag(parser)


def _openfaas(args: argparse.Namespace, env: Mapping[str, str]) -> list[Finding]:
    return openfaas.examine(_gateway(args, env), _specs(args.stack, env))


PLACES: Final[Mapping[str, Examination]] = {
    "openfaas": Examination(
        "a gateway, its edition's rules, its functions and secrets", _openfaas_arguments, _openfaas
    ),
}
