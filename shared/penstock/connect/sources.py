"""Flags that say who wants which topic, for every connector that has topics."""

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from penstock.connect import settings, subscriptions
from penstock.connect.subscriptions import Finder
from penstock.errors import ConfigError
from penstock.settings.environment import read_secret

# As often as OpenFaaS's own connectors ask.
REDISCOVER_SECONDS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `finder_from` reads."""
    parser.add_argument(
        "--to", metavar="TOPIC=URL", action="append", default=[], help="deliver a topic to a URL; repeatable"
    )
    parser.add_argument(
        "--gateway",
        metavar="URL",
        help="OpenFaaS gateway whose functions' topic annotations count (default: GATEWAY_URL)",
    )
    parser.add_argument("--namespace", default="", help="namespace of the functions behind the gateway")
    parser.add_argument(
        "--rediscover-seconds",
        metavar="N",
        help="how often the gateway is asked (default: REDISCOVER_SECONDS, else 30)",
    )
    parser.add_argument("--stack", type=Path, metavar="FILE", help="stack.yml whose functions' topic annotations count")


def finder_from(args: argparse.Namespace, env: Mapping[str, str]) -> Finder:
    """How to find out who wants which topic; raises `ConfigError`."""
    ca_file = settings.ca_file_from(args, env)
    gateway = args.gateway or env.get("GATEWAY_URL", "")
    if args.to:
        found = subscriptions.from_pairs(args.to, ca_file)
    elif args.stack is not None:
        found = subscriptions.from_stack(args.stack, env, gateway, ca_file)
    elif gateway:
        ask = partial(
            subscriptions.from_gateway,
            gateway,
            namespace=args.namespace,
            username=read_secret(env, "BASIC_AUTH_USER"),
            password=read_secret(env, "BASIC_AUTH_PASSWORD"),
            ca_file=ca_file,
        )
        return Finder(ask, settings.setting(args, env, "rediscover_seconds", float) or REDISCOVER_SECONDS)
    else:
        raise ConfigError("nothing to deliver to: give --to TOPIC=URL, --gateway URL or --stack FILE")
    if not found.topics:
        raise ConfigError(f"{args.stack}: no function has a topic annotation")
    return Finder(lambda: found)
