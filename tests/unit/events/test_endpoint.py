"""An event is delivered only when its receiver says so."""

import pytest
from penstock.errors import TemporaryError
from penstock.events import CloudEventFields
from penstock.events.endpoint import EventEndpoint
from pytest_httpserver import HTTPServer

EVENT = CloudEventFields({"specversion": "1.0", "id": "1", "type": "job.penstock.failed", "source": "/here"}, b"{}")


def test_an_event_is_delivered_only_when_its_receiver_says_so(httpserver: HTTPServer) -> None:
    httpserver.expect_ordered_request("/", method="POST").respond_with_data("", 503)
    httpserver.expect_ordered_request("/", method="POST").respond_with_data("", 301, {"Location": "/elsewhere"})
    httpserver.expect_ordered_request("/", method="POST").respond_with_data("", 202)
    endpoint = EventEndpoint(httpserver.url_for("/"))
    for status in ("503", "301"):
        with pytest.raises(TemporaryError, match=f"was answered {status}"):
            endpoint.send(EVENT)
    endpoint.send(EVENT)
    request, _ = httpserver.log[-1]
    assert request.headers["ce-type"] == "job.penstock.failed"
    assert request.data == b"{}"


def test_an_endpoint_that_is_not_there_is_a_temporary_error() -> None:
    with pytest.raises(TemporaryError, match="could not be sent"):
        EventEndpoint("http://127.0.0.1:9").send(EVENT)
