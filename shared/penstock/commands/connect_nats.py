"""`penstock connect nats`: settings from flags and environment."""

import argparse
import os
from collections.abc import Mapping

from penstock.commands.queue_connector import add_queue_flags, run_queue_connector
from penstock.connect.nats.connector import NatsConnector
from penstock.connect.nats.server import servers_from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument(
        "--url",
        metavar="URL",
        help="the servers, nats://HOST:4222 or tls://HOST:4222, several separated by commas (default: NATS_URL)",
    )
    parser.add_argument(
        "--group",
        default="penstock",
        metavar="NAME",
        help="connectors of one group share the messages of a subject (default: %(default)s)",
    )
    add_queue_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Deliver until SIGTERM or Ctrl+C; exit code 78 for a configuration that cannot work."""
    return run_queue_connector(args, env, lambda *parts, **how: NatsConnector(servers_from(args, env), *parts, **how))
