"""The local stack, wired: store, inbox, delivery, gateway, functions."""

import contextlib
import logging
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from penstock.connect.edition import Edition
from penstock.delivery.attempts import Attempts
from penstock.delivery.deliverer import Policy
from penstock.delivery.inbox import Inbox
from penstock.delivery.inbox_sender import InboxSender
from penstock.delivery.verdict import DeliveryOutcome, Verdict
from penstock.errors import ConfigError
from penstock.local.address import forget_address, inbox_file, index_sink, keep_address
from penstock.local.functions.crashes import CrashLog
from penstock.local.functions.function import Settings, serve_command
from penstock.local.functions.functions import LocalFunctions
from penstock.local.functions.secret_files import SecretFiles
from penstock.local.gateway.access import Access
from penstock.local.gateway.console import make_console
from penstock.local.gateway.deployments import Deployments
from penstock.local.gateway.gateway import Gateway
from penstock.local.gateway.invocations import InvocationLog
from penstock.local.gateway.router import Router
from penstock.local.http_server import HttpServer
from penstock.local.stack_folder import forget, kept_secret, make_folder, refuse_other_stores_folder
from penstock.local.store.minio import RealMinio, make_buckets
from penstock.local.store.server import EmbeddedStore
from penstock.settings.config import StoreSettings
from penstock.settings.environment import load_store_settings
from penstock.settings.stackfile import FunctionSpec, load_stack
from penstock.store import Store
from penstock.store.s3 import S3ObjectStore

_log = logging.getLogger("penstock.local")

# Requests to one function at a time: what its worker has threads for, and one machine has no more to give.
_CONCURRENCY: Final = 4
_TIMEOUT_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class StackOptions:
    """How to run it. `env` decides between the store in this process and the server that MINIO_ENDPOINT names.

    `password` is the gateway's, for the user `admin`: None makes one and keeps it in the data folder, "" asks for none.
    `edition` is that of OpenFaaS whose rules the gateway's API keeps; functions are stopped when idle in both.
    Objects, index, events and dead letters are kept together between runs; `fresh` forgets them together.
    """

    stack_file: Path
    data: Path
    env: Mapping[str, str]
    port: int = 8080
    store_port: int = 9000
    zero_after_seconds: float | None = None
    password: str | None = field(default=None, repr=False)
    queue_dir: str = ""
    events_url: str = ""
    edition: Edition = Edition.CE
    fresh: bool = False
    reload: bool = False


class Stack:
    """Everything that `penstock up` runs. Raises `ConfigError` from the constructor and from `start`."""

    def __init__(self, options: StackOptions) -> None:
        data = options.data.resolve()
        overrides = {"INDEX_SINK": index_sink(data)}
        # Read before anything is made or forgotten: a wrong stack file must not cost what an earlier run kept.
        specs = load_stack(options.stack_file, {**options.env, **overrides}).functions
        make_folder(data, options.data)
        if options.fresh:
            forget(data)
        if not options.env.get("MINIO_ENDPOINT"):
            refuse_other_stores_folder(data)
            (data / "objects").mkdir(exist_ok=True)
        self.options = options
        self.invocations = InvocationLog()
        self.crashes = CrashLog()
        policy = Policy(concurrency=_CONCURRENCY, timeout_seconds=_TIMEOUT_SECONDS)
        self.attempts = Attempts(policy.attempts)
        self._connected = False
        self._token = kept_secret(data / "events-token")
        self.password = kept_secret(data / "password") if options.password is None else options.password
        with contextlib.ExitStack() as held:
            self.inbox = Inbox(inbox_file(data))
            held.callback(self.inbox.close)
            self.router = Router(self.inbox)
            self.router.configure(specs.values())
            self.lake: EmbeddedLake | RealMinio
            if options.env.get("MINIO_ENDPOINT"):
                queue_dir = options.queue_dir or str(data / "minio-queue")
                self.lake = RealMinio(
                    load_store_settings(options.env),
                    self.router,
                    queue_dir,
                    self._token,
                    data / "watch.db",
                    options.events_url,
                )
            else:
                self.lake = EmbeddedLake(
                    options.store_port, kept_secret(data / "store-secret"), self.router, data / "objects"
                )
            held.callback(self.lake.stop)
            self.store: Store = S3ObjectStore(self.lake.settings)
            self._environment = _store_environment(self.lake.settings)
            if options.reload:
                # Python takes compiled code for current when second and size of the source are equal.
                self._environment["PYTHONDONTWRITEBYTECODE"] = "1"
            own = {
                "minio-access-key": self.lake.settings.access_key,
                "minio-secret-key": self.lake.settings.secret_key,
            }
            files = SecretFiles(data / "secrets", own)
            settings = Settings(
                data, self._environment, serve_command, options.zero_after_seconds, files.mount, self.crashes
            )
            self.functions = LocalFunctions(specs, settings)
            held.callback(self.functions.stop)
            self.deployments = Deployments(
                options.stack_file, self.functions, overrides, self._changed, options.edition, files
            )
            gateway = Gateway(
                functions=self.functions,
                deployments=self.deployments,
                inbox=self.inbox,
                router=self.router,
                invocations=self.invocations,
                healthy=self._problem,
                console=make_console(
                    self.functions, self.invocations, self.inbox, self.router, self.store, self.crashes, self.attempts
                ),
                access=Access(token=self._token, password=self.password),
                secrets=files,
            )
            self._server = HttpServer(gateway, port=options.port)
            held.callback(self._server.stop)
            self._sender: InboxSender[None] = InboxSender(
                self.inbox,
                self.router.targets(self._server.url),
                policy,
                observe=self.attempts.observe,
                waits=self.attempts.waits,
            )
            self._held = held.pop_all()

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def console_url(self) -> str:
        """What opens the console at once: the page keeps the login in a cookie, and the address loses the password."""
        login = f"?password={quote(self.password, safe='')}" if self.password else ""
        return f"{self.url}/ui/{login}"

    def start(self) -> None:
        self._held.callback(self._sender.stop, 2.0)
        try:
            self._sender.start()
        except ConfigError as exc:
            flags = "--data .penstock-2 --port 8090 --store-port 9090"
            raise ConfigError(
                f"--data {self.options.data}: another penstock up runs on it; stop that one, or run this one beside "
                f"it: {flags}, with make: ARGS='{flags}'"
            ) from exc
        _bury_unwanted(self.inbox, {target.name for target in self.router.targets(self.url)})
        self._server.start()
        self.lake.connect(self.router.buckets(), self.url)
        if isinstance(self.lake, EmbeddedLake):
            keep_address(
                self.options.data,
                self.lake.settings,
                self.options.stack_file,
                gateway=self.url,
                password=self.password,
            )
            self._held.callback(forget_address, self.options.data)
        self._connected = True

    def stop(self) -> None:
        """End everything within seconds; what was not delivered stays in the inbox."""
        self._held.close()

    def _problem(self) -> str:
        if not self._connected:
            return "starting: the buckets are not made yet"
        return "" if self._sender.running else self._sender.error or "delivery has ended"

    def _changed(self, specs: list[FunctionSpec]) -> None:
        self.router.configure(specs)
        self.lake.connect(self.router.buckets(), self.url)
        targets = self.router.targets(self.url)
        self._sender.configure(targets)
        self.attempts.keep({target.name for target in targets})


def _bury_unwanted(inbox: Inbox, names: Set[str]) -> None:
    """Make dead letters of events whose functions are not there any more: they would wait for ever."""
    for name in sorted(inbox.targets() - names):
        reason = f"no function {name} is deployed: it was renamed or removed; deploy it and replay, or drop this"
        verdict = Verdict(DeliveryOutcome.DEAD, 404, reason)
        while messages := inbox.claim(name, 500):
            inbox.finish([], [(message.receipt, verdict) for message in messages])
        _log.warning("inbox: events for %s are dead letters now: %s", name, reason)


class EmbeddedLake:
    """The store in this process."""

    def __init__(self, port: int, secret_key: str, router: Router, folder: Path) -> None:
        self._server = EmbeddedStore(
            access_key="penstock",
            secret_key=secret_key,
            notify=router.accept,
            wanted=router.wanted,
            port=port,
            folder=folder,
        )
        self.settings = self._server.settings
        self._server.start()

    def connect(self, buckets: list[str], own_url: str) -> None:  # noqa: ARG002 - it needs no webhook
        make_buckets(self.settings, buckets)

    def stop(self) -> None:
        self._server.stop()


def _store_environment(settings: StoreSettings) -> dict[str, str]:
    return {
        "MINIO_ENDPOINT": settings.endpoint,
        "MINIO_ACCESS_KEY": settings.access_key,
        "MINIO_SECRET_KEY": settings.secret_key,
        "MINIO_REGION": settings.region,
        # Empty in place of the stack file's, which are paths in a pod.
        "SINK_CA_FILE": "",
        "MINIO_CA_FILE": str(settings.ca_file.resolve()) if settings.ca_file is not None else "",
    }
