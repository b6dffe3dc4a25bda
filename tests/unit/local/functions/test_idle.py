"""The idler puts functions behind the embedded gateway to sleep, and a request wakes them again."""

from penstock.connect.idler import Idler
from penstock.connect.openfaas import OpenFaasGateway
from penstock.local.gateway.access import Access

from tests.unit.local.conftest import Bench
from tests.unit.local.gateway.test_gateway import Running


def test_idle_function_is_stopped_through_the_gateway_and_woken_by_a_request(bench: Bench) -> None:
    now = 0.0
    functions = bench.functions(bench.spec(zero="15m"), bench.spec("another"))
    running = Running(bench, functions, Access(password="s3cret"))
    try:
        idler = Idler(OpenFaasGateway(running.server.url, login=("admin", "s3cret")), clock=lambda: now)
        for name in ("echo", "another"):
            assert running.request("POST", f"/function/{name}", "x").status == 200
        assert idler.look() == []
        now = 899.0
        running.request("POST", "/function/echo", "x")
        assert idler.look() == []
        now = 899.0 + 900.0
        assert idler.look() == ["echo"]
        assert (functions.get("echo").replicas, functions.get("another").replicas) == (0, 1)
        assert running.request("POST", "/function/echo", "x").status == 200
        assert functions.get("echo").replicas == 1
    finally:
        running.close()
