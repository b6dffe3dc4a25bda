"""The embedded stack, wired: store, inbox, delivery, gateway, functions."""

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.delivery.deliverer import Policy
from penstock.delivery.inbox import Inbox
from penstock.delivery.inbox_sender import InboxSender
from penstock.errors import ConfigError
from penstock.local.functions.functions import Functions, Settings, serve_command
from penstock.local.gateway.console import make_console
from penstock.local.gateway.deployments import Deployments
from penstock.local.gateway.gateway import Access, Gateway
from penstock.local.gateway.invocations import InvocationLog
from penstock.local.gateway.router import Router
from penstock.local.http_server import HttpServer
from penstock.local.store.minio import RealMinio, make_buckets
from penstock.local.store.server import EmbeddedStore
from penstock.settings.config import StoreSettings
from penstock.settings.environment import load_store_settings
from penstock.settings.stackfile import FunctionSpec, load_stack
from penstock.store import Store
from penstock.store.s3 import S3ObjectStore

# Requests to one function at a time: what its worker has threads for, and one machine has no more to give.
_CONCURRENCY: Final = 4
_TIMEOUT_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class StackOptions:
    """How to run it. `env` decides between the embedded store and the server that MINIO_ENDPOINT names."""

    stack_file: Path
    data: Path
    env: Mapping[str, str]
    port: int = 8080
    store_port: int = 9000
    zero_after_seconds: float | None = None
    password: str = ""
    queue_dir: str = ""
    events_url: str = ""


class Stack:
    """Everything that `penstock up` runs. Raises `ConfigError` from the constructor and from `start`."""

    def __init__(self, options: StackOptions) -> None:
        data = options.data.resolve()
        try:
            data.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise ConfigError(f"--data {options.data}: no folder can be made there: {exc.strerror}") from exc
        self.options = options
        self.invocations = InvocationLog()
        self._token = _kept_secret(data / "events-token")
        overrides = {"INDEX_SINK": f"sqlite://{data}/index.sqlite"}
        specs = load_stack(options.stack_file, {**options.env, **overrides}).functions
        with contextlib.ExitStack() as held:
            self.inbox = Inbox(data / "inbox.sqlite")
            held.callback(self.inbox.close)
            self.router = Router(self.inbox)
            self.router.configure(specs.values())
            self.lake: EmbeddedLake | RealMinio
            if options.env.get("MINIO_ENDPOINT"):
                queue_dir = options.queue_dir or str(data / "minio-queue")
                self.lake = RealMinio(
                    load_store_settings(options.env), self.router, queue_dir, self._token, options.events_url
                )
            else:
                self.lake = EmbeddedLake(options.store_port, _kept_secret(data / "store-secret"), self.router)
            held.callback(self.lake.stop)
            self.store: Store = S3ObjectStore(self.lake.settings)
            self._environment = _store_environment(self.lake.settings)
            settings = Settings(data, self._environment, serve_command, options.zero_after_seconds)
            self.functions = Functions(specs, settings)
            held.callback(self.functions.stop)
            gateway = Gateway(
                functions=self.functions,
                deployments=Deployments(options.stack_file, self.functions, overrides, self._changed),
                inbox=self.inbox,
                router=self.router,
                invocations=self.invocations,
                healthy=self._problem,
                console=make_console(self.functions, self.invocations, self.inbox, self.router, self.store),
                access=Access(token=self._token, password=options.password),
            )
            self._server = HttpServer(gateway, port=options.port)
            held.callback(self._server.stop)
            policy = Policy(concurrency=_CONCURRENCY, timeout_seconds=_TIMEOUT_SECONDS)
            self._sender = InboxSender(self.inbox, self.router.targets(self._server.url), policy)
            self._held = held.pop_all()

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> None:
        self._held.callback(self._sender.stop, 2.0)
        self._sender.start()
        self._server.start()
        self.lake.connect(self.router.buckets(), self.url)

    def stop(self) -> None:
        """End everything within seconds; what was not delivered stays in the inbox."""
        self._held.close()

    def _problem(self) -> str:
        return "" if self._sender.running else self._sender.error or "delivery has ended"

    def _changed(self, specs: list[FunctionSpec]) -> None:
        self.router.configure(specs)
        self.lake.connect(self.router.buckets(), self.url)
        self._sender.configure(self.router.targets(self.url))


class EmbeddedLake:
    """The store in this process."""

    def __init__(self, port: int, secret_key: str, router: Router) -> None:
        self._server = EmbeddedStore(
            access_key="penstock", secret_key=secret_key, notify=router.accept, wanted=router.wanted, port=port
        )
        self.settings = self._server.settings
        self._server.start()

    def connect(self, buckets: list[str], own_url: str) -> None:  # noqa: ARG002 - it needs no webhook
        make_buckets(self.settings, buckets)

    def stop(self) -> None:
        self._server.stop()


def _store_environment(settings: StoreSettings) -> dict[str, str]:
    found = {
        "MINIO_ENDPOINT": settings.endpoint,
        "MINIO_ACCESS_KEY": settings.access_key,
        "MINIO_SECRET_KEY": settings.secret_key,
        "MINIO_REGION": settings.region,
    }
    if settings.ca_file is not None:
        found["MINIO_CA_FILE"] = str(settings.ca_file.resolve())
    return found


def _kept_secret(path: Path) -> str:
    """A random text that stays the same for one data folder, readable by its owner only."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_text().strip()
    text = secrets.token_urlsafe(24)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return text
