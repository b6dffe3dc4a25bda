"""The settings of a function as frozen values. `environment` reads them; `table` has their defaults."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from penstock.settings import table
from penstock.settings.source_filter import SourceFilter
from penstock.types import ObjectRef, ObjectState

RESERVED_PREFIX = ".penstock/"
# A rule becomes a notification rule and a part of a Trigger's filter.
MAX_EXPANDED = 50
_BRACES = r"\{([^{}\s]*,[^{}\s]*)\}"
MAX_KEY_BYTES = 1024  # S3's limit: a longer key cannot exist
# As MinIO looks for them (hasBadPathComponent): it takes \ for a slash, and drops white space around a segment.
_DOTS = r"(?a)(?:\A|[/\\])\s*\.\.?\s*(?:[/\\]|\Z)"
# MinIO makes no bucket of another name (CheckValidBucketNameStrict): S3's rules without the reserved prefixes.
_BUCKET_NAME = r"(?!\d+\.\d+\.\d+\.\d+\Z)[a-z0-9](?:(?!\.\.|\.-|-\.)[-.a-z0-9]){1,61}[a-z0-9]"


def bucket_problem(name: str) -> str:
    """What is wrong with a bucket's name, or "".

    >>> bucket_problem("Upload")
    "bucket 'Upload': expected 3 to 63 lower-case letters, digits, '-' and single '.', as S3 names buckets"
    """
    if re.fullmatch(_BUCKET_NAME, name):
        return ""
    return f"bucket {name!r}: expected 3 to 63 lower-case letters, digits, '-' and single '.', as S3 names buckets"


def key_problem(key: str) -> str:
    """What is wrong with an object's key, as S3 and MinIO judge it, or "".

    >>> key_problem("a/../b")
    "has a segment '.' or '..'"
    """
    if not key:
        return "is empty"
    # MinIO drops leading slashes in every request, and its own events have none: one object would go by two names,
    # past a check of its prefix.
    if key.startswith("/"):
        return "begins with a slash, which MinIO drops: leave it out"
    try:
        length = len(key) if key.isascii() else len(key.encode())
    except UnicodeEncodeError:
        return "has half of a surrogate pair, which UTF-8 has no bytes for"
    if length > MAX_KEY_BYTES:
        return f"has {length} bytes, S3 allows {MAX_KEY_BYTES}"
    if "\0" in key:
        return "has a NUL, which MinIO refuses"
    # MinIO refuses such keys too, and an HTTP client would resolve them, past a check of bucket and prefix.
    if "." in key and re.search(_DOTS, key):
        return "has a segment '.' or '..'"
    return ""


class WebIdentity(NamedTuple):
    """A token in a file that `sts_endpoint`, a URL, exchanges for keys. `role_arn` may be empty at MinIO."""

    token_file: Path
    sts_endpoint: str
    role_arn: str = ""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How to reach the object store. `endpoint` is a URL; `ca_file` names a PEM file with a private CA.

    With a `web_identity` the keys are empty: they come from it.
    """

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = table.MINIO_REGION.default
    ca_file: Path | None = None
    session_token: str = field(default="", repr=False)
    web_identity: WebIdentity | None = None


class SourceRule(NamedTuple):
    """Objects that a function takes: a bucket, a key's beginning and end, and what `filter` asks of the object."""

    bucket: str
    prefix: str = ""
    suffix: str = ""
    filter: SourceFilter | None = None

    @classmethod
    def parse(cls, text: str) -> "SourceRule":
        """Read `s3://bucket`, `s3://bucket/prefix*suffix` or `s3://bucket/*.csv?max=1GB`; raises `ValueError`.

        A `?` behind the `*` begins the filter (source_filter). One before it is a part of the key.
        """
        scheme, _, rest = text.partition("://")
        bucket, _, pattern = rest.partition("/")
        prefix, star, rest = pattern.partition("*")
        suffix, question, conditions = rest.partition("?")
        if scheme != "s3" or not bucket or "*" in suffix:
            raise ValueError(f"{text!r}: expected s3://BUCKET/PREFIX*SUFFIX with at most one *")
        if problem := bucket_problem(bucket):
            raise ValueError(f"{text!r}: {problem}")
        if pattern and not star:
            raise ValueError(f"{text!r}: a pattern without * names no objects; write s3://{bucket}/{pattern}*")
        try:
            found = SourceFilter.parse(conditions) if question else None
        except ValueError as exc:
            raise ValueError(f"{text!r}: {exc}") from exc
        return cls(bucket, prefix, suffix, found)

    @classmethod
    def parse_all(cls, text: str) -> tuple["SourceRule", ...]:
        """Read rules that are separated by spaces. `{a,b}` stands for each of its words, as in a shell.

        Raises `ValueError` for the first rule that is wrong.

        >>> [str(rule) for rule in SourceRule.parse_all("s3://images/*.{jpg,png} s3://scans/*")]
        ['s3://images/*.jpg', 's3://images/*.png', 's3://scans/*']
        """
        found = [cls.parse(one) for word in text.split() for one in _expanded(word)]
        return tuple(dict.fromkeys(found))

    @property
    def keys(self) -> "SourceRule":
        """The rule without its filter, for what sees keys alone: notifications, connectors and loops."""
        return self if self.filter is None else self._replace(filter=None)

    def matches(self, ref: ObjectRef) -> bool:
        """Whether the rule names this key; its filter is not asked."""
        return (
            ref.bucket == self.bucket
            and len(ref.key) >= len(self.prefix) + len(self.suffix)
            and ref.key.startswith(self.prefix)
            and ref.key.endswith(self.suffix)
        )

    def __str__(self) -> str:
        conditions = f"?{self.filter}" if self.filter is not None else ""
        return f"s3://{self.bucket}/{self.prefix}*{self.suffix}{conditions}"


def rule_texts(rules: Iterable[SourceRule]) -> list[str]:
    """Rules for people, as SOURCE has them: those that differ in their ends only are one.

    >>> rule_texts(SourceRule.parse_all("s3://images/*.{jpg,png} s3://scans/*"))
    ['s3://images/*.{jpg,png}', 's3://scans/*']
    """
    groups: dict[SourceRule, list[SourceRule]] = {}
    for rule in rules:
        groups.setdefault(rule._replace(suffix=""), []).append(rule)
    texts = []
    for group in groups.values():
        endings = [rule.suffix for rule in group]
        if len(endings) > 1 and all(ending.startswith(".") for ending in endings):
            texts.append(str(group[0]._replace(suffix=f".{{{','.join(ending[1:] for ending in endings)}}}")))
        else:
            texts += [str(rule) for rule in group]
    return texts


def _expanded(word: str) -> list[str]:
    """The words that a word with `{a,b}` stands for. Braces without a comma stand for themselves."""
    made, todo = list[str](), [word]
    while todo:
        one = todo.pop()
        braces = re.search(_BRACES, one)
        if braces is None:
            made.append(one)
        else:
            todo += [one[: braces.start()] + part + one[braces.end() :] for part in reversed(braces[1].split(","))]
        if len(made) + len(todo) > MAX_EXPANDED:
            raise ValueError(
                f"{word!r}: stands for more than {MAX_EXPANDED} rules; write fewer words or a wider pattern"
            )
    return made


class SecretKey(NamedTuple):
    """One key of a Kubernetes Secret."""

    secret: str
    key: str


_NONE: Mapping[str, Any] = MappingProxyType({})


class JobSettings(NamedTuple):
    """The settings of a function's Jobs. Memory, CPU and disk are Kubernetes quantities, times are in seconds.

    `secrets` says which key of which Secret each setting comes from. An empty `namespace` is the function's own.
    """

    image: str
    namespace: str = ""
    service_account: str = table.JOB_SERVICE_ACCOUNT.default
    memory: str = table.JOB_MEMORY.default
    cpu: str = table.JOB_CPU.default
    disk: str = table.JOB_DISK.default
    secrets: Mapping[str, SecretKey] = _NONE
    answer_to: str = ""
    retries: int = table.JOB_RETRIES.default
    deadline_seconds: int = table.JOB_DEADLINE_SECONDS.default
    ttl_seconds: int = table.JOB_TTL_SECONDS.default
    cluster: Mapping[str, str] = _NONE

    def __reduce__(self) -> tuple[type[tuple[object, ...]], tuple[object, ...]]:
        # `copy` and `pickle` take no `MappingProxyType`.
        return type(self), tuple({} if value is _NONE else value for value in self)


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of a deployed function. Sizes are in bytes, times in seconds."""

    function: str
    sources: tuple[SourceRule, ...] = ()
    sink: str = ""
    store: StoreSettings | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    renditions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    remove_with_source: bool = table.ON_SOURCE_REMOVED.default
    follow_encryption: bool = table.TARGET_ENCRYPTION.default
    max_input_bytes: int = table.MAX_INPUT_BYTES.default
    max_body_bytes: int = table.MAX_BODY_BYTES.default
    offload_above_bytes: int | None = None
    offload_above_seconds: int | None = None
    jobs: JobSettings | None = None
    port: int = table.PORT.default
    threads: int = table.THREADS.default
    workers: int = table.WORKERS.default
    drain_seconds: float = table.DRAIN_SECONDS.default
    grace_seconds: int = table.GRACE_SECONDS.default
    max_waiting: int = table.MAX_WAITING.default
    read_timeout_seconds: int = table.READ_TIMEOUT_SECONDS.default
    min_bytes_per_second: int = table.MIN_BYTES_PER_SECOND.default
    deadline_seconds: int = table.DEADLINE_SECONDS.default
    search: bool = table.SEARCH.default
    body_mode: bool = table.BODY_MODE.default
    object_lambda: bool = table.LAMBDA.default
    store_urls: tuple[str, ...] = ()
    open_options: Mapping[str, float | None] = field(default_factory=dict)
    store_on_read: bool = table.STORE_ON_READ.default
    cache_seconds: int = table.CACHE_SECONDS.default
    log_level: str = table.LOG_LEVEL.default
    traces_endpoint: str = table.TRACES_ENDPOINT.default
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    hmac_keys: tuple[bytes, ...] = field(default=(), repr=False)
    store_name: str = ""
    store_profile: str = table.STORE_PROFILE.default

    def takes(self, ref: ObjectRef) -> bool:
        """Whether an object is an input of this function; the objects that Penstock keeps for itself never are."""
        # Consoles make a key that ends in a slash to show an empty folder.
        if ref.key.startswith(RESERVED_PREFIX) or ref.key.endswith("/"):
            return False
        return any(rule.matches(ref) for rule in self.sources)

    @property
    def has_filters(self) -> bool:
        """Whether some rule of SOURCE asks for more than the key."""
        return any(rule.filter is not None for rule in self.sources)

    def objection(self, state: ObjectState, tags: Callable[[], Mapping[str, str]]) -> str:
        """Why no rule that names this key takes the object in this state; "" if one does. See `SourceFilter`."""
        found = ""
        for rule in self.sources:
            if rule.matches(state.ref):
                found = rule.filter.objection(state, tags) if rule.filter is not None else ""
                if not found:
                    return ""
        return found
