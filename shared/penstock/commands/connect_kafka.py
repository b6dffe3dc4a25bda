"""`penstock connect kafka`: settings from flags and environment, probes, signals."""

import argparse
import logging
import os
from collections.abc import Mapping

from penstock.commands.flags import add_delivery_flags, add_identity_flag, add_kafka_flags, add_topic_flags, whole
from penstock.connect import settings, sources
from penstock.connect.kafka.records import cloudevents, openfaas
from penstock.connect.kafka.settings import load_settings
from penstock.errors import ConfigError
from penstock.process.log import set_up_logging
from penstock.process.signals import stop_on_signals
from penstock.process.status_server import StatusServer

_log = logging.getLogger("penstock.connect")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    add_topic_flags(parser)
    add_identity_flag(parser)
    parser.add_argument(
        "--cloudevents", action="store_true", help="send CloudEvents in binary mode instead of OpenFaaS's headers"
    )
    parser.add_argument(
        "--content-type",
        default="text/plain",
        metavar="TYPE",
        help="content type of OpenFaaS requests (default: %(default)s)",
    )
    parser.add_argument(
        "--dead-letter-topic",
        metavar="TOPIC",
        default="dead-letters",
        help="topic for dead letters (default: %(default)s)",
    )
    parser.add_argument(
        "--max-uncommitted",
        type=whole,
        metavar="N",
        default=10_000,
        help="records read ahead per partition (default: %(default)s)",
    )
    add_kafka_flags(parser)
    add_delivery_flags(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Deliver until SIGTERM or Ctrl+C. Exit code 78: a configuration that cannot work; 75: Kafka gave up."""
    from penstock.connect.kafka.connector import Connector, Limits

    set_up_logging(env.get("LOG_LEVEL", "INFO"))
    try:
        given = load_settings(args.properties, env, args.set)
        group = given.get("group.id", "penstock")
        address = settings.address_from(args, env)
        tracer = settings.tracer_from("penstock-connect-kafka", env)
        limits = Limits(args.max_uncommitted, settings.drain_seconds_from(args, env))
        connector = Connector(
            given,
            cloudevents(group) if args.cloudevents else openfaas(args.content_type),
            sources.finder_from(args, env),
            args.dead_letter_topic,
            policy=settings.policy_from(args, env),
            limits=limits,
            keep_identity=args.keep_identity,
            tracer=tracer,
        )
        stop_on_signals(connector.stop)
        _log.info("kafka: asking the brokers at %s", given.get("bootstrap.servers", "-"))
        connector.check()
    except ConfigError as exc:
        for problem in exc.problems:
            _log.error("%s", problem)
        return ConfigError.exit_code
    status = StatusServer(address, connector.measures, ill=connector.ill, unready=connector.unready)
    status.start()
    try:
        connector.run()
    finally:
        status.stop()
        if tracer is not None:
            tracer.stop()
    return 75 if connector.statistics.fatal else 0
