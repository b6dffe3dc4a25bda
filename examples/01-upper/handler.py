"""Bytes in, bytes out: the whole of a function."""

from penstock import Context, Event, Result


def handle(event: Event, context: Context) -> Result:
    return Result(event.body.read().upper(), content_type="text/plain")
