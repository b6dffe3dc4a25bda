"""The notification document of a bucket over S3 alone, for stores without MinIO's admin API.

Setting it replaces all of it. So what others wrote is kept element by element, also what minio-py does not know, such
as AWS's EventBridgeConfiguration and filters whose names AWS answers with a capital letter.
Source of the format: the API reference of Amazon S3, PutBucketNotificationConfiguration.
"""

import hashlib
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit
from xml.etree import ElementTree

from minio.error import S3Error
from minio.signer import sign_v4_s3

from penstock.errors import ConfigError, TemporaryError
from penstock.lake.minio_admin import pool_for
from penstock.lake.minio_errors import clear_errors
from penstock.lake.plan import PresentRule
from penstock.settings.config import StoreSettings
from penstock.store.credentials import provider_of

_NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
# The service in an ARN, the element of its configuration, and the element in it that holds the ARN.
_ELEMENTS: Final = {
    "sqs": ("QueueConfiguration", "Queue"),
    "sns": ("TopicConfiguration", "Topic"),
    "lambda": ("CloudFunctionConfiguration", "CloudFunction"),
}
_PLACES: Final = dict(_ELEMENTS.values())
# The credentials may not read the bucket, it is in another region, or it has just gone.
_NOT_READ: Final = frozenset({"AccessDenied", "PermanentRedirect", "AuthorizationHeaderMalformed", "NoSuchBucket"})
_NOT_THERE: Final = frozenset({"NotImplemented", "MethodNotAllowed"})
# SeaweedFS 4.48 takes the request that sets rules for one that makes a bucket.
_MAKES_BUCKETS: Final = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
# AWS shows a new configuration of a bucket after a while.
_SHOWN_SECONDS: Final = 30


class BucketNotifications:
    """Reads and writes the rules of buckets; every method raises `ConfigError` or `TemporaryError`."""

    def __init__(self, settings: StoreSettings, sleep: Callable[[float], None] = time.sleep) -> None:
        self._sleep = sleep
        self._settings = settings
        self._credentials = provider_of(settings)
        self._pool = pool_for(settings)

    def rules(self, bucket: str, *, must: bool) -> tuple[PresentRule, ...]:
        """The rules on a bucket; none when it cannot be read, which raises when it `must` be read."""
        with clear_errors(self._settings, "s3:GetBucketNotification"):
            try:
                root = self._document(bucket)
            except S3Error as exc:
                if not must and exc.code in _NOT_READ | _NOT_THERE:
                    return ()
                self._explain(bucket, exc, writing=False)
                raise
        return tuple(_read(bucket, each) for each in root if each.tag in _PLACES)

    def change_rules(self, bucket: str, drop: Callable[[str], bool], add: Iterable[PresentRule]) -> None:
        """Take off the rules whose id `drop` names and put on others; all else in the document stays as it is.

        Returns when the store shows it. Raises `ConfigError` for a store that takes the rules and does not keep them.
        """
        added = tuple(add)
        with clear_errors(self._settings, "s3:GetBucketNotification and s3:PutBucketNotification"):
            try:
                root = self._document(bucket)
                for each in list(root):
                    if each.tag in _PLACES and drop(_text(each, "Id")):
                        root.remove(each)
                for rule in added:
                    root.append(_written(rule))
                self._request("PUT", bucket, ElementTree.tostring(root))
            except S3Error as exc:
                self._explain(bucket, exc, writing=True)
                raise
        for _ in range(_SHOWN_SECONDS):
            if {rule for rule in self.rules(bucket, must=True) if drop(rule.id)} == set(added):
                return
            self._sleep(1)
        raise ConfigError(
            f"bucket {bucket}: {self._settings.endpoint} took the rules and does not show them; this store may not"
            " know notifications: use its own tools, or `penstock watch`"
        )

    def _explain(self, bucket: str, exc: S3Error, *, writing: bool) -> None:
        """Raise `ConfigError` for a refusal whose remedy is known."""
        if exc.code in _NOT_THERE or (writing and exc.code in _MAKES_BUCKETS):
            raise ConfigError(
                f"{self._settings.endpoint}: this store sets up no notifications by S3 ({exc.code}): use its own tools,"
                " or `penstock watch`; docs/stores.md says what each store can"
            ) from exc
        if writing and exc.code in ("InvalidArgument", "InvalidNotificationDestination", "MalformedXML"):
            raise ConfigError(
                f"bucket {bucket}: the store refuses the rules ({exc.code}: {exc.message}); check the ARN, that its"
                " policy lets the store send to it, and that no two rules overlap"
            ) from exc

    def _document(self, bucket: str) -> ElementTree.Element:
        data = self._request("GET", bucket, b"")
        try:
            root = ElementTree.fromstring(data)  # noqa: S314 - the store that the settings name
        except ElementTree.ParseError:
            root = ElementTree.Element("")
        for each in root.iter():
            each.tag = each.tag.rpartition("}")[2]
        if data.strip() and root.tag != "NotificationConfiguration":
            raise ConfigError(
                f"{self._settings.endpoint}: bucket {bucket}: answers no notification configuration; this store may not"
                " know them: use its own tools, or `penstock watch`"
            )
        root.tag = "NotificationConfiguration"
        root.set("xmlns", _NAMESPACE)
        return root

    def _request(self, method: str, bucket: str, body: bytes) -> bytes:
        url = urlsplit(f"{self._settings.endpoint.rstrip('/')}/{bucket}?notification=")
        date, digest = datetime.now(UTC), hashlib.sha256(body).hexdigest()
        credentials = self._credentials.retrieve()
        headers: dict[str, str | list[str] | tuple[str]] = {
            "Host": url.netloc,
            "x-amz-content-sha256": digest,
            "x-amz-date": date.strftime("%Y%m%dT%H%M%SZ"),
        }
        if credentials.session_token:
            headers["x-amz-security-token"] = credentials.session_token
        signed = sign_v4_s3(
            method=method,
            url=url,
            region=self._settings.region,
            headers=headers,
            credentials=credentials,
            content_sha256=digest,
            date=date,
        )
        sent = {name: str(value) for name, value in signed.items()}
        answer = self._pool.request(method, url.geturl(), body=body or None, headers=sent, redirect=False)
        if answer.status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT):
            return bytes(answer.data)
        code, message = _refusal(answer.data, answer.status)
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR and code not in _NOT_THERE:
            raise TemporaryError(f"{self._settings.endpoint}: bucket {bucket}: {code}: {message}")
        raise S3Error(answer, code, message, f"/{bucket}", "", "", bucket)


def _refusal(data: bytes, status: int) -> tuple[str, str]:
    """Code and message of an error answer."""
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - the store that the settings name
        code, message = _text(root, "Code"), _text(root, "Message")
    except ElementTree.ParseError:
        code = message = ""
    plain: dict[int, str] = {
        HTTPStatus.NOT_IMPLEMENTED: "NotImplemented",
        HTTPStatus.METHOD_NOT_ALLOWED: "MethodNotAllowed",
    }
    return code or plain.get(status, str(status)), message


def _text(element: ElementTree.Element, name: str) -> str:
    return next((each.text or "" for each in element if each.tag.rpartition("}")[2] == name), "")


def _read(bucket: str, element: ElementTree.Element) -> PresentRule:
    filters = {
        # AWS answers Prefix where prefix was written.
        _text(each, "Name").lower(): _text(each, "Value")
        for each in element.iter("FilterRule")
    }
    return PresentRule(
        _text(element, "Id"),
        _text(element, _PLACES[element.tag]),
        bucket,
        filters.get("prefix", ""),
        filters.get("suffix", ""),
        tuple(each.text or "" for each in element if each.tag == "Event"),
    )


def _written(rule: PresentRule) -> ElementTree.Element:
    configuration, place = _ELEMENTS[rule.arn.split(":")[2]]
    element = ElementTree.Element(configuration)

    def add(parent: ElementTree.Element, name: str, text: str = "") -> ElementTree.Element:
        child = ElementTree.SubElement(parent, name)
        child.text = text or None
        return child

    add(element, "Id", rule.id)
    filters = [(name, value) for name, value in (("prefix", rule.prefix), ("suffix", rule.suffix)) if value]
    if filters:
        keys = add(add(element, "Filter"), "S3Key")
        for name, value in filters:
            one = add(keys, "FilterRule")
            add(one, "Name", name)
            add(one, "Value", value)
    add(element, place, rule.arn)
    for event in rule.events:
        add(element, "Event", event)
    return element
