"""The bridge's Flask application: it stores each event on disk, and answers then.

MinIO's queue stops behind any answer but a 2xx, and a slow endpoint holds up its other targets. So the events are
delivered afterwards, with retries and dead letters. A body that cannot be read is answered 2xx too and kept as a dead
letter: a refusal would stop every event behind it for ever.
"""

import hmac
import json
import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge

from penstock.connect.bridge.broker_dead_letters import BrokerDeadLetterLimits, read_broker_dead_letter
from penstock.connect.bridge.description import bridge_description
from penstock.connect.bridge.messages import to_messages
from penstock.connect.bridge.settings import SELF, BridgeConfig
from penstock.delivery.deliverer import Message
from penstock.delivery.identity import body_without_identity
from penstock.delivery.inbox import Inbox
from penstock.delivery.inbox_sender import EndedDelivery, InboxSender
from penstock.delivery.measures import DeliveryMeasures
from penstock.delivery.verdict import DeliveryOutcome, Verdict
from penstock.errors import EventError, TemporaryError
from penstock.events import OddRecord
from penstock.process import metric_table
from penstock.process.openapi import PATH
from penstock.serving.requests import whole_body

# A key is at most 1 KB and user metadata 2 KB (8 KB on other stores), so a real event is far below this.
MAX_BODY_BYTES = 1024 * 1024
_log = logging.getLogger("penstock.connect")


def create_app(
    config: BridgeConfig,
    inbox: Inbox,
    sender: InboxSender,
    measures: DeliveryMeasures,
    console: Blueprint | None = None,
    *,
    on_dead: Callable[[Sequence[EndedDelivery]], None] | None = None,
) -> Flask:
    """The webhook receiver; `sender` delivers what it stores. `console` has the routes that a console asks.

    `on_dead` is told of the dead letters that a Broker sends.
    """
    app = Flask("penstock.bridge", static_folder=None)
    app.response_class = BridgeResponse
    bridge = BridgeRoutes(config, inbox, sender, measures, on_dead)
    app.add_url_rule("/", view_func=bridge.take, methods=["POST"])
    app.add_url_rule("/dead-letters", view_func=bridge.take_dead_letter, methods=["POST"], defaults={"token": ""})
    app.add_url_rule("/dead-letters/<token>", view_func=bridge.take_dead_letter, methods=["POST"])
    app.add_url_rule("/_/health", view_func=bridge.alive, methods=["GET"])
    app.add_url_rule("/_/ready", view_func=bridge.ready, methods=["GET"])
    app.add_url_rule("/metrics", view_func=bridge.metrics, methods=["GET"])
    app.add_url_rule(PATH, view_func=bridge.description, methods=["GET"])
    if console is not None:
        app.register_blueprint(console)
    app.register_error_handler(TemporaryError, _later)
    app.register_error_handler(RequestEntityTooLarge, _too_large)
    app.register_error_handler(ClientDisconnected, _broken_off)
    app.register_error_handler(EventError, _malformed)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(Exception, _crashed)
    return app


class BridgeResponse(Response):
    """An answer that is plain text unless it says otherwise; Flask's is HTML."""

    default_mimetype = "text/plain"


class BridgeRoutes:
    """What each route of the bridge does."""

    def __init__(
        self,
        config: BridgeConfig,
        inbox: Inbox,
        sender: InboxSender,
        measures: DeliveryMeasures,
        on_dead: Callable[[Sequence[EndedDelivery]], None] | None = None,
    ) -> None:
        self._config = config
        self._inbox = inbox
        self._sender = sender
        self._measures = measures
        self._on_dead = on_dead
        self._limits = BrokerDeadLetterLimits()
        # MinIO sends a token of one word as `Bearer X`, one of two words as it is.
        self._accepted = [text.encode() for text in (config.token, f"Bearer {config.token}")]

    def take(self) -> Response:
        """`POST /`: store MinIO's notification as one message for each target that gets it."""
        if not self._is_authorised():
            return BridgeResponse("wrong or no token\n", 401, {"WWW-Authenticate": "Bearer"})
        # Half a body is not a dead letter: its sender has no answer yet, and sends it again.
        body = whole_body(MAX_BODY_BYTES)
        odd: list[OddRecord] = []
        try:
            messages = self._messages(body, odd)
        except EventError as exc:
            self._bury(body, exc)
            return BridgeResponse("stored as a dead letter\n", 202)
        self._inbox.put(messages)
        for record in odd:
            self._bury(json.dumps({"Records": [record.value]}).encode(), record.error)
        self._measures.count(metric_table.BRIDGE_RECEIVED, len(messages))
        return BridgeResponse("stored\n", 202)

    def take_dead_letter(self, token: str) -> Response:
        """`POST /dead-letters`, or `/dead-letters/TOKEN`: keep what a Broker gave up.

        A Broker sends no header of ours, so a token can only stand in the path of its dead letter sink. Without one a
        NetworkPolicy decides which pods may send; a forged letter leads to one more look at an object at most.
        """
        wanted = self._config.dead_letter_token
        if wanted and not hmac.compare_digest(token.encode(), wanted.encode()):
            return BridgeResponse("wrong or no token; dead letters go to /dead-letters/TOKEN\n", 401)
        body = self._kept(whole_body(MAX_BODY_BYTES))
        self._limits.admit(len(body), self._inbox.counts().dead)
        letter = read_broker_dead_letter(dict(request.headers), body, SELF, authenticated=bool(wanted))
        verdict = Verdict(DeliveryOutcome.DEAD, letter.code, letter.reason, letter.data)
        self._inbox.store_dead_letters([(letter.message, verdict)])
        if self._on_dead is not None:
            self._on_dead([(replace(letter.message, target=letter.function), verdict)])
        _log.error("broker: dead letter: %s: %s", letter.message.origin, letter.reason)
        self._measures.count(metric_table.BRIDGE_BROKER_LETTERS)
        return BridgeResponse("stored as a dead letter\n", 202)

    def alive(self) -> tuple[str, int]:
        return "ok\n", 200

    def ready(self) -> tuple[str, int]:
        return ("ok\n", 200) if self._sender.running else (f"{self._sender.error or 'delivery has ended'}\n", 503)

    def metrics(self) -> Response:
        text, content_type = self._measures.render()
        return BridgeResponse(text, content_type=content_type)

    def description(self) -> Response:
        document = bridge_description(with_console=bool(self._config.console_token))
        return BridgeResponse(json.dumps(document), content_type="application/json")

    def _messages(self, body: bytes, odd: list[OddRecord]) -> list[Message]:
        config = self._config
        return to_messages(
            body,
            config.targets,
            config.extensions,
            request.headers.get("traceparent", ""),
            config.filters,
            keep_identity=config.keep_identity,
            on_odd=odd.append,
        )

    def _bury(self, body: bytes, error: EventError) -> None:
        """Keep what cannot be read as a dead letter, which goes to the bridge itself when it is replayed."""
        _log.error("webhook: dead letter: %s", error)
        message = Message("", self._kept(body), {"content-type": "application/json"}, "webhook", SELF)
        self._inbox.store_dead_letter(message, error.status, str(error))
        self._measures.count(metric_table.BRIDGE_UNREADABLE)

    def _kept(self, body: bytes) -> bytes:
        return body if self._config.keep_identity else body_without_identity(body)

    def _is_authorised(self) -> bool:
        given = request.headers.get("Authorization", "").encode()
        matches = [hmac.compare_digest(given, accepted) for accepted in self._accepted]
        return any(matches) or not self._config.token


def _later(exc: TemporaryError) -> Response:
    _log.error("%s", exc)
    return BridgeResponse(f"{exc}\n", int(exc.status), {"Retry-After": "5"})


def _broken_off(_exc: ClientDisconnected) -> Response:
    return _later(TemporaryError("the request broke off before its end"))


def _malformed(exc: EventError) -> Response:
    return BridgeResponse(f"{exc}\n", int(exc.status))


def _too_large(_exc: RequestEntityTooLarge) -> Response:
    return BridgeResponse(f"at most {MAX_BODY_BYTES} bytes\n", 413)


def _refused(exc: HTTPException) -> Response:
    response = BridgeResponse(f"{exc.description or exc.name}\n", exc.code or 500)
    if (allowed := getattr(exc, "valid_methods", None)) is not None:
        response.headers["Allow"] = ", ".join(allowed)
    return response


def _crashed(exc: Exception) -> Response:
    """The trace goes to the log only, under the incident id that the answer names."""
    incident = secrets.token_hex(6)
    _log.error("unexpected error", exc_info=exc, extra={"incident": incident})
    return BridgeResponse(f"unexpected error; see the log for incident {incident}\n", 500)
