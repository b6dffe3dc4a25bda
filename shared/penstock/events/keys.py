"""What the key in an S3 record means: stores write it URL-encoded, as it is, or as it stood in the request's path.

| store | key in its records | source |
|---|---|---|
| MinIO, Silo, AIStor, RustFS | URL-encoded as in a form: a space is `+`, `/` is `%2F` | their servers' code |
| AWS, by itself, SNS or SQS | URL-encoded as in a form | S3 user guide, "Event message structure" |
| AWS by EventBridge | as it is; some of its clients decode it all the same | S3 user guide, "EventBridge structure" |
| Ceph RGW | as it is | its documentation, "Event record" |
| Versity gateway | as it is, or as in the request's path, where `+` is a plus sign | its code; run here |

A store may change this with a version. So where a store is not sure and two readings differ, both are named: an event
is a hint, and the objects tell which of them is there.
"""

import re
from urllib.parse import unquote, unquote_plus

from penstock.errors import EventError

EVENTBRIDGE = "aws.s3"
GOOGLE, AZURE = "gcs", "azure"
_ENCODED = frozenset({"minio:s3", "rustfs:s3", "aws:s3"})
_RAW = frozenset({GOOGLE, AZURE})
_RAW_FIRST = frozenset({"ceph:s3", EVENTBRIDGE})
# Versity says that it is AWS. Its rules have these names, of which the user chooses none.
_VERSITY_RULES = frozenset(f"{sender}-global" for sender in ("webhook", "kafka", "nats", "rabbitmq"))
_ARN_OF_PATH = "arn:aws:s3:::/"
_BROKEN_ESCAPE = r"(?s)%(?![0-9A-Fa-f]{2}).{0,2}"


def read_keys(key: str, origin: str, rule: object, where: str) -> tuple[str, ...]:
    """The raw keys that `key` in a record may stand for: one, or two with the likelier one first.

    `origin` is the record's eventSource and `rule` its configurationId. Raises `EventError` when it stands for none.

    >>> read_keys("a+b%25.csv", "minio:s3", "Config", "key")
    ('a b%.csv',)
    >>> read_keys("a+b.csv", "ceph:s3", "rule1", "key")
    ('a+b.csv', 'a b.csv')
    """
    if origin in _RAW:
        return (key,)
    if is_versity(origin, rule):
        decoded = unquote(key, errors="strict") if _is_encoded(key) else key
        return (key,) if decoded == key else (decoded, key)
    if origin in _ENCODED:
        return (_decoded(key, where),)
    if not _is_encoded(key):
        return (key,)
    decoded = unquote_plus(key)
    if decoded == key:
        return (key,)
    return (key, decoded) if origin in _RAW_FIRST else (decoded, key)


def is_versity(origin: str, rule: object) -> bool:
    """Whether a record with this eventSource and configurationId is of Versity's gateway."""
    return origin == "aws:s3" and isinstance(rule, str) and rule in _VERSITY_RULES


def named_by_arn(arn: object, bucket: str, key: str) -> tuple[str, str]:
    """Bucket and key of a record of Versity's, which may have another request's text in their own members.

    Version 1.8.0 writes a record when its request has ended, from memory that later requests use meanwhile
    (s3event/webhook.go): with eight writers a quarter of the records had a wrong key. The bucket's ARN is made during
    the request. It holds the path: with the key where the request was about one object, and of the bucket alone after
    a bulk delete.

    >>> named_by_arn("arn:aws:s3:::/upload/a/b.csv", "upload", "c.csvv")
    ('upload', 'a/b.csv')
    >>> named_by_arn("arn:aws:s3:::upload", "upload", "a/b.csv")
    ('upload', 'a/b.csv')
    """
    if not isinstance(arn, str) or not arn.startswith(_ARN_OF_PATH):
        return bucket, key
    its_bucket, _, its_key = arn.removeprefix(_ARN_OF_PATH).partition("/")
    return its_bucket or bucket, its_key or key


def _decoded(encoded: str, where: str) -> str:
    """Undo `url.QueryEscape` of Go, which MinIO and AWS use."""
    if broken := re.search(_BROKEN_ESCAPE, encoded):
        raise EventError(f"{where}: {broken.group()!r} in it is not percent-encoding; keys in records are URL-encoded")
    try:
        return unquote_plus(encoded, errors="strict")
    except UnicodeDecodeError as exc:
        raise EventError(f"{where}: {encoded[:80]!r} does not decode to UTF-8") from exc


def _is_encoded(key: str) -> bool:
    """Whether the key could be URL-encoded."""
    if re.search(_BROKEN_ESCAPE, key):
        return False
    try:
        unquote_plus(key, errors="strict")
    except UnicodeDecodeError:
        return False
    return True
