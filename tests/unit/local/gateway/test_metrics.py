"""The gateway's health and its metrics."""

from tests.unit.local.conftest import until
from tests.unit.local.gateway.conftest import Running


def test_health_and_metrics(gateway: Running) -> None:
    gateway.request("GET", "/function/echo")
    until(gateway.invocations.recent)
    assert gateway.request("GET", "/healthz").text == "OK\n"
    text = gateway.request("GET", "/metrics").text
    assert 'gateway_function_invocation_total{code="200",function_name="echo"} 1.0' in text
    assert 'gateway_service_count{function_name="echo"} 1.0' in text
    assert 'gateway_service_count{function_name="broken"} 0.0' in text
