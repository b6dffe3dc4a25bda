"""OpenFaaS's REST API as faas-cli reads it: functions, scaling, logs, namespaces."""

import http.client
import json
import re

from penstock.connect.edition import Edition
from penstock.local.functions.functions import LocalFunctions
from penstock.local.gateway.access import Access

from tests.unit.local.conftest import Bench
from tests.unit.local.gateway.conftest import Running


def test_functions_are_listed_as_faas_cli_reads_them(gateway: Running) -> None:
    listed = gateway.request("GET", "/system/functions").json
    assert [entry["name"] for entry in listed] == ["broken", "echo"]
    echo = listed[1]
    assert echo["replicas"] == echo["availableReplicas"] == echo["invocationCount"] == 0
    assert echo["labels"] == {"com.openfaas.scale.zero": "true", "com.openfaas.scale.zero-duration": "15m"}
    assert echo["envVars"]["SOURCE"] == "s3://upload/*.csv"
    assert echo["createdAt"].endswith("Z")
    assert gateway.request("GET", "/system/functions?namespace=other").json == []


def test_description_counts_and_measures(gateway: Running) -> None:
    gateway.request("GET", "/function/echo")
    found = gateway.request("GET", "/system/function/echo?usage=1").json
    assert (found["invocationCount"], found["replicas"]) == (1, 1)
    assert found["usage"]["totalMemoryBytes"] > 1_000_000
    assert gateway.request("GET", "/system/function/nope").status == 404


def test_scaling_starts_and_stops(bench: Bench, functions: LocalFunctions) -> None:
    gateway = Running(bench, functions, Access(token="secret"), Edition.PRO)
    try:
        _scale_up_and_down(gateway)
    finally:
        gateway.close()


def _scale_up_and_down(gateway: Running) -> None:
    assert gateway.request("POST", "/system/scale-function/echo", {"serviceName": "echo", "replicas": 1}).status == 202
    assert gateway.functions.get("echo").replicas == 1
    assert gateway.request("POST", "/system/scale-function/echo", {"serviceName": "echo", "replicas": 0}).status == 202
    assert gateway.functions.get("echo").replicas == 0
    assert gateway.request("POST", "/system/scale-function/echo", {"replicas": -1}).status == 400


def test_logs_come_as_lines_of_json(gateway: Running) -> None:
    gateway.request("GET", "/function/echo")
    gateway.functions.get("echo").stop()

    lines = [json.loads(line) for line in gateway.request("GET", "/system/logs?name=echo").body.splitlines()]
    texts = [line["text"] for line in lines]
    assert [text for text in texts if not text.startswith("GET ")] == ["hello from echo", "goodbye"]
    # A direct call that went well says so too.
    [call] = [text for text in texts if text.startswith("GET ")]
    assert re.fullmatch(r"GET / - 200 - [0-9]+ bytes \([0-9.]+ s\)", call)
    assert lines[0].keys() == {"name", "namespace", "instance", "timestamp", "text"}
    assert len({line["instance"] for line in lines}) == 1
    assert gateway.request("GET", "/system/logs?name=echo&tail=1").body.count(b"\n") == 1
    assert gateway.request("GET", "/system/logs?name=echo&since=1h").body.count(b"\n") == 3
    assert gateway.request("GET", "/system/logs?name=echo&since=soon").status == 400


def test_tail_that_is_no_number_is_refused_with_words(gateway: Running) -> None:
    answer = gateway.request("GET", "/system/logs?name=echo&tail=few")

    assert (answer.status, answer.text) == (400, "tail='few': expected a whole number of lines, or -1 for all\n")


def test_followed_logs_end_with_the_function(gateway: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.server.port, timeout=30)
    connection.request("GET", "/system/logs?name=echo&follow=1")
    response = connection.getresponse()
    gateway.request("GET", "/function/echo")
    gateway.request("DELETE", "/system/functions", {"functionName": "echo"})
    texts = [json.loads(line)["text"] for line in response.read().splitlines() if line]
    connection.close()
    assert [text for text in texts if not text.startswith("GET ")] == ["hello from echo", "goodbye"]


def test_info_and_namespaces(gateway: Running) -> None:
    info = gateway.request("GET", "/system/info").json
    assert info["provider"]["provider"] == "penstock"
    assert info["version"]["release"]
    assert gateway.request("GET", "/system/namespaces").json == ["openfaas-fn"]
