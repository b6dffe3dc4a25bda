"""What signs requests to the store: keys, keys with a session token, or a token of an OpenID issuer in place of keys.

Such a token is exchanged for keys that last for a while (AssumeRoleWithWebIdentity of MinIO and of AWS). minio-py does
that, for itself and for obstore: obstore's own provider knows neither `http` nor a private CA.
"""

import threading
from collections.abc import Callable
from datetime import UTC
from functools import lru_cache
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

import urllib3
from minio.credentials.credentials import Credentials
from minio.credentials.providers import Provider, StaticProvider, WebIdentityProvider
from urllib3.exceptions import HTTPError

from penstock.errors import TemporaryError
from penstock.settings.config import StoreSettings, WebIdentity

if TYPE_CHECKING:
    from obstore.store import S3Credential


def provider_of(settings: StoreSettings) -> Provider:
    """minio-py's provider for these settings; that of a web identity is shared by all clients of a process."""
    if settings.web_identity is not None:
        return _exchanging(settings)
    return StaticProvider(settings.access_key, settings.secret_key, settings.session_token or None)


def obstore_provider(settings: StoreSettings) -> "Callable[[], S3Credential]":
    """The same for obstore, which asks again some minutes before the keys end."""
    provider = provider_of(settings)

    def credentials() -> "S3Credential":
        found = provider.retrieve()
        return {
            "access_key_id": found.access_key,
            "secret_access_key": found.secret_key,
            "token": found.session_token,
            # minio-py gives UTC without saying so.
            "expires_at": found.expiration.replace(tzinfo=UTC) if found.expiration else None,
        }

    return credentials


@lru_cache
def _exchanging(settings: StoreSettings) -> Provider:
    assert settings.web_identity is not None
    return _TokenProvider(settings, settings.web_identity)


class _TokenProvider(Provider):
    """Keys for the token in a file, which is read anew at each exchange: its issuer replaces it from time to time."""

    def __init__(self, settings: StoreSettings, identity: WebIdentity) -> None:
        self._identity = identity
        self._lock = threading.Lock()
        pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=5, read=20),
            retries=urllib3.Retry(total=2, backoff_factor=0.1, status_forcelist=[500, 502, 503, 504]),
            ca_certs=str(settings.ca_file) if settings.ca_file else None,
        )
        self._inner = WebIdentityProvider(
            jwt_provider_func=self._token,
            sts_endpoint=identity.sts_endpoint,
            role_arn=identity.role_arn or None,
            role_session_name="penstock",
            http_client=pool,
        )

    def retrieve(self) -> Credentials:
        """The present keys, exchanged anew when they are about to end; raises `TemporaryError`."""
        # Threads that find them ended together exchange once.
        with self._lock:
            try:
                return self._inner.retrieve()
            except (ValueError, HTTPError, ParseError) as exc:
                # Their text has the whole URL, and in it the token.
                status = str(exc).rpartition("HTTP status code ")[2] if "HTTP status code" in str(exc) else ""
                how = f"answered {status}" if status else f"cannot be asked ({type(exc).__name__})"
        raise TemporaryError(
            f"AWS_WEB_IDENTITY_TOKEN_FILE={self._identity.token_file}: {self._identity.sts_endpoint} {how}; check that "
            "the token is of an issuer that the store trusts and has not ended, AWS_ROLE_ARN, and AWS_ENDPOINT_URL_STS"
        )

    def _token(self) -> dict[str, str]:
        path = self._identity.token_file
        try:
            return {"access_token": path.read_text(encoding="ascii").strip()}
        except (OSError, UnicodeDecodeError) as exc:
            why = getattr(exc, "strerror", None) or "it is not text"
            raise TemporaryError(f"AWS_WEB_IDENTITY_TOKEN_FILE={path}: cannot be read: {why}") from None
