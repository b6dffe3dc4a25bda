"""`penstock connect amqp`: settings from flags and environment."""

import argparse
import os
from collections.abc import Mapping

from penstock.commands.queue_connector import add_queue_flags, run_queue_connector
from penstock.connect.amqp.broker import broker_from
from penstock.connect.amqp.connector import AmqpConnector


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument(
        "--url",
        metavar="URL",
        help="the broker, amqp://HOST:5672/VHOST or amqps://HOST:5671/VHOST (default: AMQP_URL)",
    )
    parser.add_argument(
        "--exchange",
        metavar="NAME",
        help="bind each queue to this exchange, with the queue's name as routing key (default: bind none)",
    )
    parser.add_argument(
        "--exchange-type",
        choices=("direct", "fanout", "topic"),
        default="direct",
        help="the type of an exchange that is not there and is made (default: %(default)s)",
    )
    add_queue_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Deliver until SIGTERM or Ctrl+C; exit code 78 for a configuration that cannot work."""
    return run_queue_connector(args, env, lambda *parts, **how: AmqpConnector(broker_from(args, env), *parts, **how))
