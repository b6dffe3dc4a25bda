"""A port that cannot be listened on is named before a server tries."""

import socket

from penstock.process.ports import port_problem


def test_a_free_port_has_no_problem() -> None:
    assert port_problem("127.0.0.1", 0) == []


def test_a_port_in_use_is_named_with_the_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        [problem] = port_problem("127.0.0.1", port, remedy="--listen")
    assert problem.startswith(f"127.0.0.1:{port}: ")
    assert problem.endswith("choose another port with --listen")


def test_an_address_of_another_machine_is_named() -> None:
    [problem] = port_problem("192.0.2.1", 8080)  # RFC 5737: an address of documentation
    assert "not an address of this machine" in problem
