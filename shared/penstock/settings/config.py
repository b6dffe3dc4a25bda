"""What a function is told: its settings as frozen values. `environment` reads them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from penstock.types import ObjectRef

RESERVED_PREFIX = ".penstock/"
_MIB = 1024 * 1024
# MinIO refuses to make another: its CheckValidBucketNameStrict, S3's rules without the reserved prefixes.
_BUCKET_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+\Z)[a-z0-9](?:(?!\.\.|\.-|-\.)[-.a-z0-9]){1,61}[a-z0-9]")
# How a pod, or a person's shell, says where the Kubernetes API is; penstock/jobs/access.py reads them.
CLUSTER_SETTINGS = ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "SERVICE_ACCOUNT_DIR")


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
    region: str = "us-east-1"
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
    """What a function's Jobs are made of. Memory, CPU and disk are Kubernetes quantities, times are in seconds.

    `secrets` says which key of which Secret each setting comes from. An empty `namespace` is the function's own.
    """

    image: str
    namespace: str = ""
    service_account: str = "penstock-job"
    memory: str = "512Mi"
    cpu: str = "1"
    disk: str = "1Gi"
    secrets: Mapping[str, SecretKey] = field(default_factory=dict)
    answer_to: str = ""
    retries: int = 2
    deadline_seconds: int = 6 * 3600
    ttl_seconds: int = 24 * 3600
    cluster: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a deployed function is told. Sizes are in bytes, times in seconds."""

    function: str
    sources: tuple[SourceRule, ...] = ()
    sink: str = ""
    store: StoreSettings | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    renditions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    remove_with_source: bool = False
    max_input_bytes: int = 5 * 1024**4
    max_body_bytes: int = 256 * _MIB
    offload_above_bytes: int | None = None
    offload_above_seconds: int | None = None
    jobs: JobSettings | None = None
    port: int = 8080
    threads: int = 4
    workers: int = 1
    drain_seconds: float = 0.0
    grace_seconds: int = 30
    log_level: str = "INFO"
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    store_name: str = ""

    def takes(self, ref: ObjectRef) -> bool:
        """Whether an object is one of this function's inputs; what Penstock itself keeps never is."""
        # A key that ends in a slash is the marker of an empty folder, made by consoles: not an object.
        if ref.key.startswith(RESERVED_PREFIX) or ref.key.endswith("/"):
            return False
        return any(rule.matches(ref) for rule in self.sources)
