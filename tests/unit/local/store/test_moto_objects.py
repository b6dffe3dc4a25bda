"""moto's records as the local store needs them: an order of states, sizes of uploads, objects that a folder kept."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from penstock.local.store.moto_objects import MotoObjects, kept_object, stored_headers
from penstock.local.store.object_folder import KeptObject
from penstock.types import ObjectRef

ROSE = ObjectRef("upload", "rose.jpg")
METADATA = {"content-type": "text/plain", "x-amz-meta-a": "b"}
KEPT = KeptObject("upload", "rose.jpg", "", 5, "an-etag-2", METADATA, 1_700_000_000.0, 10**20)


@pytest.fixture
def objects() -> Iterator[MotoObjects]:
    objects = MotoObjects()
    objects.create_bucket("upload")
    yield objects
    objects.reset()


@pytest.fixture
def body(tmp_path: Path) -> Path:
    path = tmp_path / "body"
    path.write_bytes(b"petal")
    return path


def test_an_object_that_a_folder_kept_is_as_it_was(objects: MotoObjects, body: Path) -> None:
    assert objects.find(ROSE) is None
    objects.take_up(KEPT, body)
    assert kept_object(ROSE, objects.find(ROSE)) == KEPT
    assert stored_headers(objects.find(ROSE)) == METADATA


def test_a_write_comes_after_all_that_was_kept(objects: MotoObjects, body: Path) -> None:
    objects.take_up(KEPT, body)
    stored = objects.find(ROSE)
    first = objects.order(stored, written=True)
    assert objects.order(stored, written=False) == first > KEPT.modified_ns
    assert objects.order(stored, written=True) > first


def test_what_is_not_there_has_no_record_and_no_size(objects: MotoObjects) -> None:
    assert objects.find(ObjectRef("no-such-bucket", "rose.jpg")) is None
    assert objects.upload_size("no-such-bucket", "upload") is None
    assert objects.upload_size("upload", "no-such-upload") is None
    assert not objects.is_versioned("upload")
