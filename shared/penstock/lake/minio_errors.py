"""Errors of minio-py, of the network and of other servers become errors that name the endpoint and the remedy."""

import contextlib
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final
from xml.etree.ElementTree import ParseError

from minio.error import MinioAdminException, MinioException, S3Error
from urllib3.exceptions import HTTPError

from penstock.errors import ConfigError, PenstockError, TemporaryError
from penstock.json_text import read_json
from penstock.settings.config import StoreSettings
from penstock.store.failures import NO_S3, error_for

_OF_BUCKETS: Final = frozenset({"NoSuchBucket", "NoSuchKey", "InvalidBucketName"})
_REFUSED: Final = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
_OF_EVERY_STORE: Final = frozenset({"RequestTimeTooSkewed", "AuthorizationHeaderMalformed"})
_NO_CODE: Final = "error"


class NoAdminApi(ConfigError):
    """`lake` is used with a store that has no admin API of MinIO.

    To do: use `penstock watch`, or the store's own tools: [stores.md](stores.md).
    """


class RefusedByMinio(ConfigError):
    """MinIO understood a request of `lake` and refused it.

    To do: change what `message` names, MinIO's own reason.
    """

    def __init__(self, settings: StoreSettings, code: str, message: str) -> None:
        self.message = message
        super().__init__(f"{settings.endpoint}: {code}: {message}")


@contextlib.contextmanager
def clear_errors(settings: StoreSettings, permission: str) -> Iterator[None]:
    """Turn an error of the server or the network into one that names the endpoint and the remedy."""
    try:
        yield
    except (MinioAdminException, MinioException, HTTPError, OSError, ValueError, ParseError) as exc:
        raise error_from(settings, permission, exc) from exc


def error_from(settings: StoreSettings, permission: str, exc: Exception) -> PenstockError:
    """The error for an exception of minio-py or urllib3."""
    if "HTTP request to an HTTPS server" in str(exc):  # Go's words
        return ConfigError(f"{settings.endpoint}: speaks TLS; write MINIO_ENDPOINT with https://")
    if isinstance(exc, MinioAdminException | S3Error):
        code, message = _told(exc)
        if code in _REFUSED:
            return ConfigError(
                f"{settings.endpoint}: refuses {settings.access_key} ({code}: {message}); check MINIO_ACCESS_KEY and "
                f"MINIO_SECRET_KEY, and give that user {permission}"
            )
        # Another S3 server takes the path of the admin API, /minio/admin/..., for an object in the bucket `minio`.
        if permission.startswith("admin:") and code in _OF_BUCKETS:
            return NoAdminApi(
                f"{settings.endpoint}: has no admin API of MinIO ({code}): name targets by arn in lake.yml, where this"
                " store takes rules by S3, else use its own tools or `penstock watch`; docs/stores.md compares them"
            )
        if code in _OF_EVERY_STORE:
            return error_for(settings.endpoint, code, exc)
        if code in ("ServerNotInitialized", "XMinioServerNotInitialized", "SlowDown", "ServiceUnavailable"):
            return TemporaryError(f"{settings.endpoint}: {code}: {message}")
        if code != _NO_CODE or _answered(exc) == HTTPStatus.BAD_REQUEST:
            return RefusedByMinio(settings, code, message)
    if (status := _answered(exc)) >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TemporaryError(
            f"{settings.endpoint}: it answered {status} and no error of MinIO; see its log, and what is in between"
        )
    if status:
        return _another_server(settings, permission, f"status {status}")
    if "CERTIFICATE_VERIFY_FAILED" in str(exc) or "certificate verify failed" in str(exc):
        reason = (found := re.search(r"certificate verify failed: ([^(\]]+)", str(exc))) and found[1].strip()
        signed = f"MINIO_CA_FILE={settings.ca_file} did not sign it" if settings.ca_file else "MINIO_CA_FILE is not set"
        return ConfigError(
            f"{settings.endpoint}: its certificate is not trusted ({reason}): {signed}; name the PEM file of the "
            "authority that signed the server's certificate"
        )
    if "WRONG_VERSION_NUMBER" in str(exc) or "record layer" in str(exc).lower():
        return ConfigError(f"{settings.endpoint}: answers without TLS; write MINIO_ENDPOINT with http://")
    # minio-py raises an OSError without a number for an answer that it cannot decrypt.
    is_other = isinstance(exc, ValueError | ParseError) or (isinstance(exc, OSError) and exc.errno is None)
    if is_other and not isinstance(exc, HTTPError):
        return _another_server(settings, permission, str(exc))
    return error_for(settings.endpoint, "", exc)


def _answered(exc: Exception) -> int:
    """The status of an answer that holds no error of MinIO, 0 when there was none."""
    found = re.search(r"(?:Status|Response code): (\d{3})|too many (\d{3}) error", str(exc))
    return int(found[1] or found[2]) if found else 0


def _another_server(settings: StoreSettings, permission: str, reason: str) -> TemporaryError:
    if permission.startswith("s3:"):
        return TemporaryError(f"{settings.endpoint}: {NO_S3}")
    return TemporaryError(
        f"{settings.endpoint}: answers, but not as MinIO's admin API does; MINIO_ENDPOINT must lead to MinIO "
        f"itself, not to another S3 server, a console or a page in between ({reason})"
    )


def _told(exc: MinioAdminException | S3Error) -> tuple[str, str]:
    """Code and message of an error answer."""
    if isinstance(exc, S3Error):
        return exc.code or "", exc.message or ""
    told_in_xml = re.search(r"<Code>([^<]*)</Code>\s*<Message>([^<]*)</Message>", str(exc))
    if told_in_xml:  # as S3 tells it, where MinIO's own admin API tells it in JSON
        return told_in_xml[1], told_in_xml[2]
    found = re.search(r"\{.*\}", str(exc), re.DOTALL)
    try:
        told = read_json(found.group() if found else "")
        return str(told["Code"]), str(told["Message"])
    except (ValueError, KeyError, TypeError):
        return _NO_CODE, str(exc)
