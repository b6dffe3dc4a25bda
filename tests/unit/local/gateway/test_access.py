"""Who may call what: decided by the route that answers, so that no spelling of a path gets around it."""

import base64
import json
import socket
from collections.abc import Iterator

import pytest
from penstock.local.functions.functions import LocalFunctions
from penstock.local.gateway.access import Access
from penstock.process.loopback import LOOPBACK

from tests.unit.local.conftest import Bench
from tests.unit.local.gateway.conftest import Running

DEPLOYMENT = json.dumps({"service": "echo", "image": "example/echo:1", "envVars": {"OPTION_X": "1"}}).encode()


def basic(password: str, user: str = "admin") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture(name="functions")
def functions_fixture(bench: Bench) -> LocalFunctions:
    return bench.functions(bench.spec(SOURCE="s3://upload/*.csv", SINK="s3://processed/{key}.gz"))


@pytest.fixture(name="guarded")
def guarded_fixture(bench: Bench, functions: LocalFunctions) -> Iterator[Running]:
    running = Running(bench, functions, Access(token="event-token", password="pass"))
    yield running
    running.close()


def raw(gateway: Running, head: str, body: bytes = b"") -> str:
    """Status line of a request whose first line is sent as it is written here."""
    lines = f"{head} HTTP/1.1\r\nHost: 127.0.0.1:{gateway.server.port}\r\nContent-Length: {len(body)}\r\n"
    lines += "Content-Type: application/json\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.server.port), timeout=10) as connection:
        connection.sendall(lines.encode() + body)
        with connection.makefile("rb") as answer:
            return answer.readline().decode().strip()


SPELLINGS = (
    "/system/functions",
    "/%2fsystem/functions",
    "//system/functions",
    "///system/functions",
    "/%2f%2fsystem/functions",
    "/./system/functions",
    "/ui/../system/functions",
    "/system%2ffunctions",
    "/%73ystem/functions",
    "/system//functions",
    "/system/functions/",
    "/SYSTEM/functions",
    "system/functions",
    "http://127.0.0.1/system/functions",
    "/healthz/../system/functions",
    "/events/../system/functions",
    "/function/../system/functions",
    "/system/functions?x=1",
    "/system/functions;x",
    "/system/functions%00",
    "\\system/functions",
)


@pytest.mark.parametrize("method", ["PUT", "POST", "GET", "DELETE"])
def test_no_spelling_of_a_path_gets_around_the_password(guarded: Running, method: str) -> None:
    for path in SPELLINGS:
        status = raw(guarded, f"{method} {path}", DEPLOYMENT)

        assert status.split(" ")[1] in ("400", "401", "404", "405", "308"), (path, status)
        assert guarded.changes == 0, path


@pytest.mark.parametrize("path", ["/ui/", "/%2fui/state", "//ui/state", "/ui/folder?bucket=upload", "/ui//state"])
def test_the_console_asks_for_the_password(guarded: Running, path: str) -> None:
    assert raw(guarded, f"GET {path}").split(" ")[1] in ("400", "401", "404", "308")


@pytest.mark.parametrize("path", ["/events", "/%2fevents", "//events", "/events/", "/%65vents"])
def test_no_spelling_of_a_path_gets_around_the_token(guarded: Running, path: str) -> None:
    body = json.dumps({"bucket": "upload", "key": "a.csv"}).encode()

    assert raw(guarded, f"POST {path}", body).split(" ")[1] in ("400", "401", "404", "308")
    assert guarded.inbox.counts().pending == 0


def test_every_route_is_either_guarded_or_named_as_open(guarded: Running) -> None:
    """A new route is guarded unless it is put on the list of open ones."""
    assert guarded.request("GET", "/healthz").status == 200
    assert guarded.request("GET", "/metrics").status == 200
    for path in ("/system/info", "/system/namespaces", "/system/logs?name=echo", "/ui/state"):
        assert guarded.request("GET", path).status == 401, path
        assert guarded.request("GET", path, Authorization=basic("pass")).status == 200, path
        for wrong in (basic("other"), basic("pass", "root"), "Basic !", "Bearer pass", "Bearer event-token"):
            assert guarded.request("GET", path, Authorization=wrong).status == 401, wrong


def test_a_link_with_the_password_opens_the_console_in_a_browser(guarded: Running) -> None:
    answer = guarded.request("GET", "/ui/?password=pass")

    assert answer.status == 303
    assert answer.headers["Location"] == "/ui/"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "pass" not in cookie.partition(";")[0].partition("=")[2]
    assert guarded.request("GET", "/ui/state", Cookie=cookie.partition(";")[0]).status == 200
    name = f"penstock-session-{guarded.server.port}"
    assert cookie.startswith(f"{name}=")
    assert "Secure" not in cookie
    assert guarded.request("GET", "/ui/state", Cookie=f"{name}=x").status == 401
    assert guarded.request("GET", "/ui/?password=wrong").status == 401


def test_a_session_of_another_port_neither_opens_the_console_nor_closes_it(guarded: Running) -> None:
    """A browser sends the cookies of all ports of a host to each of them."""
    cookie = guarded.request("GET", "/ui/?password=pass").headers["Set-Cookie"].partition(";")[0]
    session = cookie.partition("=")[2]
    other = f"penstock-session-1=of-another; penstock-session={session}"
    assert guarded.request("GET", "/ui/state", Cookie=other).status == 401
    assert guarded.request("GET", "/ui/state", Cookie=f"{other}; {cookie}").status == 200


def test_console_behind_a_proxy_that_ends_tls(bench: Bench, functions: LocalFunctions) -> None:
    """The proxy passes on the browser's Host; the browser's Origin has https, and no port."""
    access = Access(password="pass", hosts=LOOPBACK | {"lake.example"})
    gateway = Running(bench, functions, access)
    try:
        asked = {"Host": "lake.example", "X_Forwarded_Proto": "https"}
        cookie = gateway.request("GET", "/ui/?password=pass", **asked).headers["Set-Cookie"]
        assert cookie.startswith("penstock-session=")
        assert "; Secure" in cookie
        asked["Cookie"] = cookie.partition(";")[0]
        assert gateway.request("GET", "/ui/state", Origin="https://lake.example", **asked).status == 200
        assert gateway.request("GET", "/ui/state", Origin="https://evil.example", **asked).status == 403
        hidden = gateway.request("GET", "/ui/state", Origin="https://lake.example", Cookie=asked["Cookie"])
        assert hidden.status == 403, "a proxy that does not pass on Host"
        assert "a proxy in between must pass on the browser's Host" in hidden.text
    finally:
        gateway.close()


@pytest.mark.parametrize("name", ["PATH", "LD_PRELOAD", "PYTHONPATH", "PYTHONSTARTUP", "HOME", "MINIO_ENDPOINT", "x"])
def test_a_deployment_may_set_declared_names_only(guarded: Running, name: str) -> None:
    document = {"service": "echo", "image": "example/echo:1", "envVars": {name: "/tmp/evil"}}

    answer = guarded.request("PUT", "/system/functions", document, Authorization=basic("pass"))

    assert answer.status == 400
    assert name in answer.text
    assert "OPTION_" in answer.text


@pytest.mark.parametrize("name", ["OPTION_LEVEL", "SOURCE", "SINK", "MAX_INPUT_BYTES", "RENDITIONS", "KEPT"])
def test_a_deployment_sets_what_a_function_declares(guarded: Running, name: str) -> None:
    value = {"SOURCE": "s3://upload/*.csv", "SINK": "s3://processed/{key}.gz", "MAX_INPUT_BYTES": "7"}.get(name, "x")
    document = {"service": "echo", "image": "example/echo:1", "envVars": {name: value}}

    answer = guarded.request("PUT", "/system/functions", document, Authorization=basic("pass"))

    assert answer.status == 202, answer.text
    assert guarded.functions.get("echo").spec.environment[name] == value


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://example.com/x", "http://127.0.0.1.example.com/", "ftp://x"]
)
def test_an_answer_is_called_back_on_this_machine_only(guarded: Running, url: str) -> None:
    answer = guarded.request("POST", "/async-function/echo", b"x", X_Callback_Url=url)

    assert answer.status == 400
    assert "X-Callback-Url" in answer.text


def test_secrets_are_not_in_a_repr() -> None:
    text = repr(Access(token="event-token", password="pass"))

    assert "event-token" not in text
    assert "pass'" not in text


@pytest.mark.long
@pytest.mark.parametrize(
    "document",
    [
        {"envVars": {"OPTION_LEVEL": "1\0"}},
        {"envVars": {"OPTION_X\0": "1"}},
        {"envVars": {"OPTION_X=Y": "1"}},
        {"envVars": {"OPTION_LEVEL": "\ud800"}},
        {"labels": {"a": "\ud800"}},
        {"annotations": {"\0": "a"}},
        {"image": "a\0"},
    ],
)
def test_a_deployment_that_no_process_could_be_given_is_refused(guarded: Running, document: dict[str, object]) -> None:
    given = {"service": "echo", "image": "example/echo:1", **document}
    answer = guarded.request("PUT", "/system/functions", given, Authorization=basic("pass"))
    assert answer.status == 400, answer.text
    assert guarded.request("POST", "/function/echo", b"x").status == 200


@pytest.mark.parametrize("header", [{"Host": "[bad"}, {"Origin": "http://[bad"}])
def test_a_malformed_host_or_origin_is_refused(guarded: Running, header: dict[str, str]) -> None:
    assert guarded.request("GET", "/healthz", **header).status == 403
