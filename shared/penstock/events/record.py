"""One S3 record or reference, checked and read into a `Notification`; JSON is read here too.

The record's format: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html,
as MinIO fills it in. All errors are `EventError` and name the member that is wrong.
"""

import codecs
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, NamedTuple, NoReturn

from penstock.errors import EventError
from penstock.events.keys import is_versity, named_by_arn, read_keys
from penstock.events.names import Kind, full_name, kind_of
from penstock.settings.config import MAX_KEY_BYTES, key_problem
from penstock.types import ObjectRef

EXPECTED = 'a notification of MinIO or S3 ("Records"), a CloudEvent that carries one, or {"bucket": ..., "key": ...}'

_BUCKET = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,254}"


@dataclass(frozen=True, slots=True)
class Notification:
    """One event about one object.

    `ref` holds the raw key. `name` is such as "s3:ObjectCreated:Put", empty for a reference. `id` is the same
    for the same event whichever way it came. The rest are hints of the moment the event was sent: `size` in
    bytes, `etag` without quotes, `time` in RFC 3339; the object may have changed since.

    `origin` is the record's eventSource, such as "minio:s3". `other` is the object's second name where the store may
    mean either: `a+b` may be URL-encoded or not (events/keys.py).
    """

    ref: ObjectRef
    kind: Kind
    name: str
    id: str
    size: int | None = None
    etag: str | None = None
    version_id: str | None = None
    sequencer: str | None = None
    time: str | None = None
    traceparent: str | None = None
    origin: str = field(default="", compare=False)
    other: ObjectRef | None = None

    @property
    def refs(self) -> tuple[ObjectRef, ...]:
        """Every object that the event may be about: one, or two where the store may mean either."""
        return (self.ref,) if self.other is None else (self.ref, self.other)


class OddRecord(NamedTuple):
    """One record that cannot be read, beside others that can: `value` is the record as it came, read from JSON."""

    error: EventError
    value: Any


def load_json(text: bytes | str) -> Any:
    """Read JSON strictly: UTF-8, no NaN, no member given twice, no nesting without end."""
    try:
        if isinstance(text, bytes):
            text = text.removeprefix(codecs.BOM_UTF8).decode()
        if not text.strip():
            raise EventError(f"the event is empty; expected {EXPECTED}")
        return _JSON.decode(text)
    except UnicodeDecodeError as exc:
        raise EventError(f"the event is not JSON: not UTF-8 at byte {exc.start}") from exc
    except json.JSONDecodeError as exc:
        where = f"line {exc.lineno} column {exc.colno}"
        raise EventError(f"the event is not JSON: {exc.msg} at {where}; expected {EXPECTED}") from exc
    except RecursionError as exc:
        raise EventError("the event's JSON is nested too deeply") from exc
    except ValueError as exc:  # Python limits the digits of an integer
        raise EventError("the event's JSON has a number that is too long") from exc


def unique_members(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Make a JSON object of its members; raises `EventError` for a member that is given twice.

    Readers differ in which of the two counts, so a check could be evaded.
    """
    made = dict(members)
    if len(made) != len(members):
        seen = set()
        for name, _ in members:
            if name in seen:
                raise EventError(f"the event's JSON has {name[:80]!r} twice in one object")
            seen.add(name)
    return made


def _no_constant(text: str) -> NoReturn:
    raise EventError(f"the event is not JSON: it has no {text}")


_JSON = json.JSONDecoder(object_pairs_hook=unique_members, parse_constant=_no_constant)


def identity(*parts: str | None) -> str:
    """32 hex digits that name these parts."""
    # The same text as json.dumps writes, in a fifth of the time. A change of it would change the ids of all events.
    text = ", ".join(["null" if part is None else _quoted(part) for part in parts])
    return hashlib.sha256(f"[{text}]".encode()).hexdigest()[:32]


def reference(ref: ObjectRef, *, event_id: str | None = None, traceparent: str | None = None) -> Notification:
    """A notification for a caller that names an object and does not report what happened to it."""
    made = event_id or identity(ref.bucket, ref.key)
    return Notification(ref=ref, kind=Kind.REFERENCE, name="", id=made, traceparent=traceparent)


def records_of(body: dict[str, Any], where: str) -> list[Any]:
    """The list under `Records`, which is not empty."""
    records = body["Records"]
    if not isinstance(records, list):
        raise EventError(f"{where}Records: expected a list, got {kind_name(records)}")
    if not records:
        raise EventError(f"{where}Records: is empty, so the event names no object")
    return records


def read_record(
    record: Any, where: str, *, raw_key: bool = False, traceparent: str | None = None
) -> Notification | None:
    """Read one S3 record; None when it is about a bucket and names no object.

    `where` is the record's place in the event, for error texts. `raw_key`: the key is not URL-encoded.
    """
    if not isinstance(record, dict):
        raise EventError(f"{where}: expected an object, got {kind_name(record)}")
    name = full_name(required_text(record, "eventName", where))
    kind = kind_of(name)
    s3 = _member(record, "s3", where)
    holder = _member(s3, "bucket", f"{where}.s3")
    bucket = required_text(holder, "name", f"{where}.s3.bucket")
    stored = _member(s3, "object", f"{where}.s3")
    record_where, where = where, f"{where}.s3.object"
    if kind is Kind.OTHER and not stored.get("key"):
        return None
    key, origin = required_text(stored, "key", where), optional_text(record, "eventSource", record_where) or ""
    rule = s3.get("configurationId")
    if is_versity(origin, rule):
        bucket, key = named_by_arn(holder.get("arn"), bucket, key)
    keys = (key,) if raw_key else read_keys(key, origin, rule, f"{where}.key")
    refs = _refs(bucket, keys, where)
    ref, other = refs[0], refs[1] if len(refs) > 1 else None
    etag, version_id = optional_text(stored, "eTag", where), optional_text(stored, "versionId", where)
    sequencer, time = optional_text(stored, "sequencer", where), optional_text(record, "eventTime", where)
    # Without a sequencer only the time tells two such events about one key apart.
    event_id = identity(bucket, ref.key, version_id, sequencer or time, name)
    size = _size(stored, where)
    return Notification(ref, kind, name, event_id, size, etag, version_id, sequencer, time, traceparent, origin, other)


def _refs(bucket: str, keys: Sequence[str], where: str) -> list[ObjectRef]:
    """The objects of these keys, without those that cannot exist; raises `EventError` when none can."""
    able = [key for key in keys if not key_problem(key)]
    return [checked_ref(bucket, key, where) for key in able or keys[:1]]


def checked_ref(bucket: str, key: str, where: str) -> ObjectRef:
    """An `ObjectRef` of a bucket and a raw key that can exist."""
    if not re.fullmatch(_BUCKET, bucket):
        raise EventError(f"{where}: {bucket[:80]!r} is not a bucket's name")
    if problem := key_problem(key):
        shown = f" {key[:80]!r}" if 0 < len(key) <= MAX_KEY_BYTES else ""
        raise EventError(f"{where}: the key{shown} {problem}")
    return ObjectRef(bucket, key)


def _size(stored: dict[str, Any], where: str) -> int | None:
    size = stored.get("size")
    if size is None:  # MinIO leaves out a size of 0; a removed object has no eTag either
        return 0 if "eTag" in stored else None
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise EventError(f"{where}.size: expected a number of bytes, got {kind_name(size)}")
    return size


def _member(parent: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise EventError(f"{where}.{name}: expected an object, got {kind_name(value)}")
    return value


def required_text(parent: dict[str, Any], name: str, where: str) -> str:
    """The string member `name` of `parent`; it holds no half of a surrogate pair, so it encodes."""
    value = parent.get(name)
    if not isinstance(value, str):
        raise EventError(f"{where}.{name}: expected a string, got {kind_name(value)}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as exc:
            raise EventError(f"{where}.{name}: {value[:80]!r} is not Unicode text") from exc
    return value


def optional_text(parent: dict[str, Any], name: str, where: str) -> str | None:
    """As `required_text`, but None when the member is absent, null or empty."""
    return required_text(parent, name, where) if parent.get(name) not in (None, "") else None


def kind_name(value: object) -> str:
    """The kind of a JSON value in JSON's own words."""
    if value is None:
        return "nothing"
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    return names.get(type(value), "a number")
