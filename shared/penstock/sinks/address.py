"""The SINK setting: parsed once into where results go; keys are put in afterwards and never parsed again."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from penstock.errors import ConfigError
from penstock.settings.config import RESERVED_PREFIX, SourceRule, bucket_problem
from penstock.types import ObjectRef

_PLACEHOLDERS = ("bucket", "key", "stem", "rendition")


@dataclass(frozen=True, slots=True)
class BucketAddress:
    """`s3://bucket/` and a template of literal texts and placeholders: {bucket}, {key}, {stem}, {rendition}.

    {stem} is the key without its last extension.
    """

    bucket: str
    parts: tuple[tuple[Literal["text", "slot"], str], ...]

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

    def keys_of(
        self, target_key: str, suffixes: Iterable[str], *, bucket: str, rendition: str | None = None
    ) -> Iterator[str]:
        """Keys in `bucket` that may have led to a target's; {stem} is tried with each of `suffixes` behind it."""
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


@dataclass(frozen=True, slots=True)
class SqliteAddress:
    """`sqlite:///absolute/path` or `sqlite:relative/path`."""

    path: str


@dataclass(frozen=True, slots=True)
class SearchAddress:
    """`opensearch+http(s)://host:port/index`, for OpenSearch and Elasticsearch alike."""

    url: str
    index: str


Address = BucketAddress | SqliteAddress | SearchAddress


def parse_sink(text: str) -> Address:
    """Read the SINK setting; raises `ConfigError` that shows the accepted forms."""
    scheme, _, rest = text.partition(":")
    if text.startswith("s3://"):
        return _parse_bucket(text)
    # Three slashes or none: after two, the first name would be a host's.
    if scheme == "sqlite" and rest.strip("/") and (rest.startswith("///") or not rest.startswith("//")):
        return SqliteAddress(rest[2:] if rest.startswith("///") else rest)
    if scheme in ("opensearch+http", "opensearch+https", "elasticsearch+http", "elasticsearch+https"):
        url = urlsplit(text)
        if url.username or url.password:
            raise ConfigError("SINK: leave the credentials out of the URL; use SINK_USERNAME and SINK_PASSWORD")
        index = url.path.strip("/")
        if url.hostname and _has_port(url) and index and "/" not in index:
            return SearchAddress(f"{scheme.partition('+')[2]}://{url.netloc}", index)
    raise ConfigError(
        f"SINK={text!r}: expected s3://BUCKET/TEMPLATE with {{key}}, sqlite:///PATH or opensearch+https://HOST:PORT/INDEX"
    )


def _parse_bucket(text: str) -> BucketAddress:
    bucket, _, template = text.removeprefix("s3://").partition("/")
    parts: list[tuple[Literal["text", "slot"], str]] = []
    for piece in re.split(r"(\{\w*\})", template):
        if piece.startswith("{") and piece.endswith("}"):
            if piece[1:-1] not in _PLACEHOLDERS:
                known = ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS)
                raise ConfigError(f"SINK={text!r}: {piece} is no placeholder; use {known}")
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
        raise ConfigError(f"SINK={text!r}: what lies under {RESERVED_PREFIX} is Penstock's own; choose another prefix")
    return BucketAddress(bucket, tuple(parts))


def _has_port(url: SplitResult) -> bool:
    """Whether the URL's port is a number, or left out."""
    try:
        return url.port is None or url.port > 0
    except ValueError:
        return False


def overlap(one: SourceRule, other: SourceRule) -> bool:
    """Whether some key could match both rules; true in doubt (`*` counts as any text)."""

    def fits(left: str, right: str) -> bool:
        return left.startswith(right) or right.startswith(left)

    return one.bucket == other.bucket and fits(one.prefix, other.prefix) and fits(one.suffix[::-1], other.suffix[::-1])
