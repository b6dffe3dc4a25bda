"""`penstock listen`: print notifications as they come from Kafka, MQTT or MinIO's own stream.

For looking, not for triggering: nothing is acknowledged, and MinIO's stream neither replays nor comes at once
(builds since October 2025 hold it back in a 4 KB buffer).
"""

import argparse
import json
import os
import queue
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

from penstock import events
from penstock.commands.connect_kafka import add_client_arguments
from penstock.errors import EventError, TemporaryError
from penstock.process.signals import end_on_sigterm

LINE = "{time:<24}  {name:<40}  {size:>12}  {etag:<34}  {ref}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    sources = parser.add_subparsers(dest="source", required=True)
    kafka = sources.add_parser("kafka", help="a topic's records")
    kafka.add_argument("topics", nargs="+", metavar="TOPIC")
    kafka.add_argument("--from-beginning", action="store_true", help="start with what the topic holds already")
    add_client_arguments(kafka)
    mqtt = sources.add_parser("mqtt", help="a topic's messages")
    mqtt.add_argument("topics", nargs="+", metavar="TOPIC")
    mqtt.add_argument("--url", help="mqtt://HOST:1883 or mqtts://HOST:8883 (default: MQTT_URL)")
    mqtt.add_argument("--ca-file", metavar="FILE", help="PEM file with a private CA (default: CA_FILE)")
    minio = sources.add_parser("minio", help="a bucket's events from the server itself, MINIO_ENDPOINT")
    minio.add_argument("bucket")
    minio.add_argument("--prefix", default="")
    minio.add_argument("--suffix", default="")
    minio.add_argument(
        "--event",
        action="append",
        metavar="NAME",
        help="default: s3:ObjectCreated:*, s3:ObjectRemoved:* and s3:ObjectAccessed:*; repeatable",
    )


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ, out: TextIO = sys.stdout) -> int:
    """Print until Ctrl+C or SIGTERM, which both end it with exit code 0."""
    end_on_sigterm()
    read = {"kafka": kafka_bodies, "mqtt": mqtt_bodies, "minio": minio_lines}[args.source]
    print(LINE.format(time="TIME", name="EVENT", size="SIZE", etag="ETAG", ref="OBJECT"), file=out, flush=True)
    try:
        for body in read(args, env):
            for line in lines_of(body, raw_keys=args.source == "minio"):
                print(line, file=out, flush=True)
    except KeyboardInterrupt:
        pass
    return 0


def lines_of(body: bytes, *, raw_keys: bool = False) -> Iterable[str]:
    """One line per object that a notification names; one that says what is wrong when it is none."""
    try:
        found = events.parse_listen_line(body) if raw_keys else events.parse(body, {})
    except EventError as exc:
        return [f"not a notification, {len(body)} bytes: {exc}"]
    return [
        LINE.format(
            time=each.time or "-",
            name=each.name or "-",
            size="-" if each.size is None else each.size,
            etag=each.etag or "-",
            # A key may hold anything; a terminal must not obey it.
            ref="".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in str(each.ref)),
        ).rstrip()
        for each in found
    ]


def kafka_bodies(args: argparse.Namespace, env: Mapping[str, str]) -> Iterator[bytes]:
    """Records from now on, or from the beginning, without a trace in any consumer group."""
    from confluent_kafka import Consumer

    from penstock.connect.kafka.settings import consumer_settings, load_settings, refused_settings

    settings = consumer_settings(load_settings(args.properties, env, args.set)) | {
        "group.id": f"penstock-listen-{uuid.uuid4()}",
        "auto.offset.reset": "earliest" if args.from_beginning else "latest",
    }
    with refused_settings():
        consumer = Consumer(settings)
    consumer.subscribe(args.topics)
    try:
        while True:
            record = consumer.poll(0.5)
            if record is None:
                continue
            error = record.error()
            if error is None:
                yield record.value() or b""
            else:
                print(f"penstock listen: {error.str()}", file=sys.stderr)
    finally:
        consumer.close()


def mqtt_bodies(args: argparse.Namespace, env: Mapping[str, str]) -> Iterator[bytes]:
    """Messages from now on, in a session that ends with the connection."""
    import ssl

    from paho.mqtt.client import Client, MQTTv5
    from paho.mqtt.enums import CallbackAPIVersion

    from penstock.connect.mqtt.connector import broker_from

    broker = broker_from(args, env)
    arrived: queue.Queue[bytes] = queue.Queue()
    client = Client(CallbackAPIVersion.VERSION2, f"penstock-listen-{uuid.uuid4().hex[:12]}", protocol=MQTTv5)
    if broker.username:
        client.username_pw_set(broker.username, broker.password)
    if broker.tls:
        client.tls_set_context(ssl.create_default_context(cafile=broker.ca_file))

    def connected(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            print(f"penstock listen: {broker.host}:{broker.port} refused: {reason}", file=sys.stderr)
        else:
            client.subscribe([(topic, 1) for topic in args.topics])

    client.on_connect = connected
    client.on_message = lambda _client, _data, message: arrived.put(bytes(message.payload))
    try:
        client.connect(broker.host, broker.port)
    except OSError as exc:
        raise TemporaryError(f"{broker.host}:{broker.port}: {exc}; check MQTT_URL") from exc
    client.loop_start()
    try:
        while True:
            try:
                yield arrived.get(timeout=0.5)
            except queue.Empty:
                continue
    finally:
        client.disconnect()
        client.loop_stop()


def minio_lines(args: argparse.Namespace, env: Mapping[str, str]) -> Iterator[bytes]:
    """MinIO's listen stream; its keys are raw, unlike those in every other notification."""
    import ssl
    from urllib.parse import urlsplit

    import urllib3
    from minio import Minio
    from minio.error import MinioException

    from penstock.settings.environment import load_store_settings
    from penstock.store.failures import error_for

    settings = load_store_settings(env)
    url = urlsplit(settings.endpoint)
    context = ssl.create_default_context(cafile=settings.ca_file) if url.scheme == "https" else None
    client = Minio(
        endpoint=url.netloc,
        access_key=settings.access_key,
        secret_key=settings.secret_key,
        secure=url.scheme == "https",
        region=settings.region,
        http_client=urllib3.PoolManager(ssl_context=context, timeout=urllib3.Timeout(connect=10, read=None)),
    )
    names = tuple(args.event or ("s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectAccessed:*"))
    try:
        with client.listen_bucket_notification(
            bucket_name=args.bucket, prefix=args.prefix, suffix=args.suffix, events=names
        ) as stream:
            for found in stream:
                yield json.dumps(found).encode()
    except (MinioException, urllib3.exceptions.HTTPError) as exc:
        subject = f"MINIO_ENDPOINT={settings.endpoint}: bucket {args.bucket}"
        raise error_for(subject, getattr(exc, "code", None) or "", exc) from exc
