"""Hints as a store would send them, and the one endpoint that takes them."""

import json
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote_plus

from penstock.delivery.http import HttpTarget
from penstock.delivery.verdict import DeliveryOutcome, TargetAnswer, judge
from penstock.errors import ConfigError, TemporaryError
from penstock.events.signature import signature_headers
from penstock.json_text import read_json
from penstock.types import ObjectRef, ObjectState

_TIMEOUT_SECONDS: Final = 300.0
MAX_ANSWER_BYTES: Final = 8 * 1024 * 1024
"""What is read of an answer at most."""
# The same hint will never be taken, and neither will others: the address or a secret is wrong.
_WRONG_TARGET: Final = frozenset({401, 403, 404, 405, 415})


_A_PAGE: Final = "answered a page, as a function or a bridge never does; check --to and proxies"
_TAG: Final = re.compile(r"<[^>]*>?")


class Taken(StrEnum):
    """What the target said of a hint."""

    TOLD = "told"
    REFUSED = "refused"
    """For good: the function has recorded why, and a second hint would lead to the same."""
    UNREAD = "unread"
    """The request was refused, and no object in it was looked at: it names too many, or one that is odd."""
    STOPPED = "stopped"
    """The request, or the answer to it, is too large: a smaller one may be taken."""


def written(states: Sequence[ObjectState]) -> bytes:
    """A notification that these objects were written."""
    return _notification([_record("s3:ObjectCreated:Put", each.ref, each) for each in states])


def removed(refs: Sequence[ObjectRef]) -> bytes:
    """A notification that these objects are gone."""
    return _notification([_record("s3:ObjectRemoved:Delete", each, None) for each in refs])


def _notification(records: list[dict[str, object]]) -> bytes:
    return json.dumps({"Records": records}, separators=(",", ":")).encode()


def _record(name: str, ref: ObjectRef, state: ObjectState | None) -> dict[str, object]:
    stored: dict[str, object] = {"key": quote_plus(ref.key)}
    moment: Mapping[str, object] = {}
    if state is not None:
        stored |= {"size": state.size, "eTag": state.etag}
        if state.last_modified is not None:
            # The same state gives the same id, so brokers can drop doubles.
            stored["sequencer"] = f"{int(state.last_modified.timestamp() * 1e9):016X}"
            moment = {"eventTime": state.last_modified.isoformat()}
    # MinIO's name: Triggers filter by it, and MinIO's keys leave no doubt what they mean.
    return {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "awsRegion": "",
        "eventName": name,
        **moment,
        "s3": {"bucket": {"name": ref.bucket}, "object": stored},
    }


class HintTarget:
    """A function's `/event`, or a bridge; threads may share it."""

    def __init__(self, target: HttpTarget, connections: int) -> None:
        import urllib3

        self._target = target
        self._pool = urllib3.PoolManager(
            maxsize=connections, ca_certs=target.ca_file, retries=False, timeout=_TIMEOUT_SECONDS
        )

    def send(self, body: bytes) -> Taken:
        """Send one notification. Raises `ConfigError` when the target takes none, `TemporaryError` to try it again."""
        import urllib3

        headers = {"Content-Type": "application/json", **self._target.headers}
        if self._target.keys:
            headers |= signature_headers(self._target.keys, uuid.uuid4().hex, body, time.time())
        url = self._target.url
        try:
            # A redirect is not followed: clients repeat a POST as a GET, and the hint would be lost.
            answer = self._pool.request("POST", url, body=body, headers=headers, redirect=False, preload_content=False)
            said = answer.read(MAX_ANSWER_BYTES, decode_content=True)
            if len(said) < MAX_ANSWER_BYTES:
                answer.release_conn()
            else:  # the rest of it is in the way of a next answer
                answer.close()
        except urllib3.exceptions.HTTPError as exc:
            raise TemporaryError(f"{url}: cannot be reached: {exc}") from exc
        status = answer.status
        outcome = judge(TargetAnswer(status), time.time()).outcome
        is_page = said and answer.headers.get("Content-Type", "").startswith("text/html")
        if outcome is DeliveryOutcome.DELIVERED:
            if is_page:
                raise TemporaryError(f"{url}: {_A_PAGE}")
            return Taken.TOLD
        text = said[:300].decode("utf-8", "replace").strip() or "no reason was given"
        if is_page:
            text = f"{_A_PAGE}: {_words_of(text)}"
        answered = _function_s(said) if outcome is DeliveryOutcome.DEAD else None
        # Before the status: a function answers 415 for a text with the name of a picture, and for its wrong path.
        if answered is not None and _looked_at_its_objects(answered):
            return Taken.REFUSED
        if outcome is DeliveryOutcome.DEAD and len(said) >= MAX_ANSWER_BYTES:
            return Taken.STOPPED  # an answer for too many objects
        if status in _WRONG_TARGET or status < HTTPStatus.BAD_REQUEST:
            raise ConfigError(
                f"{url}: {text} (answered {status}); check --to, FUNCTION_TOKEN and the function's SOURCE"
            )
        if outcome is DeliveryOutcome.RETRY:
            raise TemporaryError(f"{url}: {text} (answered {status})")
        if answered is not None:
            return Taken.UNREAD
        # A bridge refuses nothing but a request that is too large; the rest is a proxy's, and says nothing of objects.
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return Taken.STOPPED
        raise TemporaryError(f"{url}: {text} (answered {status}, as no function does); check --to and proxies")


def _words_of(page: str) -> str:
    """The beginning of a page without its markup."""
    return " ".join(_TAG.sub(" ", page).split())[:80]


def _function_s(said: bytes) -> dict[str, Any] | None:
    """What a function answered: for each object, or why it refuses the request as a whole. None for another answer."""
    try:
        document: Any = read_json(said)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    return document if "results" in document or {"outcome", "reason"} <= document.keys() else None


def _looked_at_its_objects(answered: dict[str, Any]) -> bool:
    """Whether a function told of each object, and all of them are among its sources."""
    results = answered.get("results", [answered])
    if not isinstance(results, list) or not all(isinstance(each, dict) for each in results):
        return False
    if "results" not in answered and not isinstance(answered.get("source"), dict):
        return False
    return all(each.get("error") != "Forbidden" for each in results)
