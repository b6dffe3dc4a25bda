"""Each status that `/read` and `/lambda` are described with is reached, and no other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from penstock import Context, Event, PermanentError, Result, TemporaryError
from penstock.serving.description import OPERATIONS, READ
from penstock.types import ObjectRef
from pytest_httpserver import HTTPServer

from tests.functional.test_app import serve
from tests.lake import Lake, upper
from tests.unit.serving.test_object_lambda import Reader, make_reader, server
from tests.unit.serving.test_read_route import SECRETS, path_of

__all__ = ["make_reader", "server"]
FAILURES: dict[bytes, Exception] = {
    b"422": PermanentError("not at all"),
    b"503": TemporaryError("later", retry_after=7),
    b"500": ZeroDivisionError("secret"),
}
LAMBDA = next(each for each in OPERATIONS if each.path == "/lambda")
# Both are answered for every path alike, before the application is asked (`test_app_callers`) or by its routes.
OF_EVERY_PATH = {405, 408}


def handle(event: Event[Any], context: Context[Any]) -> Result:
    """Upper-case, or fail as the bytes say."""
    start = event.body.peek(3)
    if start in FAILURES:
        raise FAILURES[start]
    return upper(event, context)


def read_with(
    signed: Callable[[], str] = path_of, data: bytes = b"one", **headers: str
) -> Callable[[Callable[..., Lake]], int]:
    """Ask by the path that `signed` makes then: one of before the other tests would be too old on a slow machine."""

    def ask(make_lake: Callable[..., Lake]) -> int:
        lake = make_lake(handle, secrets=SECRETS, max_input_bytes=9)
        lake.put(data)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return int(serve(lake).get(signed(), headers=named).status_code)

    return ask


def read_again(make_lake: Callable[..., Lake]) -> int:
    lake = make_lake(handle, secrets=SECRETS)
    lake.put(b"one")
    client = serve(lake)
    etag = client.get(path_of()).headers["ETag"]
    return int(client.get(path_of(), headers={"If-None-Match": etag}).status_code)


READS: dict[int, Callable[[Callable[..., Lake]], int]] = {
    200: read_with(),
    206: read_with(Range="bytes=1-1"),
    304: read_again,
    400: read_with(partial(path_of, times="9")),
    403: read_with(partial(path_of, key="a key of someone else")),
    404: read_with(partial(path_of, ObjectRef("upload", "gone"))),
    412: read_with(If_Match='"another"'),
    413: read_with(data=b"x" * 10),
    415: read_with(data=b"bad"),
    416: read_with(Range="bytes=50-"),
    422: read_with(data=b"422"),
    500: read_with(data=b"500"),
    503: read_with(data=b"503"),
}


def test_each_described_status_of_a_read_has_a_way_to_it() -> None:
    assert READS.keys() == READ.answers.keys()


@pytest.mark.parametrize("status", READS)
def test_described_status_of_a_read_is_reached(make_lake: Callable[..., Lake], status: int) -> None:
    assert READS[status](make_lake) == status


MakeReader = Callable[..., Reader]
Ask = Callable[[MakeReader, HTTPServer], int]


def lambda_with(query: str = "", data: bytes = b"one", **headers: str) -> Ask:
    def ask(make: MakeReader, _store: HTTPServer) -> int:
        reader = make(handle, max_input_bytes=9)
        reader.put(data)
        return int(reader.read(query, **headers).status_code)

    return ask


def lambda_again(make: MakeReader, _store: HTTPServer) -> int:
    reader = make(handle)
    reader.put(b"one")
    etag = reader.read().headers["x-amz-fwd-header-ETag"]
    return int(reader.read(If_None_Match=etag).status_code)


def lambda_of_store(answer: int) -> Ask:
    """A store that answers the signed URL with this status."""

    def ask(make: MakeReader, store: HTTPServer) -> int:
        store.expect_request("/upload/a.txt").respond_with_data("", status=answer)
        reader = make(handle)
        place = replace(reader.runtime.config.store, endpoint=store.url_for("").rstrip("/"))  # type: ignore[type-var]
        reader.runtime = replace(reader.runtime, config=replace(reader.runtime.config, store=place))
        return int(reader.call(store.url_for("/upload/a.txt") + "?X-Amz-Signature=1").status_code)

    return ask


def lambda_without_token(make: MakeReader, _store: HTTPServer) -> int:
    return int(make(handle, secrets={"FUNCTION_TOKEN": "secret"}).post({}).status_code)


LAMBDAS: dict[int, Ask] = {
    200: lambda_with(),
    206: lambda_with(Range="bytes=1-1"),
    304: lambda_again,
    400: lambda_with("x-penstock-nothing=1"),
    401: lambda_without_token,
    403: lambda_of_store(403),
    404: lambda_of_store(404),
    409: lambda_of_store(409),
    412: lambda_with(If_Match='"another"'),
    413: lambda_with(data=b"x" * 10),
    415: lambda_with(data=b"bad"),
    416: lambda_with(Range="bytes=50-"),
    422: lambda_with(data=b"422"),
    500: lambda_with(data=b"500"),
    502: lambda_of_store(307),
    503: lambda_with(data=b"503"),
}


def test_each_described_status_of_a_lambda_call_has_a_way_to_it() -> None:
    assert LAMBDAS.keys() | OF_EVERY_PATH == LAMBDA.answers.keys()


@pytest.mark.parametrize("status", LAMBDAS)
def test_described_status_of_a_lambda_call_is_reached(
    make_reader: MakeReader, httpserver: HTTPServer, status: int
) -> None:
    assert LAMBDAS[status](make_reader, httpserver) == status
