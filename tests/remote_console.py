"""A lake on a platform for tests of `penstock console`: a gateway, a bridge that delivers to it, and the console."""

from __future__ import annotations

import argparse
import base64
import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from penstock.commands.bridge import add_arguments
from penstock.connect.bridge.app import create_app
from penstock.connect.bridge.inbox_api import make_inbox_api
from penstock.connect.bridge.messages import object_of
from penstock.connect.bridge.settings import load_bridge_config
from penstock.connect.openfaas import OpenFaasGateway
from penstock.delivery.attempts import Attempts
from penstock.delivery.deliverer import Message, Policy
from penstock.delivery.inbox import Inbox
from penstock.delivery.inbox_sender import InboxSender
from penstock.delivery.measures import DeliveryMeasures
from penstock.delivery.recent import RecentAttempts
from penstock.delivery.verdict import Verdict
from penstock.local.console.remote.application import ConsoleApplication
from penstock.local.console.remote.bridge import BridgeInbox
from penstock.local.console.remote.lake import RemoteLake
from penstock.local.console.remote.platform import OpenFaasPlatform
from penstock.local.console.remote.queues import Queues
from penstock.local.gateway.access import Access
from penstock.local.http_server import HttpServer
from penstock.process import metric_table
from penstock.types import ObjectRef

from tests.paths import EVENTS
from tests.unit.local.gateway.conftest import Answer, Running

TOKEN = "console-token"
PASSWORD = "pass word"
LOGIN = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()


def notification(ref: ObjectRef) -> dict[str, Any]:
    """What MinIO sends of an object that was put."""
    document: dict[str, Any] = json.loads((EVENTS / "minio_put.json").read_text())
    entity = document["Records"][0]["s3"]
    entity["bucket"]["name"], entity["object"]["key"] = ref.bucket, quote(ref.key, safe="")
    return document


def ask(port: int, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """One request to a server on loopback; a dictionary is sent as JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, json.dumps(body) if isinstance(body, dict) else body, fields)
    response = connection.getresponse()
    answer = Answer(response.status, dict(response.getheaders()), response.read())
    connection.close()
    return answer


class Bridge:
    """A bridge in this process, which delivers each event to the function `echo` and tells a console of it.

    After the first of two attempts an event waits for `wait_seconds`. With `broker`, that is the target instead.
    """

    def __init__(self, folder: Path, gateway_url: str, *, wait_seconds: float = 0.01, broker: str = "") -> None:
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        inbox = str(folder / "bridge.db")
        to = f"echo={gateway_url}/function/echo/event"
        words = ["--inbox", inbox, "--allow-anonymous"]
        flags = parser.parse_args(words if broker else ["--to", to, *words])
        config = load_bridge_config(flags, {"K_SINK": broker} if broker else {})
        self.inbox, measures = Inbox(flags.inbox), DeliveryMeasures()
        recent, attempts = RecentAttempts(), Attempts(2, named=object_of)

        def observe(message: Message[object], verdict: Verdict, seconds: float) -> None:
            recent.observe(message, verdict, seconds)
            attempts.observe(message, verdict, seconds)

        policy = Policy(attempts=2, min_wait_seconds=wait_seconds, max_wait_seconds=wait_seconds)
        self._sender: InboxSender[None] = InboxSender(
            self.inbox, config.targets, policy, poll_seconds=0.05, observe=observe, waits=attempts.waits
        )
        measures.gauge(metric_table.INBOX_PENDING, lambda: [({}, self.inbox.counts().pending)])
        app = create_app(
            config, self.inbox, self._sender, measures, make_inbox_api(TOKEN, self.inbox, recent, attempts)
        )
        self.server = HttpServer(app)
        self.server.start()
        self._sender.start()

    def close(self) -> None:
        self._sender.stop(2)
        self.server.stop()
        self.inbox.close()


class RemoteConsole:
    """The console over a gateway and a bridge. `request` is logged in."""

    def __init__(self, gateway: Running, *, allows_writes: bool = False, bridge: bool = True) -> None:
        self.gateway = gateway
        self.bridge = Bridge(gateway.bench.folder, gateway.server.url) if bridge else None
        inbox = BridgeInbox(self.bridge.server.url, TOKEN) if self.bridge else None
        self.lake = RemoteLake(
            OpenFaasPlatform(OpenFaasGateway(gateway.server.url)),
            gateway.store,
            bridge=inbox,
            queues=Queues([f"{self.bridge.server.url}/metrics"] if self.bridge else []),
            handlers={"echo": gateway.bench.folder},
            allows_writes=allows_writes,
            look_seconds=0.05,
        )
        self.server = HttpServer(ConsoleApplication(self.lake, Access(password=PASSWORD)))
        self.lake.look()
        self.lake.start()
        self.server.start()

    def happens(self, ref: ObjectRef) -> None:
        """MinIO tells the bridge of an object."""
        assert self.bridge is not None
        answer = ask(self.bridge.server.port, "POST", "/", notification(ref))
        assert answer.status == 202, answer.text

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return ask(self.server.port, method, path, body, **{"Authorization": LOGIN, **headers})

    def close(self) -> None:
        self.server.stop()
        self.lake.stop()
        if self.bridge is not None:
            self.bridge.close()
