"""A gateway on a port of loopback with a small real function behind it, and requests to it."""

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from penstock.connect.edition import Edition
from penstock.delivery.attempts import Attempts
from penstock.delivery.deliverer import Policy
from penstock.delivery.inbox import Inbox
from penstock.delivery.inbox_sender import InboxSender
from penstock.local.functions.crashes import CrashLog
from penstock.local.functions.functions import LocalFunctions
from penstock.local.functions.secret_files import SecretFiles
from penstock.local.gateway.access import Access
from penstock.local.gateway.console import make_console
from penstock.local.gateway.deployments import Deployments
from penstock.local.gateway.gateway import Gateway
from penstock.local.gateway.invocations import InvocationLog
from penstock.local.gateway.router import Router
from penstock.local.http_server import HttpServer
from penstock.store.memory import MemoryStore

from tests.unit.local.conftest import Bench

STACK = """\
functions:
  echo:
    handler: ./echo
    image: example/echo:1
    environment: {SOURCE: s3://upload/*.csv, SINK: "s3://processed/{key}.gz", KEPT: "${KEPT:-here}", EXIT: "${EXIT:-}"}
  another:
    handler: ./another
    image: example/another:1
"""


@dataclass
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Running:
    """A gateway on a port, with delivery, over functions of the bench."""

    def __init__(self, bench: Bench, functions: LocalFunctions, access: Access, edition: Edition = Edition.CE) -> None:
        self.bench, self.functions = bench, functions
        self.inbox = Inbox(bench.folder / "inbox.sqlite")
        self.router = Router(self.inbox)
        self.invocations = InvocationLog()
        self.store = MemoryStore("upload", "processed")
        self.crashes, self.attempts = CrashLog(), Attempts(2)
        self.changes = 0
        self.secrets = SecretFiles(bench.folder / "secrets", {"minio-access-key": "own"})
        stack_file = bench.folder / "stack.yml"
        stack_file.write_text(STACK)
        for name in ("echo", "another"):
            (bench.folder / name).mkdir()
        self.gateway = Gateway(
            functions=functions,
            deployments=Deployments(stack_file, functions, {"KEPT": "ours"}, self._changed, edition, self.secrets),
            inbox=self.inbox,
            router=self.router,
            invocations=self.invocations,
            healthy=lambda: "",
            console=make_console(
                functions, self.invocations, self.inbox, self.router, self.store, self.crashes, self.attempts
            ),
            access=access,
            secrets=self.secrets,
        )
        self.router.configure([function.spec for function in functions])
        self.server = HttpServer(self.gateway)
        self.server.start()
        policy = Policy(attempts=2, min_wait_seconds=0.01, max_wait_seconds=0.01)
        self.sender: InboxSender[None] = InboxSender(
            self.inbox,
            self.router.targets(self.server.url),
            policy,
            poll_seconds=0.05,
            observe=self.attempts.observe,
            waits=self.attempts.waits,
        )
        self.sender.start()

    def _changed(self, specs: list[Any]) -> None:
        self.router.configure(specs)
        self.changes += 1

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        data = json.dumps(body) if isinstance(body, dict) else body
        connection.request(method, path, data, fields)
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.getheaders()), response.read())
        connection.close()
        return answer

    def close(self) -> None:
        self.sender.stop(2)
        self.server.stop()
        self.inbox.close()


@pytest.fixture(name="functions")
def functions_fixture(bench: Bench) -> LocalFunctions:
    return bench.functions(
        bench.spec(zero="15m", SOURCE="s3://upload/*.csv", SINK="s3://processed/{key}.gz"),
        bench.spec("broken", EXIT="78"),
    )


@pytest.fixture(name="gateway")
def gateway_fixture(bench: Bench, functions: LocalFunctions) -> Iterator[Running]:
    running = Running(bench, functions, Access(token="secret"))
    yield running
    running.close()
