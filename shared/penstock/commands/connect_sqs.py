"""`penstock connect sqs`: settings from flags and environment."""

import argparse
import os
from collections.abc import Mapping

from penstock.commands.queue_connector import add_queue_flags, run_queue_connector
from penstock.connect.sqs.account import account_from
from penstock.connect.sqs.connector import SqsConnector


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument(
        "--url",
        metavar="URL",
        help="https://sqs.REGION.amazonaws.com, or another server's http://HOST:PORT (default: SQS_URL, else AWS's own "
        "of AWS_REGION)",
    )
    add_queue_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Deliver until SIGTERM or Ctrl+C; exit code 78 for a configuration that cannot work."""
    return run_queue_connector(args, env, lambda *parts, **how: SqsConnector(account_from(args, env), *parts, **how))
