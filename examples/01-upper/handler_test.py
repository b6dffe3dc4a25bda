from penstock.testing import run

from .handler import handle


def test_text_comes_back_in_capitals() -> None:
    made = run(handle, b"hello")
    assert made.data == b"HELLO"
    assert made.content_type == "text/plain"
