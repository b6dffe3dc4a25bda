"""`penstock doctor openfaas`: what will not work there, why, and what to do.

Each place that can be examined is one entry of `PLACES`: its flags, and a function that returns findings.
"""

import argparse
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from penstock.commands.flags import add_ca_file_flag
from penstock.connect import settings
from penstock.connect.openfaas import OpenFaasGateway
from penstock.doctor import openfaas
from penstock.doctor.finding import Finding, Grade
from penstock.settings import table
from penstock.settings.environment import read_secret
from penstock.settings.names import stack_path
from penstock.settings.stackfile import load_stack
from penstock.terminal import columns, json_text, printable

FOUND_PROBLEMS: Final = 1
_LOCAL_GATEWAY: Final = "http://127.0.0.1:8080"


class Place(NamedTuple):
    """One word after `doctor`."""

    text: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    examine: Callable[[argparse.Namespace, Mapping[str, str]], list[Finding]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    places = parser.add_subparsers(dest="place", required=True, metavar="|".join(PLACES))
    for word, place in PLACES.items():
        own = places.add_parser(word, help=place.text)
        place.add_arguments(own)
        own.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Print what was found; returns 1 when something does not work. Raises `ConfigError` and `TemporaryError`."""
    findings = PLACES[args.place].examine(args, env)
    if args.json:
        fields = ("grade", "subject", "text", "remedy")
        print(json_text([{name: str(getattr(each, name)) for name in fields} for each in findings], indent=2))
    else:
        for line in columns([(each.grade.value, each.subject, _sentence(each)) for each in findings]):
            print(printable(line))
    return FOUND_PROBLEMS if any(each.grade is Grade.PROBLEM for each in findings) else 0


def _sentence(finding: Finding) -> str:
    return f"{finding.text}; {finding.remedy}" if finding.remedy else finding.text


def _openfaas_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--gateway", metavar="URL", help=f"OpenFaaS gateway (default: GATEWAY_URL, else {_LOCAL_GATEWAY})"
    )
    parser.add_argument(
        "--stack", type=Path, metavar="FILE", help="the stack file that is to be deployed (default: stack.yml, if any)"
    )
    add_ca_file_flag(parser)


def _openfaas(args: argparse.Namespace, env: Mapping[str, str]) -> list[Finding]:
    url = args.gateway or table.GATEWAY_URL.value(env) or _LOCAL_GATEWAY
    login = (read_secret(env, "BASIC_AUTH_USER"), read_secret(env, "BASIC_AUTH_PASSWORD"))
    stack = args.stack or stack_path()
    specs = list(load_stack(stack, env).functions.values()) if args.stack or stack.is_file() else []
    return openfaas.examine(OpenFaasGateway(url, login=login, ca_file=settings.ca_file_from(args, env)), specs)


PLACES: Final[Mapping[str, Place]] = {
    "openfaas": Place("a gateway, its edition's rules, its functions and secrets", _openfaas_arguments, _openfaas),
}
