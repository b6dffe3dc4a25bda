"""The work of what a reader sends grows with its length: counted in lines of Python that run, not in time."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any

import pytest
from flask import Response
from penstock.errors import PenstockError
from penstock.serving.conditions import answer_without_content, apply_range, conditions_of
from penstock.serving.object_lambda import LambdaCall, read_call
from penstock.serving.signed_urls import check_signed
from penstock.types import ObjectRef
from werkzeug.exceptions import HTTPException

from tests.unit.store.test_presigned import STORE

CONTEXT = {"inputS3Url": "u", "outputRoute": "r", "outputToken": "t"}


def call(**user: Any) -> bytes:
    return json.dumps({"getObjectContext": CONTEXT, "userRequest": user}).encode()


def options(size: int) -> object:
    query = "&".join(f"x-penstock-{number}=1" for number in range(size))
    return LambdaCall("u", "r", "t", f"/?{query}", {}).options()


def signed(size: int) -> object:
    return check_signed(["k" * 16], ObjectRef("b", "k" * size), {str(number): "1" for number in range(size)}, 0)


def ranges(size: int) -> object:
    return apply_range(Response(b"abc"), conditions_of({"Range": "bytes=" + ",".join(["0-0"] * size)}), 3)


READS: dict[str, Callable[[int], object]] = {
    "headers of a call": lambda size: read_call(call(url="", headers={f"h{number}": ["a"] for number in range(size)})),
    "depth of a call": lambda size: read_call(b"[" * size),
    "options of a call": options,
    "presigned parameters": lambda size: STORE.read(
        "http://127.0.0.1:9000/upload/a?" + "&".join(f"X-Amz-{number}=1" for number in range(size))
    ),
    "presigned path": lambda size: STORE.read("http://127.0.0.1:9000/upload/" + "../" * size),
    "a signed URL": signed,
    "entity tags": lambda size: answer_without_content(
        conditions_of({"If-None-Match": ", ".join(f'"{number}"' for number in range(size))}), "x"
    ),
    "ranges": ranges,
}


def steps(act: Callable[[], object]) -> int:
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with suppress(PenstockError, HTTPException):  # the work of a refusal counts too
            act()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("what", READS)
def test_steps_of_what_a_reader_sends_grow_with_its_length(what: str) -> None:
    steps(lambda: READS[what](1))  # what is imported or compiled once is not counted
    one, two = (steps(partial(READS[what], size)) for size in (200, 400))
    assert one > 0
    assert two <= 2.2 * one + 50
