"""The MQTT connector and its client; tests/integration has it with a real broker."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from penstock.connect.mqtt.connector import MqttConnector
from penstock.connect.subscription_watch import SubscriptionState, SubscriptionWatch
from penstock.connect.subscriptions import Finder, Subscriptions
from penstock.delivery.deliverer import Policy
from penstock.delivery.http import HttpTarget
from penstock.delivery.inbox import Inbox

from tests.unit.connect.played_broker import GRANTED, PlayedBroker
from tests.waiting import wait_until


def test_a_client_that_does_not_subscribe_is_replaced(play: Callable[..., PlayedBroker], tmp_path: Path) -> None:
    broker = play(subscribe=None)
    wanted = Subscriptions({"f": HttpTarget("f", "http://127.0.0.1:9/")}, {"processed": ("f",)})
    watch = SubscriptionWatch("mqtt", lambda: True, patience_seconds=0.0)
    connector = MqttConnector(
        broker.address, Finder(lambda: wanted), Inbox(tmp_path / "inbox.db"), policy=Policy(), watch=watch
    )
    thread = threading.Thread(target=connector.run, args=(1.0,))
    thread.start()
    try:
        wait_until(lambda: broker.clients >= 3)
        assert "subscribed but nothing arrives" in connector.unready()
        assert "new clients did not help" in connector.ill()
        broker.subscribe = GRANTED
        wait_until(lambda: watch.state is SubscriptionState.JOINED)
        assert connector.unready() == connector.ill() == ""
        assert b'penstock_subscription{state="joined"} 1.0' in connector.measures.render()[0]
    finally:
        connector.stop()
        thread.join()
