"""The settings of a function as frozen values. `environment` reads them; `table` has their defaults."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from penstock.settings import table
from penstock.types import ObjectRef

RESERVED_PREFIX = ".penstock/"
# MinIO makes no bucket of another name (CheckValidBucketNameStrict): S3's rules without the reserved prefixes.
_BUCKET_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+\Z)[a-z0-9](?:(?!\.\.|\.-|-\.)[-.a-z0-9]){1,61}[a-z0-9]")


def bucket_problem(name: str) -> str:
    """What is wrong with a bucket's name, or "".

    >>> bucket_problem("Upload")
    "bucket 'Upload': expected 3 to 63 lower-case letters, digits, '-' and single '.', as S3 names buckets"
    """
    if _BUCKET_NAME.fullmatch(name):
        return ""
    return f"bucket {name!r}: expected 3 to 63 lower-case letters, digits, '-' and single '.', as S3 names buckets"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """How to reach the object store. `endpoint` is a URL; `ca_file` names a PEM file with a private CA."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = table.MINIO_REGION.default
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class SourceRule:
    """Objects that a function takes: a bucket, and a key's beginning and end."""

    bucket: str
    prefix: str = ""
    suffix: str = ""

    @classmethod
    def parse(cls, text: str) -> "SourceRule":
        """Read `s3://bucket`, `s3://bucket/prefix*suffix` or `s3://bucket/*.csv`; raises `ValueError`."""
        scheme, _, rest = text.partition("://")
        bucket, _, pattern = rest.partition("/")
        if scheme != "s3" or not bucket or pattern.count("*") > 1:
            raise ValueError(f"{text!r}: expected s3://BUCKET/PREFIX*SUFFIX with at most one *")
        prefix, star, suffix = pattern.partition("*")
        if problem := bucket_problem(bucket):
            raise ValueError(f"{text!r}: {problem}")
        if pattern and not star:
            raise ValueError(f"{text!r}: a pattern without * names no objects; write s3://{bucket}/{pattern}*")
        return cls(bucket, prefix, suffix)

    def matches(self, ref: ObjectRef) -> bool:
        return (
            ref.bucket == self.bucket
            and len(ref.key) >= len(self.prefix) + len(self.suffix)
            and ref.key.startswith(self.prefix)
            and ref.key.endswith(self.suffix)
        )

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}*{self.suffix}"


@dataclass(frozen=True, slots=True)
class SecretKey:
    """One key of a Kubernetes Secret."""

    secret: str
    key: str


@dataclass(frozen=True, slots=True)
class JobSettings:
    """The settings of a function's Jobs. Memory, CPU and disk are Kubernetes quantities, times are in seconds.

    `secrets` says which key of which Secret each setting comes from. An empty `namespace` is the function's own.
    """

    image: str
    namespace: str = ""
    service_account: str = table.JOB_SERVICE_ACCOUNT.default
    memory: str = table.JOB_MEMORY.default
    cpu: str = table.JOB_CPU.default
    disk: str = table.JOB_DISK.default
    secrets: Mapping[str, SecretKey] = field(default_factory=dict)
    answer_to: str = ""
    retries: int = table.JOB_RETRIES.default
    deadline_seconds: int = table.JOB_DEADLINE_SECONDS.default
    ttl_seconds: int = table.JOB_TTL_SECONDS.default
    cluster: Mapping[str, str] = field(default_factory=dict)


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
    log_level: str = table.LOG_LEVEL.default
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    hmac_keys: tuple[bytes, ...] = field(default=(), repr=False)
    store_name: str = ""

    def takes(self, ref: ObjectRef) -> bool:
        """Whether an object is an input of this function; the objects that Penstock keeps for itself never are."""
        # Consoles make a key that ends in a slash to show an empty folder.
        if ref.key.startswith(RESERVED_PREFIX) or ref.key.endswith("/"):
            return False
        return any(rule.matches(ref) for rule in self.sources)
