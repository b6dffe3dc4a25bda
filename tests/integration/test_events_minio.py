"""What a real MinIO sends for each kind of client call, and for hard keys, is read back as what was done."""

import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import urllib3
from minio import Minio
from minio.commonconfig import CopySource, Tags
from minio.datatypes import PostPolicy
from minio.deleteobjects import DeleteObject
from minio.notificationconfig import NotificationConfig, QueueConfig
from penstock.events import Kind, Notification, looks_like_notification, parse, to_cloudevents

from tests.components import MinioServer
from tests.components.process import LOOPBACK

BUCKET = "upload"
RULES = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectAccessed:*"]
KEYS = [
    "a b.csv",
    "a+b.csv",
    "100%.csv",
    "%2F%20+",
    "a&b=c?d#e.csv",
    "quo'te\".csv",
    "two\nlines\r\n.csv",
    "日本語/データ.csv",
    "e\u0301 and \u00e9.csv",
    "/".join(["a" * 250] * 3) + "/" + "b" * 147,  # 900 bytes
    "...",
]


class Inbox:
    """A webhook endpoint that keeps what it gets, and lets a test wait for it."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self._arrived = threading.Condition()

    def add(self, body: bytes) -> None:
        with self._arrived:
            self.bodies.append(body)
            self._arrived.notify_all()

    def take(self, count: int) -> list[bytes]:
        """The next `count` bodies, once they are there."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.bodies) >= count, timeout=120), self.bodies
            taken, self.bodies = self.bodies[:count], self.bodies[count:]
            return taken


def serve(inbox: Inbox) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:  # MinIO asks whether the endpoint is there
            self.send_response(200)
            self.end_headers()

        def do_POST(self) -> None:
            inbox.add(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    return ThreadingHTTPServer((LOOPBACK, 0), Handler)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MinioServer, Inbox]]:
    """A MinIO whose bucket `upload` reports everything to the inbox."""
    inbox = Inbox()
    with serve(inbox) as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        env = {
            "MINIO_NOTIFY_WEBHOOK_ENABLE_TEST": "on",
            "MINIO_NOTIFY_WEBHOOK_ENDPOINT_TEST": f"http://{LOOPBACK}:{receiver.server_port}/",
        }
        with MinioServer(tmp_path_factory.mktemp("minio-events"), env=env) as server:
            client = server.endpoint.client()
            client.make_bucket(bucket_name=BUCKET)
            rule = QueueConfig(queue="arn:minio:sqs::TEST:webhook", events=RULES)
            client.set_bucket_notification(bucket_name=BUCKET, config=NotificationConfig(queue_config_list=[rule]))
            yield server, inbox
        receiver.shutdown()


def put(client: Minio, key: str, data: bytes = b"a,b\n1,2\n") -> None:
    client.put_object(bucket_name=BUCKET, object_name=key, data=io.BytesIO(data), length=len(data))


def post_form(server: MinioServer, client: Minio, key: str) -> None:
    """Upload as a browser's form does."""
    policy = PostPolicy(BUCKET, datetime.now(UTC) + timedelta(minutes=5))
    policy.add_equals_condition("key", key)
    fields: dict[str, str | tuple[str, bytes]] = dict(client.presigned_post_policy(policy))
    fields |= {"key": key, "file": (key, b"a,b\n1,2\n")}
    answer = urllib3.request("POST", f"{server.endpoint.url}/{BUCKET}", fields=list(fields.items()))
    assert answer.status == 204, answer.data


def read(bodies: list[bytes]) -> list[Notification]:
    return [notification for body in bodies for notification in parse(body, {"Content-Type": "application/json"})]


@pytest.mark.parametrize("key", KEYS)
def test_key_comes_back_as_it_was_put(lake: tuple[MinioServer, Inbox], key: str) -> None:
    server, inbox = lake
    put(server.endpoint.client(), key)
    (body,) = inbox.take(1)
    (found,) = read([body])
    assert (found.ref.bucket, found.ref.key, found.kind, found.size) == (BUCKET, key, Kind.CREATED, 8)
    (sent,) = to_cloudevents(body)
    assert sent.attributes["subject"] == key
    assert parse(sent.data, sent.http_headers()) == [found]
    assert looks_like_notification(body)


def test_each_call_is_reported_under_its_name(lake: tuple[MinioServer, Inbox]) -> None:
    server, inbox = lake
    client = server.endpoint.client()

    def names(count: int = 1) -> list[tuple[str, Kind, str]]:
        return [(found.name, found.kind, found.ref.key) for found in read(inbox.take(count))]

    put(client, "empty.csv", b"")
    (empty,) = read(inbox.take(1))
    assert (empty.name, empty.size) == ("s3:ObjectCreated:Put", 0)

    put(client, "donors.csv", b"x" * (6 << 20))
    (donors,) = read(inbox.take(1))
    assert (donors.name, donors.size) == ("s3:ObjectCreated:CompleteMultipartUpload", 6 << 20)
    assert donors.etag is not None
    assert donors.etag.endswith("-2")

    client.stat_object(bucket_name=BUCKET, object_name="empty.csv")
    assert names() == [("s3:ObjectAccessed:Head", Kind.ACCESSED, "empty.csv")]
    client.get_object(bucket_name=BUCKET, object_name="empty.csv").close()
    assert names() == [("s3:ObjectAccessed:Get", Kind.ACCESSED, "empty.csv")]

    client.copy_object(
        bucket_name=BUCKET, object_name="copy", source=CopySource(bucket_name=BUCKET, object_name="empty.csv")
    )
    # minio-py looks at the source first.
    assert ("s3:ObjectCreated:Copy", Kind.CREATED, "copy") in names(2)

    tags = Tags.new_object_tags()
    tags["kind"] = "list"
    client.set_object_tags(bucket_name=BUCKET, object_name="copy", tags=tags)
    client.delete_object_tags(bucket_name=BUCKET, object_name="copy")
    # MinIO sends each on a thread of its own, so two may come in any order.
    assert set(names(2)) == {
        ("s3:ObjectCreated:PutTagging", Kind.CREATED, "copy"),
        ("s3:ObjectCreated:DeleteTagging", Kind.CREATED, "copy"),
    }

    post_form(server, client, "posted.csv")
    assert names() == [("s3:ObjectCreated:Post", Kind.CREATED, "posted.csv")]

    client.remove_object(bucket_name=BUCKET, object_name="copy")
    client.remove_object(bucket_name=BUCKET, object_name="missing")
    assert set(names(2)) == {
        ("s3:ObjectRemoved:Delete", Kind.REMOVED, "copy"),
        ("s3:ObjectRemoved:NoOP", Kind.REMOVED, "missing"),
    }
    many = [DeleteObject("empty.csv"), DeleteObject("posted.csv")]
    assert not list(client.remove_objects(bucket_name=BUCKET, delete_object_list=many))
    gone = read(inbox.take(2))
    assert {(found.name, found.ref.key) for found in gone} == {
        ("s3:ObjectRemoved:Delete", "empty.csv"),
        ("s3:ObjectRemoved:Delete", "posted.csv"),
    }
    assert len({found.id for found in gone}) == 2  # although one request removed both
