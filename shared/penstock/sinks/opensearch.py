"""An index in OpenSearch 2 and 3 or Elasticsearch 7.10 to 9, through the REST calls that all of them share.

Plain calls over urllib3, which minio-py brings along: pooling, TLS and timeouts are its own. The official
clients each refuse the other's server, and neither adds anything to these calls.

A document's id is the SHA-256 of its source's bucket and key, because ids end at 512 bytes and keys do not.
Writes are conditional by `_seq_no` and `_primary_term`, or `op_type=create`. Reads by id see every
acknowledged write; a search sees it up to a second later (`index.refresh_interval`).

The index is made from a template on first use, with a field `words` that holds what a search looks at. It
is kept out of `_source`, so the server's reindex call loses it; `penstock reconcile` builds an index anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from penstock.errors import HandlerError, PermanentError, TemporaryError
from penstock.sinks import document
from penstock.sinks.document import Stored
from penstock.sinks.search_server import Answer, SearchIndex
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Refusal, Write

PAGE_DOCUMENTS = 1000
BULK_BYTES = 8 * 1024 * 1024  # of one bulk call; servers refuse requests over 100 MB (http.max_content_length)
_WAIT = {"timeout": "10s"}  # for a missing shard; the default of a minute would outlast every caller


class OpenSearchSink:
    """The documents of one index at `url` (`http://HOST:PORT` or `https://HOST:PORT`); safe for threads."""

    removes_with_source = True
    refuses_beside = False
    batch_size = document.BATCH_DOCUMENTS

    def __init__(
        self,
        url: str,
        index: str,
        *,
        username: str = "",
        password: str = "",
        ca_file: str | Path | None = None,
        ca: str = "",
        timeout: float = 30,
    ) -> None:
        self._index = SearchIndex(
            url, index, username=username, password=password, ca_file=ca_file, ca=ca, timeout_seconds=timeout
        )

    # The protocol

    def address(self, source: ObjectRef, rendition: str | None) -> str:
        """The document's id; raises `PermanentError` for a rendition."""
        document.check_whole(source, rendition)
        return source.digest

    def read_many(self, places: Sequence[tuple[str, Mark]]) -> list[Entry | None]:
        """Mark and refusal of each document, in one call; None where there is no document.

        An error of the shard of one of them is raised for all. Foreign documents cost a second call, which reads the
        refusals beside them.
        """
        entries = self._entries([address for address, _ in places])
        return document.with_refusals(entries, places, lambda refs: self._entries([ref.digest for ref in refs]))

    def beside(self, address: str, mark: Mark) -> Entry | None:
        """The refusal that is kept beside a foreign document, if there is one."""
        [record] = self._entries([document.refusal_ref(mark).digest])
        return document.as_beside(address, record)

    def write_many(self, writes: Sequence[Write]) -> list[Stored]:
        """Store one document, or a batch with the bulk call; the outcomes in the same order, errors not raised."""
        if len(writes) == 1:
            stored = self._alone(writes[0])
            return [self._without_refusal(writes[0], stored) if isinstance(stored, Entry) else stored]
        moment = document.now()
        outcomes: list[Stored | None] = [None] * len(writes)
        lines: list[bytes] = []
        asked: list[int] = []
        size = 0
        for number, write in enumerate(writes):
            try:
                text = _json(document.described(write, moment), write.mark, None)
            except HandlerError as error:
                outcomes[number] = error
                continue
            action = {"_id": write.address, **_condition(write.previous)}
            lines.append(orjson.dumps({"create" if write.previous is None else "index": action}))
            lines.append(text)
            asked.append(number)
            size += len(lines[-1])
            if size > BULK_BYTES:
                self._bulk(lines, asked, writes, outcomes)
                lines, asked, size = [], [], 0
        if asked:
            self._bulk(lines, asked, writes, outcomes)
        for number, (write, outcome) in enumerate(zip(writes, outcomes, strict=True)):
            if isinstance(outcome, Entry):
                outcomes[number] = self._without_refusal(write, outcome)
        return [outcome for outcome in outcomes if outcome is not None]

    def refuse(self, address: str, refusal: Refusal, mark: Mark, source: ObjectState, previous: Entry | None) -> Entry:
        """Replace our document by one that says why this state has none; leave a foreign one, and say so beside it."""
        record = self.refusal_address(address, mark)
        return document.refuse(address, refusal, mark, source, previous, record=record, store=self._put)

    def remove(self, address: str, mark: Mark, previous: Entry) -> None:
        """Delete our document; one that is gone already is left so."""
        if not previous.is_foreign_to(mark):
            self._delete(previous.record or address, previous)

    def check(self) -> None:
        """Make the index when there is none, and raise `TemporaryError` unless it can be read and written."""
        self._index.check()

    def entries(self, bucket: str, prefix: str = "", start_after: str = "") -> Iterator[tuple[ObjectRef, Entry]]:
        """What is recorded for a bucket's objects, in key order; then the refusals beside foreign documents."""
        self._search({"size": 0})  # says at once when a shard is missing; the refresh would wait a minute for it
        with self._index.understanding():
            self._index.expect(self._index.call("POST", "/_refresh"), "refresh")["_shards"]
        for hit in self._page_through(bucket, prefix, start_after, ["key", "penstock"]):
            yield ObjectRef(bucket, hit["_source"]["key"]), _entry(hit["_id"], hit)
        fields = ["key", "source", "penstock"]
        for hit in self._page_through(document.RECORDS_BUCKET, document.RECORDS_PREFIX, "", fields):
            source = document.source_of_record(hit["_source"])
            if source is not None and document.is_wanted(source, bucket, prefix, start_after):
                yield source, replace(_entry(hit["_id"], hit), record=hit["_id"])

    def refusal_address(self, address: str, mark: Mark) -> str:
        """The id of a refusal beside a foreign document."""
        del address
        return document.refusal_ref(mark).digest

    def forget(self, record: str) -> ObjectRef | None:
        """Delete the refusal beside a foreign document, and return its source."""
        found = self._get(record)
        if found is None:
            return None
        self._delete(record, _entry(record, found))
        return document.source_of_record(found["_source"])

    def _page_through(
        self, bucket: str, prefix: str, start_after: str, fields: Sequence[str]
    ) -> Iterator[dict[str, Any]]:
        """The documents of a bucket whose key begins with `prefix`, in key order; page by page."""
        wanted = [{"term": {"bucket": bucket}}, *([{"prefix": {"key": prefix}}] if prefix else [])]
        request: dict[str, Any] = {
            "query": {"bool": {"filter": wanted}},
            "sort": [{"key": "asc"}],
            "size": PAGE_DOCUMENTS,
            "_source": fields,
            "seq_no_primary_term": True,
            "track_total_hits": False,
        }
        if start_after:
            request["search_after"] = [start_after]
        while True:
            hits = self._search(request)
            yield from hits
            if len(hits) < PAGE_DOCUMENTS:
                return
            request["search_after"] = hits[-1]["sort"]

    # Beyond the protocol: see SearchableSink

    def search(self, text: str, *, limit: int = 20, offset: int = 0) -> list[dict[str, Any]]:
        """Documents that contain every word, best first; raises `EventError` for a text without words."""
        words = document.query_words(text, limit, offset)
        # Without WHITESPACE a word with * takes the words before it into its prefix, and finds nothing.
        flags = "PREFIX|WHITESPACE"
        query = {"query": " ".join(words), "fields": ["words"], "default_operator": "and", "flags": flags}
        hits = self._search({"query": {"simple_query_string": query}, "from": offset, "size": limit})
        return [hit["_source"] for hit in hits]

    def document(self, bucket: str, key: str) -> dict[str, Any] | None:
        """The document of one source object."""
        found = self._get(ObjectRef(bucket, key).digest)
        return None if found is None else found["_source"]

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        self._index.close()

    # Calls

    def _entries(self, ids: Sequence[str]) -> list[Entry | None]:
        """What is recorded under these ids, in one call; None where there is no document."""
        if len(ids) == 1:
            alone = self._get(ids[0], {"_source_includes": "penstock"})
            return [None if alone is None else _entry(ids[0], alone)]
        if not ids:
            return []
        answer = self._index.call("POST", "/_mget", orjson.dumps({"ids": ids}), {"_source_includes": "penstock"})
        entries: list[Entry | None] = []
        with self._index.understanding():
            for name, found in zip(ids, self._index.expect(answer, "documents")["docs"], strict=True):
                if "error" in found:  # of its shard alone, without a status: the answer as a whole is a success
                    self._index.fail(Answer(503, found), name)
                entries.append(_entry(name, found) if found["found"] else None)
        return entries

    def _delete(self, name: str, previous: Entry) -> None:
        answer = self._index.call("DELETE", f"/_doc/{name}", parameters={**_WAIT, **_condition(previous)})
        if (answer.status, answer.body.get("result")) in ((200, "deleted"), (404, "not_found")):
            return
        if answer.status == 409 and self._get(name) is None:
            return  # servers call it a conflict when nothing is left to compare with
        self._index.fail(answer, name)

    def _get(self, address: str, parameters: Mapping[str, str] | None = None) -> dict[str, Any] | None:
        answer = self._index.call("GET", f"/_doc/{address}", parameters=parameters)
        if answer.status == 404 and answer.body.get("found") is False:
            return None
        found = self._index.expect(answer, address)
        with self._index.understanding():
            _etag(found)
        return found

    def _search(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        found = self._index.expect(self._index.call("POST", "/_search", orjson.dumps(request)), "search")
        with self._index.understanding():
            failed = found["_shards"]["failed"]
            hits: list[dict[str, Any]] = found["hits"]["hits"]
        if found.get("timed_out") or failed:
            # Half an answer must not look like a whole one: reconcile acts on what is missing.
            raise TemporaryError(f"{self._index}: search: {failed} shards did not answer")
        return hits

    def _put(
        self, address: str, body: dict[str, Any], mark: Mark, refusal: Refusal | None, previous: Entry | None
    ) -> Entry:
        condition = {"op_type": "create"} if previous is None else _condition(previous)
        text = _json(body, mark, refusal)
        answer = self._index.call("PUT", f"/_doc/{address}", text, {**_WAIT, **condition})
        stored = self._index.expect(answer, body["key"])
        with self._index.understanding():
            return Entry(address, mark, refusal, etag=_etag(stored))

    def _bulk(
        self, lines: Sequence[bytes], asked: Sequence[int], writes: Sequence[Write], outcomes: list[Stored | None]
    ) -> None:
        try:
            answer = self._index.call("POST", "/_bulk", b"\n".join([*lines, b""]), _WAIT)
            with self._index.understanding():
                items = [next(iter(item.values())) for item in self._index.expect(answer, "bulk")["items"]]
                pairs = list(zip(asked, items, strict=True))
        except TemporaryError as error:
            for number in asked:
                outcomes[number] = error
            return
        except PermanentError:
            # Refused as a whole, by a proxy with a limit of 1 MiB for instance: the fault is not one document's.
            for number in asked:
                outcomes[number] = self._alone(writes[number])
            return
        for number, item in pairs:
            write = writes[number]
            try:
                with self._index.understanding():
                    self._index.expect(Answer(item["status"], item), write.source.ref.key)
                    outcomes[number] = Entry(write.address, write.mark, etag=_etag(item))
            except (TemporaryError, PermanentError) as error:
                outcomes[number] = error

    def _alone(self, write: Write) -> Stored:
        try:
            body = document.described(write, document.now())
            return self._put(write.address, body, write.mark, None, write.previous)
        except (TemporaryError, PermanentError, HandlerError) as error:
            return error

    def _without_refusal(self, write: Write, stored: Entry) -> Stored:
        """The entry of a document that was written; a refusal that lay beside what it replaced is removed."""
        if write.previous is not None and write.previous.beside is not None:
            try:
                self._delete(write.previous.beside.record, write.previous.beside)
            except (TemporaryError, PermanentError) as error:
                return error
        return stored


def _json(body: Mapping[str, Any], mark: Mark, refusal: Refusal | None) -> bytes:
    """The document as it is sent; raises `HandlerError`. No search finds a refusal beside a foreign document."""
    is_record = body["bucket"] == document.RECORDS_BUCKET
    words = {} if is_record else {"words": document.searchable(body)}
    return document.to_json({**body, **words, "penstock": document.mark_field(mark, refusal)}).encode()


def _etag(found: Mapping[str, Any]) -> str:
    return f"{found['_seq_no']}:{found['_primary_term']}"


def _condition(previous: Entry | None) -> dict[str, int]:
    """The condition of a write or delete: that the document is still as `previous`, which this class returned."""
    if previous is None:
        return {}
    number, _, term = (previous.etag or "").partition(":")
    return {"if_seq_no": int(number), "if_primary_term": int(term)}


def _entry(address: str, found: Mapping[str, Any]) -> Entry:
    return Entry(address, *document.read_mark(found.get("_source", {}).get("penstock")), etag=_etag(found))
