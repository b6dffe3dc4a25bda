"""The bridge's Flask application: it stores each event on disk, and answers then.

MinIO's queue stops behind any answer but a 2xx, and a slow endpoint holds up its other targets. So the events are
delivered afterwards, with retries and dead letters. A body that cannot be read is answered 2xx too and kept as a dead
letter: a refusal would stop every event behind it for ever.
"""

import hmac
import logging

from flask import Flask, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from penstock.connect.bridge.broker_dead_letters import read_broker_dead_letter
from penstock.connect.bridge.messages import to_messages
from penstock.connect.bridge.settings import SELF, BridgeConfig
from penstock.delivery.deliverer import Message
from penstock.delivery.inbox import Inbox
from penstock.delivery.inbox_sender import Pump
from penstock.delivery.measures import DeliveryMeasures
from penstock.errors import EventError, TemporaryError

# A key is at most 1 KB and user metadata 2 KB (8 KB on other stores), so a real event is far below this.
MAX_BODY_BYTES = 1024 * 1024
_log = logging.getLogger("penstock.connect")


def create_app(config: BridgeConfig, inbox: Inbox, pump: Pump, measures: DeliveryMeasures) -> Flask:
    """The webhook receiver; `pump` delivers what it stores."""
    app = Flask("penstock.bridge")
    bridge = BridgeRoutes(config, inbox, pump, measures)
    app.add_url_rule("/", view_func=bridge.take, methods=["POST"])
    app.add_url_rule("/dead-letters", view_func=bridge.take_dead_letter, methods=["POST"])
    app.add_url_rule("/_/health", view_func=bridge.alive, methods=["GET"])
    app.add_url_rule("/_/ready", view_func=bridge.ready, methods=["GET"])
    app.add_url_rule("/metrics", view_func=bridge.metrics, methods=["GET"])
    app.register_error_handler(TemporaryError, _later)
    app.register_error_handler(RequestEntityTooLarge, _too_large)
    return app


class BridgeRoutes:
    """What each route of the bridge does."""

    def __init__(self, config: BridgeConfig, inbox: Inbox, pump: Pump, measures: DeliveryMeasures) -> None:
        self._config = config
        self._inbox = inbox
        self._pump = pump
        self._measures = measures
        # MinIO sends a token of one word as `Bearer X`, one of two words as it is.
        self._accepted = [text.encode() for text in (config.token, f"Bearer {config.token}")]

    def take(self) -> Response:
        """`POST /`: store MinIO's notification as one message for each target that gets it."""
        if not self._is_authorised():
            return Response("wrong or no token\n", 401, {"WWW-Authenticate": "Bearer"})
        body = _body()
        try:
            messages = self._messages(body)
        except EventError as exc:
            _log.error("webhook: dead letter: %s", exc)
            message = Message("", body, {"content-type": "application/json"}, "webhook", SELF)
            self._inbox.bury(message, exc.status, str(exc))
            self._measures.count(
                "penstock_bridge_unreadable", "Bodies that are not events, kept as dead letters."
            )
            return Response("stored as a dead letter\n", 202)
        self._inbox.put(messages)
        self._measures.count("penstock_bridge_received", "Events stored.", len(messages))
        return Response("stored\n", 202)

    def take_dead_letter(self) -> Response:
        """`POST /dead-letters`: keep what a Broker gave up.

        Without the token, which a Broker cannot be given: a NetworkPolicy says who may come, and a forged letter leads
        to one more look at an object at most.
        """
        letter = read_broker_dead_letter(dict(request.headers), _body(), SELF)
        self._inbox.bury(letter.message, letter.code, letter.reason, letter.data)
        _log.error("broker: dead letter: %s: %s", letter.message.origin, letter.reason)
        self._measures.count("penstock_bridge_broker_letters", "Events that a Broker gave up, kept as dead letters.")
        return Response("stored as a dead letter\n", 202)

    def alive(self) -> tuple[str, int]:
        return "ok\n", 200

    def ready(self) -> tuple[str, int]:
        return ("ok\n", 200) if self._pump.running else (f"{self._pump.error or 'delivery has ended'}\n", 503)

    def metrics(self) -> Response:
        text, content_type = self._measures.render()
        return Response(text, content_type=content_type)

    def _messages(self, body: bytes) -> list[Message]:
        config, trace = self._config, request.headers.get("traceparent", "")
        return to_messages(body, config.targets, config.extensions, trace, config.filters)

    def _is_authorised(self) -> bool:
        given = request.headers.get("Authorization", "").encode()
        matches = [hmac.compare_digest(given, accepted) for accepted in self._accepted]
        return any(matches) or not self._config.token


def _body() -> bytes:
    request.max_content_length = MAX_BODY_BYTES
    return request.get_data(cache=False)


def _later(exc: TemporaryError) -> Response:
    _log.error("%s", exc)
    return Response(f"{exc}\n", 503, {"Retry-After": "5"})


def _too_large(_exc: RequestEntityTooLarge) -> Response:
    return Response(f"at most {MAX_BODY_BYTES} bytes\n", 413)
