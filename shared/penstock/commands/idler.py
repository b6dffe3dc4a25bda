"""`penstock idler`: set idle functions of OpenFaaS to zero replicas."""

import argparse
import os
from collections.abc import Mapping

from penstock.commands.flags import add_ca_file_flag, add_listen_flag
from penstock.connect import settings
from penstock.connect.idler import Idler, IdlerLoop
from penstock.connect.openfaas import OpenFaasGateway
from penstock.connect.prometheus import Prometheus
from penstock.delivery.measures import DeliveryMeasures
from penstock.errors import ConfigError
from penstock.process.log import set_up_logging
from penstock.process.signals import stop_on_signals
from penstock.process.status_server import StatusServer
from penstock.settings.environment import read_secret

EVERY_SECONDS = 30.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument("--gateway", metavar="URL", help="OpenFaaS gateway (default: GATEWAY_URL)")
    parser.add_argument(
        "--namespace", default="", metavar="NAME", help="namespace of the functions (default: the gateway's own)"
    )
    parser.add_argument(
        "--prometheus",
        metavar="URL",
        help="ask this server for the gateway's counters, which show requests under way (default: PROMETHEUS_URL; "
        "without one the gateway's invocationCount decides, and a request longer than the idle time is cut off)",
    )
    parser.add_argument(
        "--every-seconds",
        type=float,
        default=EVERY_SECONDS,
        metavar="N",
        help="seconds between two looks (default: %(default)g)",
    )
    parser.add_argument("--once", action="store_true", help="say whether the gateway answers, and end")
    add_listen_flag(parser)
    add_ca_file_flag(parser)


def make_idler(args: argparse.Namespace, env: Mapping[str, str]) -> Idler:
    """The idler of flags and environment; raises `ConfigError`."""
    url = args.gateway or env.get("GATEWAY_URL", "")
    if not url:
        raise ConfigError("no gateway: give --gateway URL, or set GATEWAY_URL")
    if args.every_seconds <= 0:
        raise ConfigError(f"--every-seconds {args.every_seconds:g}: expected more than 0")
    ca_file = settings.ca_file_from(args, env)
    login = (read_secret(env, "BASIC_AUTH_USER"), read_secret(env, "BASIC_AUTH_PASSWORD"))
    gateway = OpenFaasGateway(url, namespace=args.namespace, login=login, ca_file=ca_file)
    prometheus = args.prometheus or env.get("PROMETHEUS_URL", "")
    activity = Prometheus(prometheus, namespace=args.namespace, ca_file=ca_file).activity if prometheus else None
    return Idler(gateway, activity=activity)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Look again and again until SIGTERM or Ctrl+C; raises `ConfigError`, with `--once` also `TemporaryError`."""
    set_up_logging(env.get("LOG_LEVEL", "INFO"))
    idler = make_idler(args, env)
    if args.once:
        idler.look()
        return 0
    measures = DeliveryMeasures()
    loop = IdlerLoop(idler, measures, args.every_seconds)
    stop_on_signals(loop.stop)
    status = StatusServer(settings.address_from(args, env), measures, ill=str, unready=loop.unready)
    status.start()
    try:
        loop.run()
    finally:
        status.stop()
    return 0
