"""`penstock bridge`: MinIO's webhook in, CloudEvents out to `K_SINK` or to functions behind a gateway."""

import argparse
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from penstock.commands.flags import add_delivery_flags
from penstock.connect.bridge.settings import load_bridge_config
from penstock.errors import ConfigError
from penstock.process.log import set_up_logging
from penstock.process.ports import port_problem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument(
        "--to",
        metavar="[NAME=]URL",
        action="append",
        default=[],
        help="where events go, such as http://gateway:8080/function/compress; repeatable (default: K_SINK)",
    )
    parser.add_argument(
        "--only",
        metavar="NAME=SOURCE",
        action="append",
        default=[],
        help="send NAME only events about s3://bucket/prefix*suffix, so that others do not wake it; repeatable",
    )
    parser.add_argument(
        "--inbox",
        type=Path,
        default=Path("/data/inbox.db"),
        metavar="FILE",
        help="file that holds events until they are delivered (default: %(default)s)",
    )
    parser.add_argument(
        "--keep-identity",
        action="store_true",
        help="keep the uploader's access key and address in events and dead letters, which are left out otherwise",
    )
    parser.add_argument("--allow-anonymous", action="store_true", help="take events without a token")
    add_delivery_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Serve until SIGTERM or Ctrl+C; returns the exit code, 78 for a configuration that cannot work."""
    set_up_logging("INFO")
    try:
        config = load_bridge_config(args, env)
        if taken := port_problem(*config.address, remedy="PORT or --listen"):
            raise ConfigError(*taken)
    except ConfigError as exc:
        for problem in exc.problems:
            logging.getLogger("penstock.connect").error("%s", problem)  # noqa: TRY400 - the text is the message
        return ConfigError.exit_code
    from penstock.connect.bridge.server import BridgeServer
    from penstock.serving.gunicorn import run_server

    return run_server(BridgeServer(config))
