from penstock.testing import run

from .handler import handle


def test_the_greeting_goes_before_the_input() -> None:
    made = run(handle, b"world", name="note.txt", content_type="text/plain", greeting="good day")
    assert made.data == b"good day\nworld"
    assert made.content_type == "text/plain"
