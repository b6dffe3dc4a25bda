"""The bridge's server: one worker, because one process owns the inbox; its threads share the inbox's commits."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gunicorn.errors import AppImportError

from penstock.connect.bridge.callbacks import Callbacks, callbacks_file
from penstock.connect.bridge.messages import object_of
from penstock.connect.bridge.settings import SELF, BridgeConfig
from penstock.delivery.attempts import Attempts
from penstock.delivery.deliverer import Message
from penstock.delivery.http import HttpTarget
from penstock.delivery.inbox import Inbox
from penstock.delivery.inbox_sender import EndedDelivery, InboxSender
from penstock.delivery.measures import DeliveryMeasures
from penstock.delivery.recent import RecentAttempts
from penstock.delivery.sender import Observe
from penstock.delivery.verdict import Verdict
from penstock.errors import ConfigError, TemporaryError
from penstock.process import metric_table
from penstock.process.log import set_up_logging
from penstock.serving.gunicorn import GunicornServer, Serving

if TYPE_CHECKING:
    from flask import Blueprint, Flask

    from penstock.process.tracing import Tracer

_THREADS = 16
# MinIO sends one event at a time for each of its targets and servers.
_MAX_WAITING = 256
# What is cut off is told by the next run.
_CALLBACK_DRAIN_SECONDS = 2.0


class BridgeServer(GunicornServer):
    """Takes notifications and delivers them."""

    def __init__(self, config: BridgeConfig) -> None:
        self._config = config
        self._sender: InboxSender | None = None
        self._callbacks: Callbacks | None = None
        self._tracer: Tracer | None = None
        host, port = config.address
        super().__init__(
            Serving(
                "bridge", host, port, _THREADS, graceful_seconds=int(config.drain_seconds) + 5, max_waiting=_MAX_WAITING
            )
        )

    def load(self) -> "Flask":
        from penstock.connect.bridge.app import create_app

        set_up_logging(self._config.log_level)
        measures = DeliveryMeasures()
        targets = [*self._config.targets, self._own_target()]
        try:
            self._tracer = _make_tracer(self._config.traces_endpoint)
            inbox = Inbox(self._config.inbox)
            watched = _Watched(self._config, inbox) if self._config.console_token else None
            if self._config.callbacks.targets:
                self._callbacks = Callbacks(self._config.callbacks, callbacks_file(self._config.inbox), measures)
                self._callbacks.start()
            sender = InboxSender(
                inbox,
                targets,
                self._config.policy,
                observe=watched.observing(measures.observe) if watched else measures.observe,
                tracer=self._tracer,
                waits=watched.attempts.waits if watched else None,
                ending=self._tell if self._callbacks else None,
            )
            sender.start()
        except (ConfigError, TemporaryError) as exc:
            raise AppImportError(str(exc)) from exc
        self._sender = sender
        measures.gauge(metric_table.INBOX_PENDING, lambda: [({}, inbox.counts().pending)])
        names = [target.name for target in targets]
        measures.gauge(metric_table.INBOX_TARGET_PENDING, lambda: _by_target(names, inbox))
        measures.gauge(metric_table.INBOX_DEAD, lambda: [({}, inbox.counts().dead)])
        measures.gauge(metric_table.INBOX_OLDEST_SECONDS, lambda: [({}, inbox.oldest_seconds())])
        measures.gauge(metric_table.DELIVERY_HELD, lambda: [({}, sender.held())])
        app = create_app(
            self._config, inbox, sender, measures, watched.routes() if watched else None, on_dead=self._tell
        )
        if self._tracer is not None:
            from penstock.serving.traced import TracedApplication

            app.wsgi_app = TracedApplication(app.wsgi_app, self._tracer)  # type: ignore[method-assign]
        return app

    def close(self) -> None:
        if self._sender is not None and not self._sender.stop(self._config.drain_seconds):
            logging.getLogger("penstock.connect").warning("requests under way were cut off; they will be sent again")
        if self._callbacks is not None:  # after the last delivery has ended
            self._callbacks.stop(_CALLBACK_DRAIN_SECONDS)
        if self._tracer is not None:
            self._tracer.stop()

    def _tell(self, ended: Sequence[EndedDelivery]) -> None:
        if self._callbacks is not None:
            self._callbacks.told([each for each in ended if each[0].target != SELF])

    def _own_target(self) -> HttpTarget:
        """Where a replayed body goes that the bridge could not read before: to the bridge itself."""
        host, port = self._config.address
        own = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
        headers = {"Authorization": f"Bearer {self._config.token}"} if self._config.token else {}
        return HttpTarget(SELF, f"http://{own}:{port}/", headers)


def _make_tracer(endpoint: str) -> "Tracer | None":
    if not endpoint:
        return None
    from penstock.process.tracing import make_tracer

    return make_tracer("penstock-bridge", endpoint)


class _Watched:
    """What a console is told of the deliveries: kept only where a console may ask."""

    def __init__(self, config: BridgeConfig, inbox: Inbox) -> None:
        self._token, self._inbox = config.console_token, inbox
        self.attempts, self._recent = Attempts(config.policy.attempts, named=object_of), RecentAttempts()

    def observing(self, measure: Observe) -> Observe:
        """`measure`, and what is kept here."""

        def observe(message: Message[object], verdict: Verdict, seconds: float) -> None:
            measure(message, verdict, seconds)
            self._recent.observe(message, verdict, seconds)
            self.attempts.observe(message, verdict, seconds)

        return observe

    def routes(self) -> "Blueprint":
        from penstock.connect.bridge.inbox_api import make_inbox_api

        return make_inbox_api(self._token, self._inbox, self._recent, self.attempts)


def _by_target(names: Sequence[str], inbox: Inbox) -> list[tuple[dict[str, str], int]]:
    """A number for every target: KEDA takes one that is missing for a failure, and not for 0."""
    pending = inbox.pending_by_target()
    return [({"target": name}, pending.get(name, 0)) for name in names]
