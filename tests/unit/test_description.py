"""The descriptions in OpenAPI and the routes of the applications are the same, both ways round."""

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from penstock import errors
from penstock.connect.bridge import description as bridge
from penstock.connect.bridge.app import create_app as create_bridge
from penstock.local.gateway import description as gateway
from penstock.local.gateway.access import Access
from penstock.process.openapi import PATH, Operation
from penstock.serving import description as function

from tests.functional.test_app import serve
from tests.lake import Lake
from tests.unit.connect.test_bridge_app import configure
from tests.unit.local.conftest import Bench
from tests.unit.local.gateway.conftest import Running
from tests.unit.serving.test_read_route import SECRETS

# What the gateway answers before its routes: calls of functions, whose paths are the functions' own business.
CALLS = {
    *((method, f"/function/{{name}}{rest}") for method in ("GET", "POST", "PUT", "DELETE") for rest in ("", "/{path}")),
    *(("POST", f"/async-function/{{name}}{rest}") for rest in ("", "/{path}")),
    ("POST", "/_/async"),
}


def routes(app: Flask) -> set[tuple[str, str]]:
    """Method and path of each route, with variable parts as OpenAPI writes them."""
    return {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def described(operations: tuple[Operation, ...]) -> set[tuple[str, str]]:
    return {(each.method, each.path) for each in operations}


def test_every_route_of_a_function_is_described_and_the_other_way_round(lake: Lake) -> None:
    client = serve(lake)
    assert routes(client.application) == described(function.OPERATIONS)
    document = client.get(PATH).json
    assert document is not None
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {each.path for each in function.OPERATIONS}


def test_signed_urls_are_described_where_a_key_opens_them(make_lake: Callable[..., Lake]) -> None:
    client = serve(make_lake(secrets=SECRETS))
    assert routes(client.application) == described((*function.OPERATIONS, function.READ))
    document = client.get(PATH).json
    assert document is not None
    read = document["paths"]["/read/{path}"]["get"]
    assert "security" not in read
    assert set(read["responses"]) == {str(status) for status in function.READ.answers}


def test_every_route_of_the_bridge_is_described_and_the_other_way_round(tmp_path: Path) -> None:
    from penstock.connect.bridge.inbox_api import make_inbox_api
    from penstock.delivery.attempts import Attempts
    from penstock.delivery.inbox import Inbox
    from penstock.delivery.inbox_sender import InboxSender
    from penstock.delivery.measures import DeliveryMeasures
    from penstock.delivery.recent import RecentAttempts

    config = configure({"BRIDGE_TOKEN": "t", "K_SINK": "http://broker/default", "CONSOLE_TOKEN": "token"})
    inbox = Inbox(tmp_path / "inbox.db")
    console = make_inbox_api("token", inbox, RecentAttempts(), Attempts(1))
    sender = InboxSender(inbox, config.targets, config.policy)
    app = create_bridge(config, inbox, sender, DeliveryMeasures(), console)
    try:
        assert routes(app) == described((*bridge.OPERATIONS, *bridge.CONSOLE_OPERATIONS))
        assert app.test_client().get(PATH).json == bridge.bridge_description(with_console=True)
    finally:
        inbox.close()


def test_every_route_of_the_gateway_is_described_and_the_other_way_round(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    running = Running(bench, bench.functions(), Access(password="pass"))
    try:
        assert routes(running.gateway.application) | CALLS == described(gateway.OPERATIONS)
        assert running.request("GET", PATH).status == 401
        login = "Basic " + base64.b64encode(b"admin:pass").decode()
        assert running.request("GET", PATH, Authorization=login).json == gateway.gateway_description()
    finally:
        running.close()
        bench.close()


def test_every_error_of_the_hierarchy_may_come_from_an_event() -> None:
    classes = [each for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "status")]
    [event] = [each for each in function.OPERATIONS if each.path == "/event"]
    assert {int(each.status) for each in classes} <= set(event.answers)


@pytest.mark.parametrize("operations", [function.OPERATIONS, bridge.OPERATIONS, gateway.OPERATIONS])
def test_no_operation_is_described_twice(operations: tuple[Operation, ...]) -> None:
    assert len(described(operations)) == len(operations)
