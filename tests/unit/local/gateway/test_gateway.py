"""The gateway speaks OpenFaaS's paths: what goes in comes out at the function, as it was."""

import base64

from penstock.local.functions.functions import LocalFunctions
from penstock.local.gateway.access import Access

from tests.unit.local.conftest import Bench, until
from tests.unit.local.gateway.conftest import Running


def test_webhook_event_reaches_the_function(gateway: Running) -> None:
    body = b'{"bucket": "upload", "key": "a.csv"}'
    assert gateway.request("POST", "/events", body, Authorization="Bearer secret").status == 202
    until(lambda: [entry.path for entry in gateway.invocations.recent()] == ["/event"])
    until(lambda: gateway.inbox.counts().pending == 0)


def test_webhook_without_the_token_is_refused(gateway: Running) -> None:
    assert gateway.request("POST", "/events", b"{}").status == 401
    assert gateway.request("POST", "/events", b"{}", Authorization="Bearer guess").status == 401


def test_pages_of_other_servers_may_not_call(gateway: Running) -> None:
    assert gateway.request("GET", "/function/echo", Origin="http://evil.example").status == 403
    assert gateway.request("GET", "/function/echo", Host="evil.example").status == 403
    own = f"http://127.0.0.1:{gateway.server.port}"
    assert gateway.request("GET", "/function/echo", Origin=own).status == 200


def test_password_guards_system_and_console_but_not_functions(bench: Bench, functions: LocalFunctions) -> None:
    gateway = Running(bench, functions, Access(password="letmein"))
    try:
        asked = gateway.request("GET", "/system/functions")
        assert (asked.status, asked.headers["WWW-Authenticate"]) == (401, 'Basic realm="penstock"')
        assert gateway.request("GET", "/ui/state").status == 401
        right = base64.b64encode(b"admin:letmein").decode()
        assert gateway.request("GET", "/system/functions", Authorization=f"Basic {right}").status == 200
        assert gateway.request("GET", "/function/echo").status == 200
    finally:
        gateway.close()
