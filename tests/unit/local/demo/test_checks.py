"""The demo's checks pass what is right and name what is not."""

import gzip
import hashlib
import io
from typing import Any

import pytest
from penstock.local.demo.checks import (
    CheckFailed,
    Uploaded,
    asked_size,
    check_gunzips_to,
    check_image,
    check_indexed,
    pixels_of,
)
from penstock.local.demo.photos import PHOTOS, read_photos
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef
from PIL import Image
from pytest_httpserver import HTTPServer

SOURCE = ObjectRef("upload", "a.csv")
TARGET = ObjectRef("processed", "a.csv.gz")
BODY = b"a,b\n1,2\n" * 1000


def store_with(body: bytes, ref: ObjectRef = TARGET) -> MemoryStore:
    store = MemoryStore("upload", "processed")
    store.put(ref, [body], content_type="application/octet-stream", metadata={})
    return store


def uploaded(body: bytes = BODY, pixels: tuple[int, int] | None = None) -> Uploaded:
    return Uploaded(SOURCE, len(body), hashlib.sha256(body).hexdigest(), pixels)


def jpeg(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.effect_mandelbrot((width, height), (-2, -1.5, 1, 1.5), 20).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def test_gzip_that_unpacks_to_the_source_passes() -> None:
    assert check_gunzips_to(store_with(gzip.compress(BODY)), TARGET, uploaded()) == "unpacks to the same 8,000 bytes"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (gzip.compress(BODY)[:-4], "the gzip stream ends early"),
        (gzip.compress(BODY + b"x"), "unpacks to 8001 bytes that are not the 8000"),
        (gzip.compress(BODY[:-1] + b"x"), "unpacks to 8000 bytes that are not the 8000"),
        (BODY, "is not gzip"),
    ],
    ids=["cut off", "longer", "other bytes", "no gzip"],
)
def test_any_other_gzip_is_named(body: bytes, reason: str) -> None:
    with pytest.raises(CheckFailed, match=reason):
        check_gunzips_to(store_with(body), TARGET, uploaded())


def test_missing_output_is_named() -> None:
    with pytest.raises(CheckFailed, match=r"s3://processed/a\.csv\.gz: is not there"):
        check_gunzips_to(MemoryStore("upload", "processed"), TARGET, uploaded())


def test_image_of_the_asked_size_passes() -> None:
    seen = check_image(store_with(jpeg(80, 60)), TARGET, uploaded(pixels=(160, 120)), {"width": "80"})
    assert seen == "decodes at 80 x 60, from 160 x 120"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (jpeg(160, 120), "is 160 x 120 and should be 80 x 60"),
        (jpeg(80, 60)[:-200], "does not decode"),
        (b"no image", "does not decode"),
    ],
    ids=["other size", "cut off", "no image"],
)
def test_any_other_image_is_named(body: bytes, reason: str) -> None:
    with pytest.raises(CheckFailed, match=reason):
        check_image(store_with(body), TARGET, uploaded(pixels=(160, 120)), {"width": "80"})


@pytest.mark.parametrize(
    ("pixels", "options", "expected"),
    [
        ((1000, 500), {"width": "400"}, (400, 200)),
        ((1000, 500), {"height": "50"}, (100, 50)),
        ((1000, 500), {"width": "400", "height": "50"}, (100, 50)),
        ((100, 50), {"width": "400"}, (100, 50)),
        ((100, 50), {}, (100, 50)),
    ],
)
def test_asked_size_keeps_proportions_and_never_enlarges(
    pixels: tuple[int, int], options: dict[str, str], expected: tuple[int, int]
) -> None:
    assert asked_size(pixels, options) == expected


@pytest.mark.parametrize(
    ("status", "document", "reason"),
    [
        (200, None, ""),
        (200, {"etag": "other", "size": 8000}, "describes another state"),
        (404, {"reason": "no such document"}, "index answers 404"),
    ],
)
def test_index_must_describe_the_object_as_it_is(
    httpserver: HTTPServer, status: int, document: dict[str, Any] | None, reason: str
) -> None:
    store = store_with(BODY)
    state = store.stat(TARGET)
    assert state is not None
    answer = document or {"etag": state.etag, "size": state.size}
    query = {"bucket": "processed", "key": "a.csv.gz"}
    httpserver.expect_request("/function/index/", query_string=query).respond_with_json(answer, status=status)
    gateway = httpserver.url_for("").rstrip("/")

    if not reason:
        assert check_indexed(gateway, "index", store, TARGET) == "found by its key"
        return
    with pytest.raises(CheckFailed, match=reason):
        check_indexed(gateway, "index", store, TARGET)


def test_photographs_are_real_and_free() -> None:
    photos = dict(read_photos())
    assert len(photos) >= 6
    for photo, data in photos.items():
        assert data.startswith(b"\xff\xd8"), photo.file
        assert min(pixels_of(data)) >= 300
    assert all("CC0" in photo.rights or "public domain" in photo.rights for photo in PHOTOS)
    assert len({photo.key for photo in PHOTOS}) == len(PHOTOS)
