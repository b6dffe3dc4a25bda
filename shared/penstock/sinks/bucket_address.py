"""`SINK=s3://BUCKET/TEMPLATE`: objects of the object store. Keys are put into the template and never parsed again."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from penstock.errors import ConfigError
from penstock.settings.config import RESERVED_PREFIX, Config, SourceRule, bucket_problem, key_problem
from penstock.sinks import Sink
from penstock.sinks.address import Address
from penstock.store import Store
from penstock.types import Mark, ObjectRef

_PLACEHOLDERS = ("bucket", "key", "stem", "rendition")
_NO_STORE = "MINIO_ENDPOINT is not set: give the object store's URL"
_SHOWN_CHARS = 200
_Part = tuple[Literal["text", "slot"], str]


@dataclass(frozen=True, slots=True)
class BucketAddress(Address):
    """`s3://bucket/` and a template of literal texts and placeholders: {bucket}, {key}, {stem}, {rendition}.

    {stem} is the key without its last extension.
    """

    form: ClassVar[str] = "s3://BUCKET/TEMPLATE with {key}"
    # A field without a default; without field() the property of Address would be taken for one.
    bucket: str = field()
    parts: tuple[_Part, ...] = field()

    @classmethod
    def parse(cls, text: str) -> "BucketAddress":
        if not text.startswith("s3://"):
            raise ConfigError(f"SINK={text!r}: expected {cls.form}")
        bucket, _, template = text.removeprefix("s3://").partition("/")
        parts: list[_Part] = []
        for piece in re.split(r"(\{\w*\})", template):
            if piece.startswith("{") and piece.endswith("}"):
                if piece[1:-1] not in _PLACEHOLDERS:
                    known = ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS)
                    raise ConfigError(f"SINK={text!r}: {piece} is not a placeholder; use {known}")
                parts.append(("slot", piece[1:-1]))
            elif piece:
                parts.append(("text", piece))
        if not bucket or not {("slot", "key"), ("slot", "stem")} & set(parts):
            raise ConfigError(
                f"SINK={text!r}: name a bucket and use {{key}} or {{stem}}, so that every source has its own target"
            )
        if problem := bucket_problem(bucket):
            raise ConfigError(f"SINK={text!r}: {problem}")
        for segment in template.split("/"):
            if segment in ("", ".", ".."):
                raise ConfigError(
                    f"SINK={text!r}: the part {segment!r} between slashes: MinIO refuses keys with such a part"
                )
        if template.startswith(RESERVED_PREFIX):
            raise ConfigError(f"SINK={text!r}: {RESERVED_PREFIX} is Penstock's own; choose another prefix")
        return cls(bucket, tuple(parts))

    def of(self, source: ObjectRef, rendition: str | None) -> ObjectRef:
        """The target for one source."""
        folder, slash, name = source.key.rpartition("/")
        stem = name.rpartition(".")[0] or name
        values = {
            "bucket": source.bucket,
            "key": source.key,
            "stem": f"{folder}{slash}{stem}",
            "rendition": rendition or "",
        }
        return ObjectRef(self.bucket, "".join(value if kind == "text" else values[value] for kind, value in self.parts))

    def problem_of(self, target_key: str) -> str:
        """What is wrong with a target's key that the template made, and what to change; "" for nothing."""
        problem = key_problem(target_key)
        if not problem and "//" in target_key:
            problem = "has nothing between two slashes, which MinIO refuses"
        elif not problem and target_key.startswith(RESERVED_PREFIX):
            problem = f"begins with {RESERVED_PREFIX}, which is Penstock's own"
        if not problem:
            return ""
        shown = target_key if len(target_key) <= _SHOWN_CHARS else f"{target_key[:_SHOWN_CHARS]}..."
        template = self.in_bucket(self.bucket)
        return f"its target's key {shown!r} {problem}; give the object another name, or change the template {template}"

    def keys_of(
        self, target_key: str, suffixes: Iterable[str], *, bucket: str, rendition: str | None = None
    ) -> Iterator[str]:
        """Keys in `bucket` from which a target's key may have been made; {stem} is tried with each of `suffixes`."""
        known = {"bucket": bucket, "rendition": rendition or ""}
        pattern, seen = "", False
        for kind, text in self.parts:
            if kind == "text" or text in known:
                pattern += re.escape(known[text] if kind == "slot" else text)
            elif text in ("key", "stem") and not seen:
                pattern, seen = f"{pattern}(?P<{text}>.*)", True
            else:
                pattern += ".*?"
        found = re.fullmatch(pattern, target_key, re.DOTALL)
        if found is None:
            return
        values = found.groupdict()
        if "key" in values:
            yield values["key"]
        else:
            yield from (values["stem"] + suffix for suffix in suffixes)

    @property
    def has_rendition(self) -> bool:
        return ("slot", "rendition") in self.parts

    def outputs_of(self, rule: SourceRule) -> SourceRule:
        """What this sink may write for the inputs of `rule`: a rule that may be too wide, never too narrow."""
        # {stem} may cut a key within the prefix itself: of `data.v1*` it can leave `data`.
        folder, slash, name = rule.prefix.rpartition("/")
        starts = {"key": rule.prefix, "stem": folder + slash + (name.rpartition(".")[0] if "." in name else name)}
        # A rule names one bucket, so {bucket} is as good as text.
        parts = [("text", rule.bucket) if part == ("slot", "bucket") else part for part in self.parts]
        prefix = suffix = ""
        for part in parts:
            prefix += part[1] if part[0] == "text" else starts.get(part[1], "")
            if part[0] == "slot":
                break
        for part in reversed(parts):
            suffix = (part[1] if part[0] == "text" else rule.suffix if part[1] == "key" else "") + suffix
            if part[0] == "slot":
                break
        return SourceRule(self.bucket, prefix, suffix)

    def in_bucket(self, bucket: str) -> str:
        template = "".join(text if kind == "text" else f"{{{text}}}" for kind, text in self.parts)
        return f"s3://{bucket}/{template}"

    def refusal_of(self, address: str, mark: Mark) -> ObjectRef:
        """The record of a refusal, which lies beside the targets: of this target, source and function."""
        name = hashlib.sha256(f"{mark.source}\n{address}".encode()).hexdigest()
        return ObjectRef(self.bucket, f"{RESERVED_PREFIX}refused/{mark.function}/{name}.json")

    def contradictions(self, config: Config, *, has_store: bool) -> Iterator[str]:
        if config.renditions and not self.has_rendition:
            yield "RENDITIONS are set, so the template needs {rendition}"
        if self.has_rendition and not config.renditions:
            yield "has {rendition}, but RENDITIONS is not set"
        # With SOURCE the same is said of SOURCE.
        if not has_store and not config.sources:
            yield _NO_STORE

    def open(self, config: Config, store: Store | None) -> Sink:
        from penstock.sinks.bucket import BucketSink

        if store is None:
            raise ConfigError(f"SINK={config.sink!r}: {_NO_STORE}")
        return BucketSink(
            store,
            self,
            sources=config.sources,
            renditions=config.renditions,
            remove_with_source=config.remove_with_source,
            follow_encryption=config.follow_encryption,
            store_name=config.store_name,
        )
