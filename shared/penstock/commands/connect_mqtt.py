"""`penstock connect mqtt`: settings from flags and environment, probes, signals."""

import argparse
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from penstock.commands.flags import add_broker_flag, add_delivery_flags, add_identity_flag, add_topic_flags
from penstock.connect import settings, sources
from penstock.connect.mqtt.broker import broker_from
from penstock.connect.mqtt.connector import MqttConnector
from penstock.delivery.inbox import Inbox
from penstock.errors import ConfigError, TemporaryError
from penstock.process.log import set_up_logging
from penstock.process.signals import stop_on_signals
from penstock.process.status_server import StatusServer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    add_broker_flag(parser)
    add_topic_flags(parser)
    add_identity_flag(parser)
    parser.add_argument(
        "--group", default="", metavar="NAME", help="share the messages with other connectors of this group"
    )
    parser.add_argument(
        "--client-id", metavar="NAME", help="name of the session (default: penstock-HOSTNAME, stable in a StatefulSet)"
    )
    parser.add_argument("--cloudevents", action="store_true", help="send CloudEvents in binary mode")
    parser.add_argument(
        "--inbox",
        type=Path,
        default=Path("/data/inbox.db"),
        metavar="FILE",
        help="file for dead letters (default: %(default)s)",
    )
    add_delivery_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Deliver until SIGTERM or Ctrl+C; exit code 78 for a configuration that cannot work."""
    set_up_logging(env.get("LOG_LEVEL", "INFO"))
    try:
        address = settings.address_from(args, env)
        drain_seconds = settings.drain_seconds_from(args, env)
        finder = sources.finder_from(args, env)
        connector = MqttConnector(
            broker_from(args, env),
            finder,
            Inbox(args.inbox),
            policy=settings.policy_from(args, env),
            cloudevents=args.cloudevents,
            keep_identity=args.keep_identity,
        )
        stop_on_signals(connector.stop)
        status = StatusServer(address, connector.measures, ill=connector.ill, unready=connector.unready)
        status.start()
        try:
            connector.run(drain_seconds)
        finally:
            status.stop()
    except (ConfigError, TemporaryError) as exc:
        logging.getLogger("penstock.connect").error("%s", exc)  # noqa: TRY400 - the text is the message
        return exc.exit_code
    return 0
