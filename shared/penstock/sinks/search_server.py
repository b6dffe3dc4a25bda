"""One index of a search server over HTTP: made on first use, and what its answers mean.

`opensearch` reads and writes the documents. urllib3 does the pooling, TLS and timeouts.
"""

import base64
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import quote, urlencode

import orjson

from penstock.errors import ConfigError, PermanentError, TargetChanged, TemporaryError

if TYPE_CHECKING:
    import urllib3

# As many threads as a function may have: urllib3 warns about each connection that it cannot keep.
_CONNECTIONS: Final = 1024
MAPPING_VERSION = 1

_KEYWORD, _LONG, _DATE = {"type": "keyword"}, {"type": "long"}, {"type": "date", "ignore_malformed": True}
TEMPLATE: dict[str, Any] = {
    "settings": {
        "auto_expand_replicas": "0-1",  # green on one node, a copy on two
        "analysis": {
            "analyzer": {
                "penstock_words": {"tokenizer": "penstock_words", "filter": ["lowercase", "asciifolding"]},
            },
            # Every mark between letters divides, so that `rose` finds images/rose.jpg.
            "tokenizer": {
                "penstock_words": {"type": "char_group", "tokenize_on_chars": ["whitespace", "punctuation", "symbol"]},
            },
        },
    },
    "mappings": {
        "_meta": {"penstock": MAPPING_VERSION},
        "_source": {"excludes": ["words"]},
        "dynamic": False,  # user metadata and new fields are kept, but cannot fill the mapping
        "properties": {
            "words": {"type": "text", "analyzer": "penstock_words"},
            **dict.fromkeys(("bucket", "key", "etag", "version_id", "content_type", "kind", "type", "name"), _KEYWORD),
            "size": _LONG,
            "complete": {"type": "boolean"},
            "last_modified": _DATE,
            "indexed_at": _DATE,
            "image": {
                "properties": {
                    "format": _KEYWORD, "width": _LONG, "height": _LONG, "orientation": _LONG, "date": _DATE,
                },
            },
            "csv": {"properties": {"columns": _KEYWORD, "delimiter": _KEYWORD, "encoding": _KEYWORD, "rows": _LONG}},
            "text": {"properties": {"encoding": _KEYWORD, "lines": _LONG}},
            "compression": {
                "properties": {
                    "format": _KEYWORD, "original_name": _KEYWORD, "original_size": _LONG, "type": _KEYWORD,
                },
            },
            "penstock": {
                "properties": {
                    **dict.fromkeys(("state", "function", "options", "source"), _KEYWORD),
                    "refusal": {"properties": {"error": _KEYWORD, "status": _LONG}},
                },
            },
        },
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and the JSON that came with it."""

    status: int
    body: dict[str, Any]
    retry_after: float | None = None

    @property
    def error(self) -> tuple[str, str]:
        """The error's type, and its text."""
        error = self.body.get("error")
        if isinstance(error, Mapping):
            return str(error.get("type", "")), str(error.get("reason", error))
        return "", str(error or self.body)[:500]


class SearchIndex:
    """An index at `url` (`http://HOST:PORT` or `https://HOST:PORT`); safe for threads.

    `ca` is the text of a private CA's certificate in PEM; without it the file `ca_file` counts.
    """

    def __init__(
        self,
        url: str,
        index: str,
        *,
        username: str,
        password: str,
        ca_file: str | Path | None,
        ca: str = "",
        timeout_seconds: float,
    ) -> None:
        self._url, self._index = url.rstrip("/"), index
        self._ca = ca or None
        self._ca_file = str(ca_file) if ca_file and not ca else None
        self._timeout_seconds = timeout_seconds
        self._headers: dict[str, str] = {}
        if username:
            token = base64.b64encode(f"{username}:{password}".encode()).decode()
            self._headers = {"authorization": f"Basic {token}"}
        self._lock = threading.Lock()
        self._pool: urllib3.PoolManager | None = None
        self._is_ready = False

    def __str__(self) -> str:
        return f"index {self._index!r} at {self._url}"

    def check(self) -> None:
        """Make the index when there is none, and raise `TemporaryError` unless it can be read and written."""
        self._ensure()
        answer = self._send("GET", f"/_cluster/health/{quote(self._index)}?wait_for_status=yellow&timeout=5s")
        # The server answers 408 when the wait ends before the status is reached.
        if answer.body.get("status") == "red" or answer.status == 408:
            raise TemporaryError(
                f"{self}: red: a primary shard has no node; GET {self._url}/_cluster/allocation/explain says why"
            )
        if self.expect(answer, "cluster health").get("status") not in ("green", "yellow"):
            raise self._stranger()

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            if self._pool is not None:
                self._pool.clear()
                self._pool = None

    def call(
        self, method: str, path: str, body: bytes | None = None, parameters: Mapping[str, object] | None = None
    ) -> Answer:
        """One call on the index, which is made first when there is none; `path` follows the index's name."""
        self._ensure()
        query = f"?{urlencode(parameters)}" if parameters else ""
        return self._send(method, f"/{quote(self._index)}{path}{query}", body)

    def _ensure(self) -> None:
        if self._is_ready:
            return
        found = self._send("GET", f"/{quote(self._index)}/_mapping")
        if found.status == 404:
            template = {"index_patterns": [self._index], "priority": 500, "template": TEMPLATE}
            kept = self._send("PUT", f"/_index_template/penstock-{quote(self._index)}", orjson.dumps(template))
            with self.understanding():
                self.expect(kept, "index template", is_setup=True)["acknowledged"]
            made = self._send("PUT", f"/{quote(self._index)}")
            if made.error[0] != "resource_already_exists_exception":
                with self.understanding():
                    self.expect(made, "new index", is_setup=True)["acknowledged"]
        else:
            with self.understanding():  # one, or those behind an alias
                first, *others = [each["mappings"] for each in self.expect(found, "mapping").values()]
            for mapping in (first, *others):
                version = mapping.get("_meta", {}).get("penstock")
                if version != MAPPING_VERSION:
                    raise TemporaryError(
                        f"{self}: its mapping is not Penstock's version {MAPPING_VERSION} but "
                        f"{'that of another program' if version is None else version}; name another index in SINK, "
                        "or delete this one and run `penstock reconcile`"
                    )
        self._is_ready = True

    @contextmanager
    def understanding(self) -> Iterator[None]:
        """A block that reads an answer: raises `TemporaryError` for an answer that no search server gives."""
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError, StopIteration) as exc:
            raise self._stranger() from exc

    def _stranger(self) -> TemporaryError:
        return TemporaryError(f"{self}: what answers there is not an OpenSearch or Elasticsearch server; check SINK")

    def expect(self, answer: Answer, subject: str, *, is_setup: bool = False) -> dict[str, Any]:
        """The answer's JSON; raises the error that a status other than success means."""
        if answer.status >= 300:
            self.fail(answer, subject, is_setup=is_setup)
        return answer.body

    def fail(self, answer: Answer, subject: str, *, is_setup: bool = False) -> NoReturn:
        """Raise what an answer other than a success means; `is_setup` for calls that make the index."""
        kind, reason = answer.error
        said = f"{self}: {subject}: {answer.status} {reason}"
        if kind == "cluster_block_exception":
            raise TemporaryError(
                f"{said}: the index is blocked, mostly for a full disk; free space, then lift the block"
            )
        if answer.status in (401, 403):
            raise TemporaryError(
                f"{said}: check SINK_USERNAME and SINK_PASSWORD, and that this user may create, read, index and delete "
                "in this index, and manage its template"
            )
        if answer.status == 409:
            raise TargetChanged(f"{self}: {subject}: its document was written by another program meanwhile")
        if kind == "index_not_found_exception":
            self._is_ready = False
            raise TemporaryError(f"{self}: it was deleted; the next try makes it anew, `penstock reconcile` fills it")
        if kind == "index_closed_exception":
            raise TemporaryError(f"{self}: it is closed; open it with POST {self._url}/{self._index}/_open")
        if answer.status in (408, 429) or answer.status >= 500:
            raise TemporaryError(f"{said}: the server is overloaded or not whole", retry_after=answer.retry_after or 2)
        if is_setup:
            raise ConfigError(f"{said}: the index cannot be made; check its name and what the server supports")
        if answer.status in (400, 413):
            raise PermanentError(f"{said}: the server refuses this document")
        raise TemporaryError(f"{said}: unexpected; check SINK: is this an OpenSearch or Elasticsearch server?")

    def _send(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """One HTTP request; raises `TemporaryError` unless a search server answers."""
        import urllib3

        pool = self._pool or self._connect()
        kind = "application/x-ndjson" if path.partition("?")[0].endswith("/_bulk") else "application/json"
        headers = {**self._headers, **({"content-type": kind} if body is not None else {})}
        try:
            # No retries here: whether a write may be repeated is for the caller, who looks at the document first.
            response = pool.request(method, self._url + path, body=body, headers=headers, retries=False)
        except urllib3.exceptions.HTTPError as exc:
            raise TemporaryError(
                f"{self}: cannot be reached: {exc}: check SINK, the network, and for https SINK_CA_FILE", retry_after=2
            ) from exc
        try:
            parsed = orjson.loads(response.data or b"{}")
        except orjson.JSONDecodeError:
            parsed = response.data.decode(errors="replace")[:200]
        if not isinstance(parsed, dict):  # a proxy's page, or something else at that address
            if response.status < 300:
                raise self._stranger()
            parsed = {"error": parsed}
        wait = response.headers.get("retry-after", "")
        return Answer(response.status, parsed, float(wait) if wait.isdecimal() else None)

    def _connect(self) -> "urllib3.PoolManager":
        import urllib3

        with self._lock:
            if self._pool is None:
                timeout = urllib3.Timeout(connect=min(self._timeout_seconds, 5), read=self._timeout_seconds)
                self._pool = urllib3.PoolManager(
                    maxsize=_CONNECTIONS, timeout=timeout, ca_certs=self._ca_file, ca_cert_data=self._ca
                )
            return self._pool
