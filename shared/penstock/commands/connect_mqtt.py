"""`penstock connect mqtt`: settings from flags and environment."""

import argparse
import os
from collections.abc import Mapping

from penstock.commands.flags import add_broker_flag
from penstock.commands.queue_connector import add_queue_flags, run_queue_connector
from penstock.connect.mqtt.broker import broker_from
from penstock.connect.mqtt.connector import MqttConnector


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    add_broker_flag(parser)
    parser.add_argument(
        "--group", default="", metavar="NAME", help="share the messages with other connectors of this group"
    )
    parser.add_argument(
        "--client-id", metavar="NAME", help="name of the session (default: penstock-HOSTNAME, stable in a StatefulSet)"
    )
    add_queue_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Deliver until SIGTERM or Ctrl+C; exit code 78 for a configuration that cannot work."""
    return run_queue_connector(args, env, lambda *parts, **how: MqttConnector(broker_from(args, env), *parts, **how))
