"""Listings that a broken server never ends: they stop with an error, and no object is lost or doubled by the look."""

from __future__ import annotations

import doctest
import itertools
import re
from collections.abc import Callable

import pytest
from penstock.errors import TemporaryError
from penstock.settings.config import SourceRule, StoreSettings
from penstock.store import circles
from penstock.store.circles import Circle
from penstock.store.s3 import S3ObjectStore
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

LIST = """<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>upload</Name>
<IsTruncated>true</IsTruncated>{next}{objects}</ListBucketResult>"""
OBJECT = """<Contents><Key>{key}</Key><Size>1</Size><ETag>"e"</ETag>
<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"""
UPLOADS = """<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>upload</Bucket>
<IsTruncated>true</IsTruncated>{next}</ListMultipartUploadsResult>"""
MOST_REQUESTS = 200


@pytest.fixture
def serve(httpserver: HTTPServer) -> Callable[[Callable[[Request], str]], S3ObjectStore]:
    """A store whose every answer is what `answer` makes; it fails the listing after many requests."""
    asked = itertools.count()

    def start(answer: Callable[[Request], str]) -> S3ObjectStore:
        def handle(request: Request) -> Response:
            if next(asked) > MOST_REQUESTS:
                return Response("it would go on for ever", 400)
            return Response(answer(request), content_type="application/xml", headers={"x-amz-request-id": "1"})

        httpserver.expect_request(re.compile(".*")).respond_with_handler(handle)
        return S3ObjectStore(StoreSettings(httpserver.url_for("").rstrip("/"), "reader", "reader-secret"))

    return start


def page(*keys: str, after: str = "") -> str:
    objects = "".join(OBJECT.format(key=key) for key in keys)
    return LIST.format(next=f"<NextContinuationToken>{after}</NextContinuationToken>" if after else "", objects=objects)


@pytest.mark.long
@pytest.mark.parametrize("after", ["token", ""], ids=["one token", "no token"])
@pytest.mark.parametrize("keys", [("a",), ("a", "b", "c"), tuple(f"{number:04}" for number in range(1000))], ids=len)
def test_the_same_page_for_ever_is_an_error(
    serve: Callable[[Callable[[Request], str]], S3ObjectStore], keys: tuple[str, ...], after: str
) -> None:
    store = serve(lambda _request: page(*keys, after=after))
    with pytest.raises(TemporaryError, match="the same objects again and again"):
        list(store.list("upload"))


def test_pages_that_take_turns_for_ever_are_an_error(
    serve: Callable[[Callable[[Request], str]], S3ObjectStore],
) -> None:
    turns = itertools.cycle([page("a", "b", after="1"), page("c", after="2"), page("d", "e", after="3")])
    store = serve(lambda _request: next(turns))
    with pytest.raises(TemporaryError, match="the same objects again and again"):
        list(store.list("upload"))


@pytest.mark.parametrize("after", ["<NextKeyMarker>a</NextKeyMarker><NextUploadIdMarker>1</NextUploadIdMarker>", ""])
def test_uploads_under_way_that_never_end_are_an_error(
    serve: Callable[[Callable[[Request], str]], S3ObjectStore], after: str
) -> None:
    store = serve(lambda _request: UPLOADS.format(next=after))
    with pytest.raises(TemporaryError, match="the same uploads again and again"):
        store.abort_uploads(SourceRule("upload"), 1)


def test_pages_that_overlap_are_no_circle() -> None:
    circle = Circle()
    overlapping = [f"{each:05}" for start in range(0, 5000, 9) for each in range(start, start + 10)]
    assert not any(circle.is_closed_by(each) for each in overlapping)


@pytest.mark.parametrize("before", [0, 1, 17, 1000])
@pytest.mark.parametrize("length", [1, 2, 3, 10, 1000])
def test_a_circle_of_any_length_after_any_beginning_is_found(before: int, length: int) -> None:
    circle = Circle()
    places = itertools.chain(range(-before, 0), itertools.cycle(range(length)))
    seen = next(number for number, place in enumerate(places) if circle.is_closed_by(place))
    assert seen <= 12 * (before + length)


def test_examples_hold() -> None:
    assert doctest.testmod(circles).failed == 0
