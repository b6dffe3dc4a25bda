"""The idler: what it stops and what it leaves alone, against a fake gateway and a clock moved by hand."""

import json
from typing import Any

import pytest
from penstock.connect.idler import Idler
from penstock.connect.openfaas import Deployed, OpenFaasGateway
from penstock.connect.prometheus import Activity, Prometheus
from penstock.errors import TemporaryError
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.clock import Clock


class FakeGateway:
    """Functions that the test changes, and the names that were stopped."""

    def __init__(self, *functions: Deployed) -> None:
        self.deployed = {each.name: each for each in functions}
        self.stopped: list[str] = []
        self.down = False

    def functions(self) -> list[Deployed]:
        if self.down:
            raise TemporaryError("gateway: away")
        return list(self.deployed.values())

    def stop(self, name: str) -> None:
        self.stopped.append(name)
        self.set(name, replicas=0)

    def set(self, name: str, **changes: Any) -> None:
        before = self.deployed[name]
        fields = {field: getattr(before, field) for field in Deployed.__slots__} | changes
        self.deployed[name] = Deployed(**fields)


def function(name: str = "compress", **changes: Any) -> Deployed:
    fields = {"replicas": 1, "invocations": 5.0, "idle_seconds": 60.0} | changes
    return Deployed(name, **fields)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_function_that_nobody_calls_is_stopped_after_its_own_time(clock: Clock) -> None:
    gateway = FakeGateway(function(), function("resize", idle_seconds=600.0))
    subject = Idler(gateway, clock=clock)
    for clock.now in (0.0, 59.0):
        assert subject.look() == []
    clock.now = 60.0
    assert subject.look() == ["compress"]
    clock.now = 600.0
    assert subject.look() == ["resize"]


def test_every_call_starts_the_time_anew(clock: Clock) -> None:
    gateway = FakeGateway(function())
    subject = Idler(gateway, clock=clock)
    for step in range(10):
        clock.now = step * 50.0
        gateway.set("compress", invocations=float(step))
        assert subject.look() == []
    clock.now += 60.0
    assert subject.look() == ["compress"]


@pytest.mark.parametrize("left_alone", [function(idle_seconds=None), function(replicas=0)])
def test_function_without_the_label_or_at_zero_is_left_alone(clock: Clock, left_alone: Deployed) -> None:
    gateway = FakeGateway(left_alone)
    subject = Idler(gateway, clock=clock)
    for clock.now in (0.0, 1e6):
        assert subject.look() == []


def test_function_that_was_woken_has_its_whole_time_again(clock: Clock) -> None:
    gateway = FakeGateway(function())
    subject = Idler(gateway, clock=clock)
    for clock.now in (0.0, 60.0):
        subject.look()
    clock.now = 1000.0
    gateway.set("compress", replicas=1)
    assert subject.look() == []
    clock.now = 1059.0
    assert subject.look() == []
    clock.now = 1060.0
    assert subject.look() == ["compress"]


def test_function_deployed_anew_counts_as_new(clock: Clock) -> None:
    gateway = FakeGateway(function(version="1"))
    subject = Idler(gateway, clock=clock)
    subject.look()
    clock.now = 59.0
    gateway.set("compress", version="2")
    subject.look()
    clock.now = 61.0
    assert subject.look() == []


def test_counter_that_starts_at_zero_again_is_no_sign_of_idleness(clock: Clock) -> None:
    gateway = FakeGateway(function())
    subject = Idler(gateway, clock=clock)
    subject.look()
    clock.now = 60.0
    gateway.set("compress", invocations=0.0)
    assert subject.look() == []


def test_request_under_way_keeps_a_function_for_as_long_as_it_takes(clock: Clock) -> None:
    activity = {"started": {"compress": 8.0}, "ended": {"compress": 7.0}}
    gateway = FakeGateway(function())
    subject = Idler(gateway, activity=lambda: Activity(**activity), clock=clock)
    for clock.now in (0.0, 100.0, 10_000.0):
        assert subject.look() == []
    activity["ended"]["compress"] = 8.0
    clock.now += 1.0
    assert subject.look() == []
    clock.now += 60.0
    assert subject.look() == ["compress"]


def test_gateway_that_is_away_stops_nothing_and_forgets_nothing(clock: Clock) -> None:
    gateway = FakeGateway(function())
    subject = Idler(gateway, clock=clock)
    subject.look()
    gateway.down = True
    clock.now = 60.0
    with pytest.raises(TemporaryError):
        subject.look()
    gateway.down = False
    assert subject.look() == ["compress"]


ENTRY = {
    "name": "compress",
    "image": "example/compress:1",
    "namespace": "openfaas-fn",
    "labels": {"com.openfaas.scale.zero": "true", "com.openfaas.scale.zero-duration": "20m"},
    "invocationCount": 7,
    "replicas": 2,
    "createdAt": "2026-01-01T00:00:00Z",
}


def test_gateways_list_is_read_as_openfaas_writes_it(httpserver: HTTPServer) -> None:
    others = [
        {"name": "plain", "replicas": 1},
        {"name": "null", "labels": None, "invocationCount": None},
        {"name": "odd", "labels": {"com.openfaas.scale.zero": "true", "com.openfaas.scale.zero-duration": "soon"}},
        {"name": "default", "labels": {"com.openfaas.scale.zero": "true"}},
    ]
    credentials = {"Authorization": "Basic YWRtaW46czNjcmV0"}
    httpserver.expect_request("/system/functions", headers=credentials).respond_with_json([ENTRY, *others])
    found = OpenFaasGateway(httpserver.url_for(""), login=("admin", "s3cret")).functions()
    assert found[0] == Deployed("compress", 2, 7.0, 1200.0, "2026-01-01T00:00:00Zexample/compress:1")
    assert [each.idle_seconds for each in found[1:]] == [None, None, None, 900.0]


def test_stop_asks_for_zero_replicas_as_faas_cli_would(httpserver: HTTPServer) -> None:
    httpserver.expect_oneshot_request(
        "/system/scale-function/compress",
        method="POST",
        query_string={"namespace": "staging"},
        json={"serviceName": "compress", "replicas": 0, "namespace": "staging"},
    ).respond_with_data(status=202)
    OpenFaasGateway(httpserver.url_for(""), namespace="staging").stop("compress")
    httpserver.check()


@pytest.mark.parametrize(
    "answer", [Response(status=401), Response(status=500), Response("<html>"), Response('{"a": 1}'), Response("[1]")]
)
def test_answer_that_is_no_list_of_functions_is_temporary(httpserver: HTTPServer, answer: Response) -> None:
    httpserver.expect_request("/system/functions").respond_with_response(answer)
    with pytest.raises(TemporaryError, match="gateway"):
        OpenFaasGateway(httpserver.url_for("")).functions()


def test_prometheus_adds_up_the_gateways_counters(httpserver: HTTPServer) -> None:
    values = {"gateway_function_invocation_started": "9", "gateway_function_invocation_total": "8"}

    def query(request: Request) -> Response:
        [value] = [number for metric, number in values.items() if metric in request.args["query"]]
        result = [{"metric": {"function_name": "compress.openfaas-fn"}, "value": [1767225600, value]}]
        return Response(json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}))

    httpserver.expect_request("/api/v1/query").respond_with_handler(query)
    found = Prometheus(httpserver.url_for("")).activity()
    assert found == Activity({"compress": 9.0}, {"compress": 8.0})


def test_prometheus_that_answers_otherwise_is_temporary(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v1/query").respond_with_json({"status": "error"})
    with pytest.raises(TemporaryError, match="Prometheus"):
        Prometheus(httpserver.url_for("")).activity()
