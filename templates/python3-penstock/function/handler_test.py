from penstock import Body, Context, Event
from penstock.streams import as_chunks

from .handler import Options, handle


def test_the_greeting_goes_before_the_input() -> None:
    event = Event("note.txt", 5, "text/plain", {}, Options(greeting="good day"), Body.of(b"world"))
    result = handle(event, Context("starter"))
    assert b"".join(as_chunks(result.body)) == b"good day\nworld"
    assert result.content_type == "text/plain"
