"""`penstock connect redis`: settings from flags and environment."""

import argparse
import os
from collections.abc import Mapping

from penstock.commands.queue_connector import add_queue_flags, run_queue_connector
from penstock.connect.redis.connector import RedisConnector
from penstock.connect.redis.server import server_from


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument(
        "--url",
        metavar="URL",
        help="the server, redis://HOST:6379/DATABASE or rediss://HOST:6379/DATABASE (default: REDIS_URL)",
    )
    add_queue_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Deliver until SIGTERM or Ctrl+C; exit code 78 for a configuration that cannot work."""
    return run_queue_connector(args, env, lambda *parts, **how: RedisConnector(server_from(args, env), *parts, **how))
