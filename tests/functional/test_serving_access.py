"""Who may call a function, what an operator can switch off, and limits that a caller cannot lift."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from penstock import Context, Event, Result, option
from penstock.errors import ConfigError
from penstock.events.signature import signature_headers
from penstock.settings.environment import load_config

from tests.functional.test_app import notification, serve
from tests.lake import Lake

MakeLake = Callable[..., Lake]
QUERY = {"query": lambda _arguments, _sink: {"found": 1}}
CALLS = [
    ("POST", "/event", {"json": notification("a.txt")}),
    ("POST", "/", {"json": notification("a.txt"), "headers": {"X-Topic": "uploads"}}),
    ("POST", "/", {"data": b"one"}),
    ("POST", "/a.txt", {"data": b"one"}),
    ("GET", "/?q=rose", {}),
    ("GET", "/status?bucket=upload&key=a.txt", {}),
    ("GET", "/nowhere", {}),
    *(
        ("POST", path, how)
        for path in ("/_/health", "/_/ready", "/metrics", "/read/upload/a.txt")
        for how in ({"data": b"one"}, {"json": notification("a.txt"), "headers": {"X-Topic": "uploads"}})
    ),
]
calls = pytest.mark.parametrize(("method", "path", "how"), CALLS, ids=lambda value: str(value)[:12])


def call(lake: Lake, method: str, path: str, how: dict[str, Any], authorization: str | None) -> int:
    headers = {**how.get("headers", {})} | ({} if authorization is None else {"Authorization": authorization})
    return serve(lake).open(path, method=method, **{**how, "headers": headers}).status_code


@calls
@pytest.mark.parametrize(
    "token", [None, "", "Bearer", "Bearer wrong", "Bearer new old", "new", "Basic new", "Bearer ключ"]
)
def test_call_without_the_token_is_a_401_and_touches_nothing(
    make_lake: MakeLake, method: str, path: str, how: dict[str, Any], token: str | None
) -> None:
    lake = make_lake(secrets={"FUNCTION_TOKEN": "new old"}, hooks=QUERY)
    lake.put(b"one")
    assert call(lake, method, path, how, token) == 401
    assert lake.requests == []


@calls
@pytest.mark.parametrize("token", ["Bearer new", "Bearer old"])
def test_each_of_two_tokens_opens(make_lake: MakeLake, method: str, path: str, how: dict[str, Any], token: str) -> None:
    lake = make_lake(secrets={"FUNCTION_TOKEN": "new old"}, hooks=QUERY)
    lake.put(b"one")
    assert call(lake, method, path, how, token) == (405 if path == "/nowhere" else 200)


def test_401_says_what_to_send_and_shows_no_token(make_lake: MakeLake) -> None:
    response = serve(make_lake(secrets={"FUNCTION_TOKEN": "hunter2"})).post("/event", json=notification("a.txt"))
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.json is not None
    assert "FUNCTION_TOKEN" in response.json["reason"]
    assert "hunter2" not in response.text


@pytest.mark.parametrize("path", ["/_/health", "/_/ready", "/metrics"])
def test_probes_and_metrics_need_no_token(make_lake: MakeLake, path: str) -> None:
    assert serve(make_lake(secrets={"FUNCTION_TOKEN": "new"})).get(path).status_code == 200


@pytest.mark.parametrize("path", ["//_/health", "/_/health/", "/metrics/x", "/%5f/health/../../event"])
def test_path_that_only_looks_like_a_probe_needs_the_token(make_lake: MakeLake, path: str) -> None:
    assert serve(make_lake(secrets={"FUNCTION_TOKEN": "new"})).post(path, data=b"one").status_code == 401


def test_token_comes_from_a_file_and_is_in_no_repr(tmp_path: Any) -> None:
    (tmp_path / "function-token").write_text("hunter2\n")
    config = load_config({"FUNCTION_NAME": "upper", "SECRETS_DIR": str(tmp_path)})
    assert config.secrets["FUNCTION_TOKEN"] == "hunter2"
    assert "hunter2" not in repr(config)


# Switched off


def test_search_can_be_switched_off_alone(make_lake: MakeLake) -> None:
    client = serve(make_lake(hooks=QUERY, search=False))
    response = client.get("/?q=rose")
    assert response.status_code == 403
    assert "SEARCH=off" in response.text
    assert client.post("/", data=b"one").status_code == 200


def test_body_mode_can_be_switched_off_alone(make_lake: MakeLake) -> None:
    lake = make_lake(hooks=QUERY, body_mode=False)
    lake.put(b"one")
    client = serve(lake)
    for path in ("/", "/a.txt"):
        response = client.post(path, data=b"one")
        assert response.status_code == 403
        assert "BODY_MODE=off" in response.text
    assert client.get("/?q=rose").status_code == 200
    assert client.post("/event", json=notification("a.txt")).status_code == 200
    assert client.post("/", json=notification("a.txt"), headers={"X-Topic": "t"}).status_code == 200


def test_switches_are_read_and_a_wrong_word_is_named() -> None:
    config = load_config({"FUNCTION_NAME": "upper", "SEARCH": "off", "BODY_MODE": "on"})
    assert (config.search, config.body_mode) == (False, True)
    with pytest.raises(ConfigError, match="SEARCH='no': expected on or off"):
        load_config({"FUNCTION_NAME": "upper", "SEARCH": "no"})


# Ceilings


@dataclass(frozen=True)
class Limited:
    max_pixels: int = option(100, "largest picture", ge=1, ceiling=True)
    level: int | None = option(None, "effort", ge=0, le=9, ceiling=True)
    width: int = option(10, "no limit", ge=1)
    pdf: bool = option(False, "whether", ceiling=True)


def told(event: Event[Limited], _context: Context[Limited]) -> Result:
    return Result({"pixels": event.options.max_pixels, "level": event.options.level, "width": event.options.width})


@pytest.mark.parametrize(
    ("configured", "query", "status"),
    [
        ({}, "max_pixels=100", 200),
        ({}, "max_pixels=50", 200),
        ({}, "max_pixels=101", 400),
        ({"max_pixels": "1000"}, "max_pixels=1000", 200),
        ({"max_pixels": "1000"}, "max_pixels=1001", 400),
        ({}, "level=9", 200),  # None is no limit
        ({"level": "3"}, "level=3", 200),
        ({"level": "3"}, "level=4", 400),
        ({"level": "3"}, "level=", 400),  # back to no limit
        ({}, "width=1000", 200),
    ],
)
def test_direct_call_can_tighten_a_limit_and_not_lift_it(
    make_lake: MakeLake, configured: dict[str, str], query: str, status: int
) -> None:
    response = serve(make_lake(told, options=Limited, config_options=configured)).post(f"/?{query}", data=b"x")
    assert response.status_code == status
    if status == 400:
        assert "which this deployment allows; a direct call may only lower it" in response.text


def test_a_switch_that_is_off_stays_off_for_a_direct_call(make_lake: MakeLake) -> None:
    response = serve(make_lake(told, options=Limited)).post("/?pdf=true", data=b"x")
    assert response.status_code == 400
    assert "it is off in this deployment, and a direct call cannot switch it on" in response.text
    assert serve(make_lake(told, options=Limited)).post("/?pdf=false", data=b"x").status_code == 200


def test_ceiling_of_a_rendition_is_that_rendition_s(make_lake: MakeLake) -> None:
    lake = make_lake(
        told,
        options=Limited,
        sink="s3://processed/{rendition}/{key}",
        renditions={"small": {"max_pixels": "10"}, "large": {"max_pixels": "1000"}},
    )
    client = serve(lake)
    assert client.post("/?rendition=small&max_pixels=11", data=b"x").status_code == 400
    assert client.post("/?rendition=large&max_pixels=11", data=b"x").status_code == 200


def test_deployment_may_set_a_limit_as_high_as_it_wants(make_lake: MakeLake) -> None:
    lake = make_lake(told, options=Limited, config_options={"max_pixels": "1000000"})
    assert serve(lake).post("/", data=b"x").json == {"pixels": 1_000_000, "level": None, "width": 10}


HMAC_KEY = b"k" * 32
SIGNED = [
    ("/event", {"json": notification("a.txt")}),
    ("/", {"json": notification("a.txt"), "headers": {"X-Topic": "uploads"}}),
    ("/a.txt", {"data": b"one"}),
]


@pytest.mark.parametrize(("path", "how"), SIGNED, ids=lambda value: str(value)[:12])
def test_a_post_that_is_not_signed_is_a_401_and_touches_nothing(
    make_lake: MakeLake, path: str, how: dict[str, Any]
) -> None:
    lake = make_lake(hmac_keys=(HMAC_KEY,))
    lake.put(b"one")
    client = serve(lake)
    assert client.post(path, **how).status_code == 401
    forged = signature_headers([HMAC_KEY], "id", b"another body", time.time())
    assert client.post(path, **{**how, "headers": {**how.get("headers", {}), **forged}}).status_code == 401
    assert lake.requests == []


@pytest.mark.parametrize(("path", "how"), SIGNED, ids=lambda value: str(value)[:12])
def test_a_signed_post_is_taken(make_lake: MakeLake, path: str, how: dict[str, Any]) -> None:
    lake = make_lake(hmac_keys=(b"n" * 32, HMAC_KEY))
    lake.put(b"one")
    body = how["data"] if "data" in how else json.dumps(how["json"]).encode()
    headers = {"Content-Type": "application/json"} if "json" in how else {}
    headers |= {**how.get("headers", {}), **signature_headers([HMAC_KEY], "id", body, time.time())}
    assert serve(lake).post(path, data=body, headers=headers).status_code == 200


def test_keys_come_from_a_file_and_are_in_no_repr(tmp_path: Path) -> None:
    text = "whsec_" + base64.b64encode(HMAC_KEY).decode()
    (tmp_path / "key").write_text(text + "\n")
    config = load_config({"FUNCTION_NAME": "f", "FUNCTION_HMAC_KEY_FILE": str(tmp_path / "key")})
    assert config.hmac_keys == (HMAC_KEY,)
    assert text not in repr(config)
    assert "kkkk" not in repr(config)
    with pytest.raises(ConfigError, match="FUNCTION_HMAC_KEY: expected whsec_"):
        load_config({"FUNCTION_NAME": "f", "FUNCTION_HMAC_KEY": "hunter2"})
