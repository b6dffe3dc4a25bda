"""`penstock bridge`: MinIO's webhook in, CloudEvents out to `K_SINK` or to functions behind a gateway.

MinIO's queue stops behind any answer but a 2xx, and a slow endpoint holds up its other targets. So the bridge
stores each event on disk, answers, and delivers afterwards with retries and dead letters. A body that cannot be
read is answered 2xx too and kept as a dead letter: refusing it would stop every event behind it for ever.
"""

import argparse
import hmac
import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from gunicorn.app.base import BaseApplication
from gunicorn.errors import AppImportError
from werkzeug.exceptions import RequestEntityTooLarge

from penstock import events
from penstock.connect import settings
from penstock.connect.bridge.broker_dead_letters import read_broker_letter
from penstock.connect.bridge.wanted import read_only, wanting_targets
from penstock.delivery.deliverer import Message, Policy
from penstock.delivery.http import HttpTarget
from penstock.delivery.inbox import Inbox
from penstock.delivery.inbox_sender import InboxSender
from penstock.delivery.measures import DeliveryMeasures
from penstock.errors import ConfigError, EventError, TemporaryError
from penstock.process.log import parse_level, set_up_logging
from penstock.process.ports import port_problem
from penstock.serving.gunicorn import run_server
from penstock.settings.config import SourceRule
from penstock.settings.environment import read_secret

# A key is at most 1 KB and user metadata 2 KB (8 KB on other stores), so a real event is far below this.
MAX_BODY_BYTES = 1024 * 1024
# What could not be read goes back to the bridge itself when it is replayed, perhaps to a newer version of it.
SELF = "bridge"
_ATTRIBUTE = re.compile(r"[a-z0-9]{1,20}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class BridgeConfig:
    """Where to listen, what to demand, where to deliver. An empty `token` demands none.

    `only` names, by target, the objects whose events it gets; a target that it does not name gets every event.
    """

    address: tuple[str, int]
    token: str
    inbox: Path
    targets: tuple[HttpTarget, ...]
    policy: Policy
    drain_seconds: float
    extensions: Mapping[str, str]
    log_level: str = "INFO"
    only: Mapping[str, tuple[SourceRule, ...]] = field(default_factory=dict)


def to_messages(
    body: bytes,
    targets: tuple[HttpTarget, ...],
    extensions: Mapping[str, str],
    traceparent: str = "",
    only: Mapping[str, tuple[SourceRule, ...]] | None = None,
) -> list[Message]:
    """One message per record and target that wants it: a CloudEvent in binary mode, in order per object.

    Raises `EventError` when the body is not a notification.
    """
    made = []
    trace = {"traceparent": traceparent} if _TRACEPARENT.fullmatch(traceparent) else {}
    for event in events.to_cloudevents(body):
        attributes = {**event.attributes, **trace, **extensions}
        headers = events.CloudEventFields(attributes, event.data).http_headers() | trace
        key = f"{event.attributes['source']} {event.attributes['subject']}"
        origin = f"webhook {event.attributes['type']} {event.attributes['id']}"
        wanting = wanting_targets(event.data, targets, only) if only else targets
        made += [Message(key, event.data, headers, origin, target.name) for target in wanting]
    return made


def create_app(config: BridgeConfig, inbox: Inbox, pump: InboxSender, measures: DeliveryMeasures) -> Flask:
    """The webhook receiver; `pump` delivers what it stores."""
    app = Flask("penstock.bridge")
    log = logging.getLogger("penstock.connect")
    # MinIO sends a token of one word as `Bearer X`, one of two words as it is.
    accepted = [text.encode() for text in (config.token, f"Bearer {config.token}")]

    def authorised() -> bool:
        given = request.headers.get("Authorization", "").encode()
        matches = [hmac.compare_digest(given, wanted) for wanted in accepted]
        return any(matches) or not config.token

    @app.post("/")
    def take() -> Response:
        if not authorised():
            return Response("wrong or no token\n", 401, {"WWW-Authenticate": "Bearer"})
        request.max_content_length = MAX_BODY_BYTES
        body = request.get_data(cache=False)
        try:
            trace = request.headers.get("traceparent", "")
            messages = to_messages(body, config.targets, config.extensions, trace, config.only)
        except EventError as exc:
            log.error("webhook: dead letter: %s", exc)  # noqa: TRY400 - the text says where it is wrong
            message = Message("", body, {"content-type": "application/json"}, "webhook", SELF)
            inbox.store_dead_letter(message, exc.status, str(exc))
            measures.count("penstock_bridge_unreadable", "Bodies kept as dead letters because they are no events.")
            return Response("stored as a dead letter\n", 202)
        inbox.put(messages)
        measures.count("penstock_bridge_received", "Events stored.", len(messages))
        return Response("stored\n", 202)

    # Without the token, which a Broker cannot be given: a NetworkPolicy says who may come, and a forged letter
    # leads to one more look at an object at most.
    @app.post("/dead-letters")
    def take_letter() -> Response:
        request.max_content_length = MAX_BODY_BYTES
        letter = read_broker_letter(dict(request.headers), request.get_data(cache=False), SELF)
        inbox.store_dead_letter(letter.message, letter.code, letter.reason, letter.data)
        log.error("broker: dead letter: %s: %s", letter.message.origin, letter.reason)
        measures.count("penstock_bridge_broker_letters", "Events that a Broker gave up, kept as dead letters.")
        return Response("stored as a dead letter\n", 202)

    @app.get("/_/health")
    def alive() -> tuple[str, int]:
        return "ok\n", 200

    @app.get("/_/ready")
    def ready() -> tuple[str, int]:
        return ("ok\n", 200) if pump.running else (f"{pump.error or 'delivery has ended'}\n", 503)

    @app.get("/metrics")
    def scrape() -> Response:
        text, content_type = measures.render()
        return Response(text, content_type=content_type)

    @app.errorhandler(TemporaryError)
    def later(exc: TemporaryError) -> Response:
        log.error("%s", exc)
        return Response(f"{exc}\n", 503, {"Retry-After": "5"})

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(_: RequestEntityTooLarge) -> Response:
        return Response(f"at most {MAX_BODY_BYTES} bytes\n", 413)

    return app


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with one worker, because one process owns the inbox; threads share its commits."""

    def __init__(self, config: BridgeConfig) -> None:
        self.config = config
        self.pump: InboxSender | None = None
        super().__init__()

    def load_config(self) -> None:
        host, port = self.config.address
        values: dict[str, Any] = {
            "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": 16,
            "timeout": 0,
            "graceful_timeout": int(self.config.drain_seconds) + 5,
            "keepalive": 75,
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108
            "control_socket_disable": True,
            "proc_name": "penstock bridge",
            "loglevel": "warning",
            "accesslog": None,
            "worker_exit": self.stop_pump,
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called in the worker, after the fork: threads would not survive it."""
        set_up_logging(self.config.log_level)
        measures = DeliveryMeasures()
        try:
            inbox = Inbox(self.config.inbox)
            self.pump = InboxSender(
                inbox, [*self.config.targets, self._self_target()], self.config.policy, observe=measures.observe
            )
            self.pump.start()
        except (ConfigError, TemporaryError) as exc:
            raise AppImportError(str(exc)) from exc
        pump = self.pump
        measures.gauge("penstock_inbox_pending", "Messages not delivered yet.", lambda: [({}, inbox.counts().pending)])
        measures.gauge("penstock_inbox_dead", "Dead letters.", lambda: [({}, inbox.counts().dead)])
        measures.gauge(
            "penstock_inbox_oldest_seconds", "Age of the oldest pending one.", lambda: [({}, inbox.oldest_seconds())]
        )
        measures.gauge("penstock_delivery_held", "Messages in memory, not finished.", lambda: [({}, pump.held())])
        return create_app(self.config, inbox, pump, measures)

    def stop_pump(self, _arbiter: object, _worker: object) -> None:
        if self.pump is not None and not self.pump.stop(self.config.drain_seconds):
            logging.getLogger("penstock.connect").warning("requests under way were cut off; they will be sent again")

    def _self_target(self) -> HttpTarget:
        host, port = self.config.address
        own = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        headers = {"Authorization": f"Bearer {self.config.token}"} if self.config.token else {}
        return HttpTarget(SELF, f"http://{own}:{port}/", headers)


def load_bridge_config(args: argparse.Namespace, env: Mapping[str, str]) -> BridgeConfig:
    """Flags and environment; raises `ConfigError` with every problem found."""
    problems: list[str] = []

    def collect(make: Any) -> Any:
        try:
            return make()
        except ConfigError as exc:
            problems.extend(exc.problems)

    ca_file = collect(lambda: settings.ca_file_from(args, env))
    targets = [collect(lambda text=text: settings.named_target(text, ca_file)) for text in args.to]
    if not targets and env.get("K_SINK"):
        targets = [collect(lambda: HttpTarget("sink", env["K_SINK"], ca_file=ca_file))]
    if not targets:
        problems.append("K_SINK: not set, and no --to URL: say where the events go")
    names = [target.name for target in targets if target is not None]
    if len(set(names)) < len(names) or SELF in names:
        problems.append(f"--to: the names {', '.join(names)} must differ, and none may be {SELF}; write NAME=URL")
    only = collect(lambda: read_only(args.only, names)) or {}
    token = collect(lambda: read_secret(env, "BRIDGE_TOKEN"))
    if token == "" and not args.allow_anonymous:
        problems.append(
            "BRIDGE_TOKEN: not set; set it, or BRIDGE_TOKEN_FILE, or mount the secret bridge-token,"
            " or accept events from anybody with --allow-anonymous"
        )
    policy = collect(lambda: settings.policy_from(args, env))
    address = collect(lambda: settings.address_from(args, env))
    drain_seconds = collect(lambda: settings.drain_seconds_from(args, env))
    extensions = collect(lambda: _extensions(env.get("K_CE_OVERRIDES", "")))
    level = collect(lambda: parse_level(env.get("LOG_LEVEL", "INFO")))
    if problems:
        raise ConfigError(*problems)
    return BridgeConfig(address, token, args.inbox, tuple(targets), policy, drain_seconds, extensions, level, only)


def _extensions(text: str) -> dict[str, str]:
    """Knative's K_CE_OVERRIDES: `{"extensions": {"name": "value"}}`, set by a SinkBinding."""
    if not text:
        return {}
    try:
        found = json.loads(text).get("extensions") or {}
        bad = [name for name in found if not _ATTRIBUTE.fullmatch(name)]
        values = {name: str(value) for name, value in found.items()}
    except (ValueError, AttributeError, TypeError):
        raise ConfigError(f'K_CE_OVERRIDES={text!r}: expected {{"extensions": {{"name": "value"}}}}') from None
    if bad:
        raise ConfigError(f"K_CE_OVERRIDES: {', '.join(bad)}: names are 1 to 20 lower-case letters and digits")
    return values


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument(
        "--to",
        metavar="[NAME=]URL",
        action="append",
        default=[],
        help="where events go, such as http://gateway:8080/function/compress; repeatable (default: K_SINK)",
    )
    parser.add_argument(
        "--only",
        metavar="NAME=SOURCE",
        action="append",
        default=[],
        help="send NAME only events about s3://bucket/prefix*suffix, so that others do not wake it; repeatable",
    )
    parser.add_argument(
        "--inbox",
        type=Path,
        default=Path("/data/inbox.db"),
        help="file that holds events until they are delivered (default: %(default)s)",
    )
    parser.add_argument("--allow-anonymous", action="store_true", help="take events without a token")
    settings.add_delivery_arguments(parser)


def run(args: argparse.Namespace, env: Mapping[str, str] = os.environ) -> int:
    """Serve until SIGTERM or Ctrl+C; returns the exit code, 78 for a configuration that cannot work."""
    set_up_logging("INFO")
    try:
        config = load_bridge_config(args, env)
        if taken := port_problem(*config.address, remedy="PORT or --listen"):
            raise ConfigError(*taken)
    except ConfigError as exc:
        for problem in exc.problems:
            logging.getLogger("penstock.connect").error("%s", problem)  # noqa: TRY400 - the text is the message
        return ConfigError.exit_code
    return run_server(Server(config))
