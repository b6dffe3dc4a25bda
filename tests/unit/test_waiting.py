"""What the tests themselves wait with: a check that raises, an answer without the topic, ports."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import socket
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.components.queues import NsqdEndpoint
from tests.ports import free_ports
from tests.waiting import wait_until


def test_a_check_that_raises_does_not_hold_yet() -> None:
    turns = itertools.count()
    answers = [ConnectionRefusedError(), None, [], ["there"]]

    def check() -> bool:
        answer = answers[next(turns)]
        if isinstance(answer, Exception):
            raise answer
        return answer[0] == "there"  # type: ignore[index]

    wait_until(check, "there")
    assert next(turns) == len(answers)


def test_an_error_that_stays_is_the_cause() -> None:
    with pytest.raises(AssertionError, match="not within 0 s: a name") as caught:
        wait_until(lambda: json.loads("{}")["name"], "a name", 0.1)
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_finding_of_the_check_ends_the_wait() -> None:
    def check() -> bool:
        raise AssertionError("a wrong header")

    with pytest.raises(AssertionError, match="a wrong header"):
        wait_until(check, "never", 3600)


def test_a_topic_of_nsq_without_a_message_is_empty(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/stats", query_string="format=json&topic=lake").respond_with_json({"topics": None})
    assert NsqdEndpoint("127.0.0.1", 4150, url=httpserver.url_for("").rstrip("/")).depth("lake") == 0


def test_ports_are_outside_of_what_the_kernel_gives_to_connections() -> None:
    found = free_ports(50)
    assert len(set(found)) == 50
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert not [port for port in found if first <= port <= last]


def test_a_port_in_use_is_left_out_and_another_process_has_other_ports() -> None:
    [first] = free_ports(1)
    with socket.create_server(("127.0.0.1", first + 1)):
        [second] = free_ports(1)
    assert second != first + 1
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        theirs = pool.apply(free_ports, (50,))
    assert not set(theirs) & {first, second, *free_ports(50)}
