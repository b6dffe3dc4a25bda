"""`penstock listen`: print notifications as they come from Kafka, MQTT or MinIO's own stream.

For looking, not for triggering: nothing is acknowledged.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TextIO

from penstock import events
from penstock.commands.flags import add_broker_flag, add_ca_file_flag, add_kafka_flags
from penstock.errors import EventError
from penstock.process.signals import end_on_sigterm
from penstock.terminal import json_text, printable

LINE = "{time:<24}  {name:<40}  {size:>12}  {etag:<34}  {ref}"
EVENTS = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectAccessed:*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    sources = parser.add_subparsers(dest="source", required=True)
    kafka = sources.add_parser("kafka", help="a topic's records")
    kafka.add_argument("topics", nargs="+", metavar="TOPIC", help="topic to read; several are read together")
    kafka.add_argument("--from-beginning", action="store_true", help="start with what the topic holds already")
    add_kafka_flags(kafka)
    mqtt = sources.add_parser("mqtt", help="a topic's messages")
    mqtt.add_argument("topics", nargs="+", metavar="TOPIC", help="topic or filter, such as lake/#")
    add_broker_flag(mqtt)
    add_ca_file_flag(mqtt)
    minio = sources.add_parser("minio", help="a bucket's events from the server itself, MINIO_ENDPOINT")
    minio.add_argument("bucket", metavar="BUCKET", help="bucket to watch")
    minio.add_argument("--prefix", default="", metavar="TEXT", help="only keys that begin with this")
    minio.add_argument("--suffix", default="", metavar="TEXT", help="only keys that end with this")
    minio.add_argument(
        "--event",
        action="append",
        metavar="NAME",
        help=f"only events of this kind (default: {', '.join(EVENTS[:2])} and {EVENTS[2]}); repeatable",
    )
    for source in (kafka, mqtt, minio):
        source.add_argument("--json", action="store_true", help="print one JSON object for each object of an event")


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ, out: TextIO | None = None) -> int:
    """Print until Ctrl+C or SIGTERM, which both end it with exit code 0."""
    out = out or sys.stdout
    end_on_sigterm()
    if sys.stderr.isatty():
        _report("asks for notifications; Ctrl+C ends it")
    # With the first notification: above the reason of a failure it would stand for an empty list.
    heading = "" if args.json else LINE.format(time="TIME", name="EVENT", size="SIZE", etag="ETAG", ref="OBJECT")
    try:
        for body in _bodies(args, env):
            if heading:
                print(heading, file=out, flush=True)
                heading = ""
            for line in lines_of(body, raw_keys=args.source == "minio", as_json=args.json):
                print(line, file=out, flush=True)
    except KeyboardInterrupt:
        pass
    return 0


def lines_of(body: bytes, *, raw_keys: bool = False, as_json: bool = False) -> Iterable[str]:
    """One line for each object that a notification names; for another message, one line that says what is wrong."""
    try:
        found = events.parse_listen_line(body) if raw_keys else events.parse(body, {})
    except EventError as exc:
        problem = f"not a notification, {len(body)} bytes: {exc}"
        return [json_text({"problem": problem}) if as_json else printable(problem)]
    if as_json:
        return [
            json_text(
                {
                    "time": each.time,
                    "name": each.name,
                    "bucket": each.ref.bucket,
                    "key": each.ref.key,
                    "size": each.size,
                    "etag": each.etag,
                }
            )
            for each in found
        ]
    return [
        printable(
            LINE.format(
                time=each.time or "-",
                name=each.name or "-",
                size="-" if each.size is None else each.size,
                etag=each.etag or "-",
                ref=each.ref,
            ).rstrip()
        )
        for each in found
    ]


def _bodies(args: argparse.Namespace, env: Mapping[str, str]) -> Iterator[bytes]:
    """The bodies of the source that the flags name."""
    if args.source == "kafka":
        from penstock.connect.kafka.listen import kafka_bodies
        from penstock.connect.kafka.settings import load_settings

        given = load_settings(args.properties, env, args.set)
        return kafka_bodies(given, args.topics, _report, from_beginning=args.from_beginning)
    if args.source == "mqtt":
        from penstock.connect.mqtt.broker import broker_from
        from penstock.connect.mqtt.listen import mqtt_bodies

        return mqtt_bodies(broker_from(args, env), args.topics, _report)
    from penstock.connect.minio.listen import minio_lines
    from penstock.settings.environment import load_store_settings

    names = args.event or EVENTS
    return minio_lines(load_store_settings(env), args.bucket, names, prefix=args.prefix, suffix=args.suffix)


def _report(problem: str) -> None:
    print(f"penstock listen: {printable(problem)}", file=sys.stderr)
