"""JSON, indented. An input that is not JSON, and one that is pretty already, end as what they are."""

import json

from penstock import Context, Event, NothingToDo, Result, UnsupportedInput


def handle(event: Event, context: Context) -> Result:
    data = event.body.read()
    try:
        pretty = json.dumps(json.loads(data), indent=2, ensure_ascii=False).encode() + b"\n"
    except ValueError as exc:
        raise UnsupportedInput(f"{event.name}: expected JSON: {exc}") from exc
    if pretty == data:
        raise NothingToDo(f"{event.name}: is indented already")
    return Result(pretty, content_type="application/json")
