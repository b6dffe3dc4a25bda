"""One table over all functions: the same bytes, name and options give the same, as a body and as an object."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from penstock.handler.loading import load_module, make_function
from penstock.process.metrics import Metrics
from penstock.runtime.outcome import Outcome
from penstock.runtime.runtime import Runtime
from penstock.serving.app import create_app
from penstock.serving.health import Health
from penstock.settings.config import Config, SourceRule
from penstock.sinks.bucket import BucketSink
from penstock.sinks.bucket_address import BucketAddress
from penstock.sinks.document import delivered
from penstock.sinks.sqlite import SqliteSink
from penstock.store.memory import MemoryStore
from penstock.types import ObjectRef
from PIL import Image
from werkzeug.test import TestResponse

from tests.paths import FUNCTIONS


@dataclass(frozen=True)
class Case:
    """One input; `options` are the deployment's in object mode and the query's in body mode."""

    function: str
    name: str
    data: bytes
    content_type: str = "application/octet-stream"
    options: Mapping[str, str] = field(default_factory=dict)


@cache
def picture(kind: str, mode: str = "RGB") -> bytes:
    """120 x 80 pixels with an edge in each direction, so that turning or cutting it shows."""
    image = Image.new(mode, (120, 80), (200, 30, 30, 128)[: len(mode)] if len(mode) > 1 else 90)
    image.paste((10, 200, 60, 255)[: len(mode)] if len(mode) > 1 else 20, (0, 0, 60, 30))
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    image.save(out, kind, **({"exif": exif} if kind == "JPEG" else {}))
    return out.getvalue()


CSV = b"email, name,type\n" + b"".join(b"donor%d@example.org, \xc3\x89mile %d,gold\n" % (n, n) for n in range(3000))
JPEG = picture("JPEG")

CASES = [
    Case("compress", "donors.csv", CSV, "text/csv"),
    Case("compress", "donors.csv", CSV, "text/csv", {"setting": "small"}),
    Case("compress", "donors.csv", CSV, "text/csv", {"format": "zstd", "level": "5"}),
    Case("compress", "empty", b""),
    Case("compress", "日本語 + %.csv", b"x" * 100, "text/plain; charset=utf-8"),
    Case("compress", "large.bin", bytes(range(256)) * 40_000),
    Case("compress", "again.csv", gzip.compress(CSV, mtime=0)),
    Case("compress", "photo.txt", JPEG),
    Case("resize", "rose.jpg", JPEG, "image/jpeg", {"width": "50"}),
    Case("resize", "rose.jpg", JPEG, "image/jpeg", {"width": "40", "height": "40", "fit": "cover", "format": "webp"}),
    Case("resize", "rose.png", picture("PNG", "RGBA"), "image/png", {"height": "20", "format": "jpeg"}),
    Case("resize", "grey.png", picture("PNG", "L"), "image/png", {"width": "30", "format": "avif"}),
    Case("resize", "lying.png", JPEG, "image/png", {"width": "30"}),
    Case("resize", "small.jpg", JPEG, "image/jpeg", {"width": "5000"}),
    Case("resize", "truncated.jpg", JPEG[: len(JPEG) // 2], "image/jpeg", {"width": "30"}),
    Case("resize", "empty.jpg", b"", "image/jpeg", {"width": "30"}),
    Case("resize", "drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", {"width": "30"}),
    Case("resize", "bomb.png", picture("PNG"), "image/png", {"width": "30", "max_pixels": "100"}),
    Case("index", "donors.csv", CSV, "text/csv"),
    Case("index", "donors.csv", CSV, "text/csv", {"sample_rows": "1"}),
    Case("index", "donors.csv.gz", gzip.compress(CSV, mtime=0), "application/gzip"),
    Case("index", "rose.jpg", JPEG, "image/jpeg"),
    Case("index", "notes.txt", b"one\ntwo\n", "text/plain"),
    Case("index", "empty", b""),
    Case("index", "stray.csv", b'a,b\n"1,2\n3,4\n', "text/csv"),
    Case("index", "nul.csv", b"a,b\n1,\x002\n", "text/csv"),
    Case("index", "half.csv.gz", gzip.compress(CSV, mtime=0)[:500], "application/gzip"),
    Case("index", "random.bin", bytes(range(256)) * 10),
]


@cache
def module(name: str) -> ModuleType:
    return load_module(FUNCTIONS / name)


def as_body(case: Case) -> TestResponse:
    """The answer to a direct call on a deployment with default options."""
    function = make_function(module(case.function), Config(case.function))
    runtime = Runtime(function, Config(case.function))
    client = create_app(runtime, Health(runtime), Metrics(case.function)).test_client()
    headers = {"Content-Type": case.content_type}
    path = "/" + "".join(f"%{byte:02X}" for byte in case.name.encode())
    return client.post(path, data=case.data, headers=headers, query_string=case.options)


def as_object(case: Case, folder: Path) -> tuple[Outcome, bytes | dict[str, Any] | None]:
    """How an object ended, and its target: an object's bytes, or the document without what delivery added."""
    store = MemoryStore("upload", "processed")
    config = Config(case.function, (SourceRule("upload"),), options=case.options)
    ref = ObjectRef("upload", f"some/folder/{case.name}")
    metadata = {"owner": "ann"}  # not even this may show in the bytes
    source = store.put(ref, [case.data], content_type=case.content_type, metadata=metadata)
    function = make_function(module(case.function), config)
    if case.function == "index":
        index = SqliteSink(folder / "index.db", "index")
        outcome = Runtime(function, config, store, index).agree(ref)
        document = index.document("upload", ref.key)
        index.close()
        assert document is not None
        added = {*delivered(source, ""), "penstock"}
        return outcome, {name: value for name, value in document.items() if name not in added}
    address = BucketAddress.parse("s3://processed/{key}")
    outcome = Runtime(function, config, store, BucketSink(store, address)).agree(ref)
    target = ObjectRef("processed", ref.key)
    return outcome, store.read(target) if store.head(target) else None


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.function} {case.name} {dict(case.options) or ''}")
def test_both_modes_give_the_same(case: Case, tmp_path: Path) -> None:
    response = as_body(case)
    outcome, target = as_object(case, tmp_path)
    if outcome.kind == "refused":
        assert response.status_code == outcome.status
        assert response.json is not None
        assert response.json["reason"] == outcome.reason
        assert not target
    else:
        assert (outcome.kind, response.status_code) == ("processed", 200)
        assert (json.loads(response.data) if case.function == "index" else response.data) == target


def test_table_has_all_functions_and_both_ends() -> None:
    assert {case.function for case in CASES} == {folder.parent.name for folder in FUNCTIONS.glob("*/handler.py")}
    statuses = {(case.function, as_body(case).status_code) for case in CASES}
    assert {("compress", 200), ("resize", 200), ("resize", 415), ("resize", 413), ("index", 200)} <= statuses
