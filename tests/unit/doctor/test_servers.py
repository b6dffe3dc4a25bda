"""Brokers and gateways: whether something answers."""

from __future__ import annotations

import socket

import pytest
from penstock.doctor.servers import examine_mqtt


def test_broker_that_listens_is_good() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        [found] = examine_mqtt(f"mqtt://127.0.0.1:{server.getsockname()[1]}")
    assert found.grade.value == "good"


@pytest.mark.parametrize("url", ["", "broker", "mqtt://", "mqtt://h:port"])
def test_what_is_not_an_address_is_a_problem_with_the_form(url: str) -> None:
    [found] = examine_mqtt(url)
    assert found.grade.value == "problem"
    assert "mqtt://HOST:1883" in found.remedy
