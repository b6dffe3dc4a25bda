"""What a text is about, as a document in an index, and the question that finds it again."""

import io
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from penstock import Context, Event, EventError, Result


def handle(event: Event, context: Context) -> Result:
    words: Counter[str] = Counter()
    for line in io.TextIOWrapper(event.body, encoding="utf-8", errors="replace"):
        words.update(re.findall(r"\w{4,}", line.lower()))
    common = [word for word, _ in words.most_common(5)]
    return Result({"kind": "text", "words": words.total(), "text": {"beginning": " ".join(common)}})


def query(parameters: Mapping[str, str], sink: Any) -> dict[str, Any]:
    """Answer GET /?q=WORDS."""
    if "q" not in parameters:
        raise EventError("ask with ?q=WORDS")
    return {"keys": [document["key"] for document in sink.search(parameters["q"])]}
