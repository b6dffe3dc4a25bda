"""A bucket as a sink: the mark travels in the target's user metadata, refusals lie under `.penstock/refused/`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from penstock.errors import PermanentError, TemporaryError
from penstock.json_text import read_json
from penstock.settings.config import RESERVED_PREFIX, SourceRule
from penstock.sinks.bucket_address import BucketAddress
from penstock.sinks.carried import carried, remedy
from penstock.store import PART_BYTES, Store
from penstock.streams import as_chunks, close_quietly
from penstock.types import Entry, Mark, ObjectRef, ObjectState, Refusal, Result, Write

MARK_PREFIX = "penstock-"
_BASIS = f"{MARK_PREFIX}basis"
# MinIO counts names (with x-amz-meta-) and values of all user metadata, and refuses more than this.
_MAX_METADATA_BYTES = 2048
# A reason may quote what a handler said.
_MAX_RECORD_BYTES = 4 * 1024 * 1024


class BucketSink:
    """Writes results as objects. `remove_with_source` says whether a target goes when its source does."""

    refuses_beside = True
    batch_size = 1

    def __init__(
        self,
        store: Store,
        address: BucketAddress,
        *,
        sources: Sequence[SourceRule] = (),
        renditions: Iterable[str] = (),
        remove_with_source: bool = False,
        follow_encryption: bool = True,
        store_name: str = "",
    ) -> None:
        self._store = store
        self._store_name = store_name
        self._address = address
        self._sources = sources
        self._renditions: Sequence[str | None] = tuple(renditions) or (None,)
        self._follow_encryption = follow_encryption
        self.removes_with_source = remove_with_source

    def address(self, source: ObjectRef, rendition: str | None) -> str:
        return str(self._address.of(source, rendition))

    def read_many(self, places: Sequence[tuple[str, Mark]]) -> list[Entry | None]:
        return [self._read(address, mark) for address, mark in places]

    def _read(self, address: str, mark: Mark) -> Entry | None:
        target = self._head(target_ref(address))
        if target is None:
            return self._read_refusal(address, mark)
        return Entry(address, mark_of(target), size=target.size, etag=target.etag)

    def beside(self, address: str, mark: Mark) -> Entry | None:
        return self._read_refusal(address, mark)

    def write_many(self, writes: Sequence[Write]) -> list[Entry | Exception]:
        return [self._attempt(write) for write in writes]

    def _attempt(self, write: Write) -> Entry | Exception:
        try:
            return self._write(write)
        except Exception as exc:  # noqa: BLE001 - the chunks of a result raise what their handler raises
            return exc

    def _write(self, write: Write) -> Entry:
        address, result, mark, source, previous = write.address, write.result, write.mark, write.source, write.previous
        ref = target_ref(address)
        if problem := self._address.problem_of(ref.key):
            raise PermanentError(f"{source.ref}: {problem}")
        here = previous is not None and previous.refusal is None
        kept = carried(self._store, source, result, ref.key, follow_encryption=self._follow_encryption)
        try:
            written = self._store.put(
                ref,
                as_chunks(result.body),
                content_type=result.content_type,
                metadata=_target_metadata(source.ref, result, mark, kept.metadata),
                headers=kept.headers,
                if_etag=previous.etag if here and previous else None,
                if_absent=not here,
            )
        except TemporaryError as exc:
            if kept.headers and (hint := remedy(kept.headers, str(exc))):
                raise TemporaryError(f"{exc}; {hint}") from exc
            raise
        etag = self._check_parts(written, mark) if written.size >= PART_BYTES else written.etag
        if previous is not None and previous.refusal_of(mark) is not None:
            self._store.delete(self._refusal_ref(address, mark))
        return Entry(address, mark, size=written.size, etag=etag or None, notes=kept.notes)

    def _check_parts(self, written: ObjectState, mark: Mark) -> str:
        """Look at a target that was uploaded in parts, and return its ETag.

        If its length is not what was written, remove it and raise `TemporaryError`.
        """
        ref = written.ref
        found = self._store.head(ref)
        if found is None or mark_of(found) != mark:
            return written.etag  # another program was faster, which the next look finds
        if found.size != written.size:
            self._store.delete(ref, if_still=lambda state: state == found)
            sizes = f"{written.size} bytes were written and {found.size} are there"
            raise TemporaryError(f"{ref}: {sizes}; see the store's log, and what is between")
        return found.etag

    def refuse(self, address: str, refusal: Refusal, mark: Mark, source: ObjectState, previous: Entry | None) -> Entry:
        record = {
            "source": {"bucket": source.ref.bucket, "key": source.ref.key, "etag": source.etag},
            "target": address,
            "mark": mark._asdict(),
            **refusal.record,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._store.put(
            self._refusal_ref(address, mark),
            as_chunks(record),
            content_type="application/json",
            metadata=_mark_metadata(mark) | ({_BASIS: refusal.basis} if refusal.basis else {}),
        )
        if previous is not None and previous.is_target_of(mark):
            self._delete_target(address, previous)
        return Entry(address, mark, refusal)

    def remove(self, address: str, mark: Mark, previous: Entry) -> None:
        if previous.refusal is not None:
            self._store.delete(self._refusal_ref(address, mark))
        elif previous.is_target_of(mark):
            self._delete_target(address, previous)

    def _delete_target(self, address: str, previous: Entry) -> None:
        """Delete the target that was seen, and not what another program may have put there since (ADR 24)."""

        def is_seen(state: ObjectState) -> bool:
            # The mark too: the same bytes without it have the same ETag. A large write does not tell its ETag.
            return mark_of(state) == previous.mark and previous.etag in (None, state.etag)

        self._store.delete(target_ref(address), if_still=is_seen)

    def entries(self, bucket: str, prefix: str = "") -> Iterator[tuple[ObjectRef | None, Entry]]:
        outputs = self._address.outputs_of(SourceRule(bucket, prefix))
        for state in self._store.list(outputs.bucket, outputs.prefix):
            if outputs.matches(state.ref) and not state.ref.key.startswith(RESERVED_PREFIX):
                mark = mark_of(state)
                entry = Entry(str(state.ref), mark, size=state.size, etag=state.etag)
                yield self._source_of(state.ref, bucket, mark), entry
        # Mark and basis in a refusal's metadata save reading each one; its text is of no use here.
        for state in self._store.list(self._address.bucket, f"{RESERVED_PREFIX}refused/"):
            if (mark := mark_of(state)) is not None:
                basis = state.metadata.get(_BASIS, "")
                yield None, Entry(str(state.ref), mark, Refusal("", "", 0, basis), record=str(state.ref))

    def refusal_address(self, address: str, mark: Mark) -> str:
        return str(self._refusal_ref(address, mark))

    def forget(self, record: str) -> ObjectRef | None:
        ref = target_ref(record)
        opened = self._store.open(ref)
        if opened is None:
            return None
        try:
            source = _read_record(opened[1])["source"]
            found = ObjectRef(str(source["bucket"]), str(source["key"]))
        except (ValueError, KeyError, TypeError):
            found = None
        self._store.delete(ref)
        return found

    def _source_of(self, target: ObjectRef, bucket: str, mark: Mark | None) -> ObjectRef | None:
        """The source that a target was made from: read from its key, and believed if the mark agrees."""
        if mark is None:
            return None
        suffixes = {rule.suffix for rule in self._sources} | {""}
        for rendition in self._renditions:
            for key in self._address.keys_of(target.key, suffixes, bucket=bucket, rendition=rendition):
                ref = ObjectRef(bucket, key)
                if ref.digest_in(self._store_name) == mark.source:
                    return ref
        return None

    def check(self) -> None:
        self._store.check(self._address.bucket)

    def _head(self, ref: ObjectRef) -> ObjectState | None:
        try:
            return None if self._address.problem_of(ref.key) else self._store.head(ref)
        except PermanentError:
            return None  # no object can have this key; the write says why

    def _refusal_ref(self, address: str, mark: Mark) -> ObjectRef:
        return self._address.refusal_of(address, mark)

    def _read_refusal(self, address: str, mark: Mark) -> Entry | None:
        opened = self._store.open(self._refusal_ref(address, mark))
        if opened is None:
            return None
        try:
            record = _read_record(opened[1])
            refusal = Refusal(record["error"], record["reason"], record["status"], record.get("basis", ""))
            found = Mark(**record["mark"])
            texts = (refusal.error, refusal.reason, refusal.basis, *found)
            if not (all(isinstance(each, str) for each in texts) and type(refusal.status) is int):
                raise TypeError("a member is of another kind")
            return Entry(address, found, refusal)
        except (ValueError, KeyError, TypeError):
            # Damaged by hand: it says nothing, so the source is looked at as if for the first time.
            return Entry(address, None, Refusal("unknown", "the record is damaged", 0))


def _read_record(chunks: Iterable[bytes]) -> Any:
    """The JSON of a refusal; raises `ValueError` for what is none, or is longer than a refusal can be."""
    read = bytearray()
    try:
        for chunk in chunks:
            read += chunk
            if len(read) > _MAX_RECORD_BYTES:
                raise ValueError("too long")
    finally:
        close_quietly(chunks)
    return read_json(bytes(read))


def target_ref(address: str) -> ObjectRef:
    """The object that an address of this sink names."""
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return ObjectRef(bucket, key)


def mark_of(state: ObjectState) -> Mark | None:
    """The mark in an object's user metadata, or None when Penstock did not make it."""
    found = state.metadata
    try:
        return Mark(
            state=found["penstock-state"],
            function=found["penstock-function"],
            options=found["penstock-options"],
            source=found["penstock-source"],
        )
    except KeyError:
        return None


def _mark_metadata(mark: Mark) -> dict[str, str]:
    return {f"{MARK_PREFIX}{name}": value for name, value in mark._asdict().items()}


def _size(metadata: Mapping[str, str]) -> int:
    return sum(len(f"x-amz-meta-{name}{value}".encode()) for name, value in metadata.items())


def _target_metadata(source: ObjectRef, result: Result, mark: Mark, kept: Mapping[str, str]) -> dict[str, str]:
    # A source may be the target of another function: its mark must not be copied.
    given = {name.lower(): value for name, value in result.metadata.items()}
    metadata = {name: value for name, value in given.items() if not name.startswith(MARK_PREFIX)}
    metadata = {**kept, **metadata, **_mark_metadata(mark)}
    if (size := _size(metadata)) > _MAX_METADATA_BYTES:
        raise PermanentError(
            f"{source}: its target's user metadata would be {size} bytes; the store takes {_MAX_METADATA_BYTES}, "
            f"of which Penstock's own mark needs {_size(_mark_metadata(mark))}"
        )
    return metadata
