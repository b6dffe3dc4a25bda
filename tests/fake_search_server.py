"""A search server in memory: the search sink's calls, answered as OpenSearch and Elasticsearch answer them.

The sink's contract runs on it and on the real ones (tests/sink_contract.py), so the two cannot differ unnoticed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from penstock.sinks.search_server import MAPPING_VERSION
from werkzeug import Request, Response

CONFLICT = {"error": {"type": "version_conflict_engine_exception", "reason": "it is in another state"}}
UNAVAILABLE = {"error": {"type": "unavailable_shards_exception", "reason": "primary shard is not active"}}


@dataclass
class FakeSearchServer:
    """One index. `is_broken` makes every call fail, as without its shard."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_broken: bool = False

    def __post_init__(self) -> None:
        self._numbers = count()
        self._states: dict[str, int] = {}

    def answer(self, request: Request) -> Response:
        """What the server says to one request."""
        status, body = self._answer(request)
        return Response(json.dumps(body), status, content_type="application/json")

    def store(self, name: str, source: dict[str, Any]) -> dict[str, Any]:
        """Put a document there, whatever there is."""
        self.documents[name] = source
        self._states[name] = next(self._numbers)
        return {"_id": name, "_seq_no": self._states[name], "_primary_term": 1, "result": "updated"}

    def _answer(self, request: Request) -> tuple[int, dict[str, Any]]:
        _, index, call, *rest = request.path.split("/")
        if self.is_broken:
            return 503, UNAVAILABLE
        if call == "_mapping":
            return 200, {index: {"mappings": {"_meta": {"penstock": MAPPING_VERSION}}}}
        if call == "_doc":
            return self._document(request.method, rest[0], request.args, request.get_data())
        if call == "_mget":
            return 200, {"docs": [self._found(name) for name in json.loads(request.get_data())["ids"]]}
        if call == "_bulk":
            return 200, self._bulk(request.get_data().splitlines())
        if call == "_search":
            return 200, self._search(json.loads(request.get_data()))
        assert call == "_refresh", request.path
        return 200, {"_shards": {"total": 1, "successful": 1, "failed": 0}}

    def _document(self, method: str, name: str, wanted: Any, body: bytes) -> tuple[int, dict[str, Any]]:
        if method == "GET":
            found = self._found(name)
            return (200 if found["found"] else 404), found
        if self._conflicts(name, is_new=wanted.get("op_type") == "create", number=wanted.get("if_seq_no")):
            return 409, CONFLICT
        if method == "PUT":
            return 201, self.store(name, json.loads(body))
        assert method == "DELETE"
        if self.documents.pop(name, None) is None:
            return 404, {"result": "not_found"}
        del self._states[name]
        return 200, {"result": "deleted"}

    def _conflicts(self, name: str, *, is_new: bool, number: str | int | None) -> bool:
        if number is not None and self._states.get(name) != int(number):
            return True
        return is_new and name in self.documents

    def _found(self, name: str) -> dict[str, Any]:
        if name not in self.documents:
            return {"_id": name, "found": False}
        return {**self._hit(name), "found": True}

    def _hit(self, name: str) -> dict[str, Any]:
        kept = {key: value for key, value in self.documents[name].items() if key != "words"}
        return {"_id": name, "_seq_no": self._states[name], "_primary_term": 1, "_source": kept}

    def _bulk(self, lines: list[bytes]) -> dict[str, Any]:
        items = []
        for action, text in zip(lines[::2], lines[1::2], strict=True):
            [(kind, how)] = json.loads(action).items()
            if self._conflicts(how["_id"], is_new=kind == "create", number=how.get("if_seq_no")):
                items.append({kind: {"status": 409, **CONFLICT}})
            else:
                items.append({kind: {"status": 201, **self.store(how["_id"], json.loads(text))}})
        return {"items": items}

    def _search(self, asked: dict[str, Any]) -> dict[str, Any]:
        hits = []
        if "query" in asked and "bool" in asked["query"]:
            term, *prefixes = asked["query"]["bool"]["filter"]
            prefix = prefixes[0]["prefix"]["key"] if prefixes else ""
            after = asked.get("search_after", [""])[0]
            named = sorted((document.get("key", ""), name) for name, document in self.documents.items())
            hits = [
                {**self._hit(name), "sort": [key]}
                for key, name in named
                if key.startswith(prefix) and key > after and self._is_in(name, term["term"]["bucket"])
            ]
        elif "query" in asked:
            words = asked["query"]["simple_query_string"]["query"].lower().split()
            hits = [
                self._hit(name)
                for name, document in self.documents.items()
                if all(word in document.get("words", "").lower() for word in words)
            ]
        return {"timed_out": False, "_shards": {"failed": 0}, "hits": {"hits": hits[: asked["size"]]}}

    def _is_in(self, name: str, bucket: str) -> bool:
        return bool(self.documents[name].get("bucket") == bucket)
