"""Measure the Kafka connector: records per second into a sink that does nothing, and into one that takes 20 ms.

    python bench/connector.py [--records 100000] [--turns 3]

A real broker (tests/components), a connector in its own process on one core, broker and sink on the other. The
sink answers 200 at once, or after 20 ms, and checks that offsets rise within each key. The peer for the slow sink
is the loop everybody writes first: poll, POST on one kept connection, commit when a hundred are through.
Turns are interleaved; figures are medians; CPU is the connector's own, user and system.
"""

import argparse
import asyncio
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from confluent_kafka import Consumer, Producer

from bench.report import Goal, Report
from tests.components import KafkaServer
from tests.components.process import free_ports

KEYS = 1000
VALUE = b'{"EventName":"s3:ObjectCreated:Put","Key":"upload/donors.csv","Records":[{}]}'.ljust(1200)
SLOW_SECONDS = 0.02
_HEAD = re.compile(rb"x-kafka-offset: (\d+)\r\nx-kafka-key: ([^\r]*)\r|content-length: (\d+)\r", re.IGNORECASE)
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Sink(asyncio.Protocol):
    """Reads whole requests with as little work as possible, because it must not be what is measured."""

    delay_seconds = 0.0
    count = 0
    disorder = 0
    last_offsets: dict[bytes, int]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            length, offset, key = 0, -1, b""
            for found in _HEAD.finditer(self._data[: end + 2]):
                if found.group(3):
                    length = int(found.group(3))
                else:
                    offset, key = int(found.group(1)), found.group(2)
            if len(self._data) < end + 4 + length:
                return
            is_post, is_reset = self._data.startswith(b"POST"), self._data.startswith(b"GET /reset")
            self._data = self._data[end + 4 + length :]
            if is_post:
                self._take(offset, key)
            else:
                self._report(is_reset)

    def _take(self, offset: int, key: bytes) -> None:
        if offset <= Sink.last_offsets.get(key, -1):
            Sink.disorder += 1
        Sink.last_offsets[key] = offset
        Sink.count += 1
        if Sink.delay_seconds:
            asyncio.get_running_loop().call_later(Sink.delay_seconds, self._wire.write, _OK)  # type: ignore[attr-defined]
        else:
            self._wire.write(_OK)  # type: ignore[attr-defined]

    def _report(self, reset: bool) -> None:
        body = json.dumps({"count": Sink.count, "disorder": Sink.disorder}).encode()
        if reset:
            Sink.count = Sink.disorder = 0
            Sink.last_offsets = {}
        self._wire.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)  # type: ignore[attr-defined]


async def serve_sink(port: int, delay_seconds: float) -> None:
    Sink.delay_seconds, Sink.last_offsets = delay_seconds, {}
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


class SinkProcess:
    def __init__(self, delay_seconds: float) -> None:
        (self.port,) = free_ports(1)
        argv = [sys.executable, __file__, "--sink", str(self.port), str(delay_seconds)]
        self._process = subprocess.Popen(argv)
        while True:
            try:
                self.report()
                return
            except OSError:
                time.sleep(0.05)

    def report(self) -> dict[str, int]:
        """Counts since the last reset."""
        return self._get("/")

    def reset(self) -> None:
        self._get("/reset")

    def _get(self, path: str) -> dict[str, int]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("GET", path)
        found: dict[str, int] = json.loads(connection.getresponse().read())
        connection.close()
        return found

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_connector(servers: str, topic: str, sink: SinkProcess, records: int, concurrency: int) -> tuple[float, float]:
    """Records per second of wall time and of the connector's CPU time, from the first records to the last."""
    (port,) = free_ports(1)
    settings = [f"bootstrap.servers={servers}", f"group.id={uuid.uuid4()}"]
    argv = [
        *("taskset", "-c", "0", sys.executable, "-m", "penstock.cli", "connect", "kafka"),
        *("--listen", f"127.0.0.1:{port}", "--to", f"{topic}=http://127.0.0.1:{sink.port}/function/noop"),
        *("--concurrency", str(concurrency)),
        *(part for setting in settings for part in ("--set", setting)),
    ]
    sink.reset()
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    try:
        while not (before := sink.report()["count"]):
            time.sleep(0.005)
        start, cpu = time.perf_counter(), cpu_seconds(process.pid)
        while sink.report()["count"] < records:
            time.sleep(0.02)
        # A few records may take less than the clock of the processor time shows.
        wall, cpu = time.perf_counter() - start, max(cpu_seconds(process.pid) - cpu, 1 / os.sysconf("SC_CLK_TCK"))
    finally:
        process.terminate()
        process.wait()
    found = sink.report()
    if found["count"] != records or found["disorder"]:
        raise SystemExit(f"{found['count']} of {records} records delivered, {found['disorder']} out of order")
    return (records - before) / wall, (records - before) / cpu


def run_loop(servers: str, topic: str, sink: SinkProcess, records: int) -> float:
    """Records per second of the loop that delivers one at a time."""
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": str(uuid.uuid4()),
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    connection = http.client.HTTPConnection("127.0.0.1", sink.port)
    start, done = 0.0, 0
    while done < records:
        record = consumer.poll(1.0)
        if record is None or record.error():
            continue
        start = start or time.perf_counter()
        connection.request("POST", "/function/noop", record.value() or b"", {"X-Topic": topic})
        connection.getresponse().read()
        done += 1
        if not done % 100:
            consumer.commit(asynchronous=True)
    wall = time.perf_counter() - start
    consumer.close()
    connection.close()
    return records / wall


def fill(kafka: KafkaServer, topic: str, records: int) -> None:
    kafka.endpoint.create_topic(topic, 4)
    producer = Producer({"bootstrap.servers": kafka.endpoint.bootstrap_servers, "linger.ms": 20})
    for number in range(records):
        while True:
            try:
                producer.produce(topic, key=b"upload/object-%d" % (number % KEYS), value=VALUE)
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the Kafka connector.")
    parser.add_argument("--records", type=int, default=100_000, help="for the sink that does nothing (%(default)s)")
    parser.add_argument("--slow-records", type=int, default=6000, help="for the sink that takes 20 ms (%(default)s)")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--sink", nargs=2, metavar=("PORT", "SECONDS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.sink:
        os.sched_setaffinity(0, {1})
        asyncio.run(serve_sink(int(args.sink[0]), float(args.sink[1])))
        return
    os.sched_setaffinity(0, {1})  # this process and the broker that it starts
    with tempfile.TemporaryDirectory() as folder, KafkaServer(Path(folder)) as kafka:
        servers = kafka.endpoint.bootstrap_servers
        kafka.endpoint.create_topic("dead-letters")
        fill(kafka, "fast", args.records)
        fill(kafka, "slow", args.slow_records)
        noop, slow = SinkProcess(0), SinkProcess(SLOW_SECONDS)
        results: dict[str, list[tuple[float, float]]] = {}
        loop: list[float] = []
        try:
            for _ in range(args.turns):
                results.setdefault("no-op sink", []).append(run_connector(servers, "fast", noop, args.records, 32))
                for concurrency in (32, 256):
                    name = f"20 ms sink, concurrency {concurrency}"
                    found = run_connector(servers, "slow", slow, args.slow_records, concurrency)
                    results.setdefault(name, []).append(found)
                loop.append(run_loop(servers, "slow", slow, 200))
        finally:
            noop.stop()
            slow.stop()
    one_by_one = statistics.median(loop)
    report = Report("Kafka connector")
    rows = [["20 ms sink, one at a time", f"{one_by_one:,.0f}", "", "1.0"]]
    walls: dict[str, float] = {}
    for name, turns in results.items():
        walls[name], cpu = (statistics.median(values) for values in zip(*turns, strict=True))
        times = f"{walls[name] / one_by_one:.1f}" if "20 ms" in name else ""
        rows.append([name, f"{walls[name]:,.0f}", f"{cpu:,.0f}", times])
    report.table(["sink", "records per second", "per processor second", "times the loop"], rows)
    report.goals = [
        Goal(
            5,
            "connector, records per second on one core, a sink that does nothing",
            walls["no-op sink"],
            10_000,
            at_most=False,
        ),
        Goal(
            5,
            "connector, a sink of 20 ms, to the loop",
            walls["20 ms sink, concurrency 32"] / one_by_one,
            20,
            at_most=False,
        ),
    ]
    report.finish()


if __name__ == "__main__":
    main()
