"""What the commands of the connectors to queues share: flags, probes, signals, exit codes."""

import argparse
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from penstock.commands.flags import add_delivery_flags, add_identity_flag, add_topic_flags
from penstock.connect import settings, sources
from penstock.connect.queues import QueueConnector
from penstock.delivery.inbox import Inbox
from penstock.errors import ConfigError, TemporaryError
from penstock.process.log import set_up_logging
from penstock.process.signals import stop_on_signals
from penstock.process.status_server import StatusServer


def add_queue_flags(parser: argparse.ArgumentParser) -> None:
    """Add what `run_queue_connector` reads."""
    add_topic_flags(parser)
    add_identity_flag(parser)
    parser.add_argument("--cloudevents", action="store_true", help="send CloudEvents in binary mode")
    parser.add_argument(
        "--inbox",
        type=Path,
        default=Path("/data/inbox.db"),
        metavar="FILE",
        help="file for dead letters (default: %(default)s)",
    )
    add_delivery_flags(parser)


def run_queue_connector(
    args: argparse.Namespace, env: Mapping[str, str], make: Callable[..., QueueConnector[Any]]
) -> int:
    """Deliver until SIGTERM or Ctrl+C; exit code 78 for a configuration that cannot work.

    `make` is called with finder, inbox and the settings of a connector.
    """
    set_up_logging(env.get("LOG_LEVEL", "INFO"))
    try:
        address = settings.address_from(args, env)
        drain_seconds = settings.drain_seconds_from(args, env)
        finder = sources.finder_from(args, env)
        tracer = settings.tracer_from("penstock-connect", env)
        connector = make(
            finder,
            Inbox(args.inbox),
            policy=settings.policy_from(args, env),
            cloudevents=args.cloudevents,
            keep_identity=args.keep_identity,
            tracer=tracer,
        )
        stop_on_signals(connector.stop)
        status = StatusServer(address, connector.measures, ill=connector.ill, unready=connector.unready)
        status.start()
        try:
            connector.run(drain_seconds)
        finally:
            status.stop()
            if tracer is not None:
                tracer.stop()
    except (ConfigError, TemporaryError) as exc:
        logging.getLogger("penstock.connect").error("%s", exc)  # noqa: TRY400 - the text is the message
        return exc.exit_code
    return 0
