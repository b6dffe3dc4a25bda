"""What the way of an event allows: MinIO's own targets, and the bridge that stores what it is sent.

    python -m bench.notifications [--small] [--turns 3]

Real MinIO, Kafka and bridge on loopback, small objects put by four threads. A target with a queue on disk passes on
one event at a time, so its rate is a limit of MinIO's, and a lake that puts faster than that fills the queue. The
bridge is also sent events on 16 connections at once, as several MinIO servers would; each is on disk when it answers.
"""

import io
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from confluent_kafka import Consumer, TopicPartition
from minio.notificationconfig import NotificationConfig, QueueConfig

from bench.load import post_all
from bench.peers import THREADS
from bench.report import Report, arguments
from tests.components import KafkaServer, MinioServer
from tests.components.process import free_ports
from tests.integration.connect_helpers import Penstock

TOPIC = "upload"
SENDERS = 16
ARNS = {"bridge": "arn:minio:sqs::BRIDGE:webhook", "kafka": "arn:minio:sqs::LAKE:kafka"}


def targets(folder: Path, bridge: str, kafka: KafkaServer) -> Mapping[str, str]:
    """MinIO's settings for both targets, each with a queue on disk."""
    webhook = {"ENDPOINT": f"http://{bridge}/", "QUEUE_DIR": str(folder / "queue-webhook")}
    topic = {"BROKERS": kafka.endpoint.bootstrap_servers, "TOPIC": TOPIC, "QUEUE_DIR": str(folder / "queue-kafka")}
    named = {("WEBHOOK", "BRIDGE"): webhook, ("KAFKA", "LAKE"): topic}
    return {
        f"MINIO_NOTIFY_{kind}_{name}_{target}": value
        for (kind, target), given in named.items()
        for name, value in {"ENABLE": "on", **given}.items()
    }


def received(bridge: Penstock) -> int:
    """Events that the bridge has stored since it started."""
    with urlopen(f"http://{bridge.address}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("penstock_bridge_received_total"))


def put_all(minio: MinioServer, bucket: str, count: int) -> float:
    """Put small objects; returns the seconds."""
    client = minio.endpoint.client()
    started = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda n: client.put_object(bucket, f"in/{n:06}.csv", io.BytesIO(b"a\n"), 2), range(count)))
    return time.perf_counter() - started


def rate(minio: MinioServer, bucket: str, count: int, arrived: Callable[[], int]) -> tuple[float, float]:
    """Objects put per second, and events arrived per second until the last one."""
    before, started = arrived(), time.perf_counter()
    put_seconds = put_all(minio, bucket, count)
    while arrived() - before < count:
        if time.perf_counter() - started > 300:
            raise RuntimeError(f"{bucket}: {arrived() - before} of {count} events arrived in five minutes")
        time.sleep(0.05)
    return count / put_seconds, count / (time.perf_counter() - started)


def main() -> None:
    args = arguments(__doc__, turns=3).parse_args()
    count, turns = (300, 1) if args.small else (3000, args.turns)
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        kafka = held.enter_context(KafkaServer(folder / "kafka"))
        kafka.endpoint.create_topic(TOPIC)
        address = f"127.0.0.1:{free_ports(1)[0]}"
        minio = held.enter_context(MinioServer(folder / "minio", env=targets(folder, address, kafka)))
        # Where it delivers to does not exist: the bench is about storing.
        env = {"K_SINK": "http://127.0.0.1:9/", "ATTEMPTS": "0", "MIN_WAIT_SECONDS": "3600", "MAX_WAIT_SECONDS": "3600"}
        words = ("bridge", "--allow-anonymous", "--inbox", str(folder / "inbox.db"))
        bridge = Penstock("bridge", folder, *words, env=env, address=address)
        held.callback(bridge.kill)
        bridge.until(bridge.is_ready, "ready")
        client = minio.endpoint.client()
        for bucket in ("plain", *ARNS):
            client.make_bucket(bucket)
        for bucket, arn in ARNS.items():
            rule = QueueConfig(queue=arn, events=["s3:ObjectCreated:*"])
            client.set_bucket_notification(bucket, NotificationConfig(queue_config_list=[rule]))
        settings = {"bootstrap.servers": kafka.endpoint.bootstrap_servers, "group.id": "bench"}
        consumer = Consumer(settings)
        held.callback(consumer.close)

        def in_topic() -> int:
            return int(consumer.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=30)[1])

        event = {"EventName": "s3:ObjectCreated:Put", "Key": "bridge/in.csv", "Records": []}
        found: dict[str, list[float]] = {}
        for turn in range(turns + 1):
            plain = count / put_all(minio, "plain", count)
            put_webhook, webhook = rate(minio, "bridge", count, partial(received, bridge))
            put_kafka, topic = rate(minio, "kafka", count, in_topic)
            bodies = [
                json.dumps({**event, "Key": f"bridge/{turn}-{n}.csv", "Records": [record(turn, n)]}).encode()
                for n in range(count)
            ]
            stored = count / post_all(f"http://{address}", bodies, connections=SENDERS, path="/")
            ways = {
                "objects put, no rule": plain,
                "objects put, rule to the bridge": put_webhook,
                "events through MinIO's webhook target into the bridge": webhook,
                "objects put, rule to Kafka": put_kafka,
                "events through MinIO's Kafka target": topic,
                f"events into the bridge on {SENDERS} connections": stored,
            }
            for name, value in ways.items():
                found.setdefault(name, []).extend([value] if turn else [])
    report = Report(f"The way of an event: {count:,} small objects")
    report.table(["what", "per second"], [[name, f"{median(values):,.0f}"] for name, values in found.items()])
    report.finish()


def record(turn: int, number: int) -> dict[str, object]:
    """The part of MinIO's record that says which object it is."""
    found = {"key": f"{turn}-{number}.csv", "size": 2, "eTag": "a" * 32, "sequencer": f"{number:016X}"}
    return {"eventVersion": "2.0", "eventSource": "minio:s3", "eventTime": "2026-01-01T00:00:00.000Z"} | {
        "eventName": "s3:ObjectCreated:Put",
        "s3": {"bucket": {"name": "bridge"}, "object": found},
    }


if __name__ == "__main__":
    main()
