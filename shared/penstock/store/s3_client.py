"""obstore's clients for one server: one for all buckets, and one more for each way to encrypt."""

from datetime import timedelta
from typing import Any, Final

from obstore.store import S3Store

from penstock.errors import ConfigError
from penstock.settings.config import StoreSettings

_MOST_KEYS: Final = 32  # each is a client with connections of its own


def connect(settings: StoreSettings, request_seconds: int, encryption: str = "", key: str = "") -> S3Store:
    """One client for all buckets: a client for each would take milliseconds at start, and connections of its own."""
    plain = settings.endpoint.startswith("http:")
    client: dict[str, Any] = {
        "allow_http": plain,
        "disable_system_certificates": plain,  # to load them takes 4 ms
        "connect_timeout": "5s",
        # For each read, not for each request: a large object may take longer than any fixed limit.
        "read_timeout": "60s",
        "timeout": f"{request_seconds}s",
        "user_agent": "penstock",
    }
    if settings.ca_file is not None:
        client["root_certificate"] = settings.ca_file.read_bytes()
    encrypting: dict[str, Any] = {"aws_server_side_encryption": encryption} if encryption else {}
    if key:
        encrypting["aws_sse_kms_key_id"] = key
    try:
        return S3Store(
            # With a "virtual host" obstore does not use this name. The bucket is the first part of the path.
            "any",
            virtual_hosted_style_request=True,
            disable_bulk_delete=True,  # a bulk delete is a request to the bucket, even for one object
            endpoint=settings.endpoint,
            **_credentials(settings),
            region=settings.region,
            client_options=client,  # type: ignore[arg-type]
            **encrypting,
            # Few and short. After that, the connector retries the event, with its own delays.
            retry_config={
                "max_retries": 2,
                "backoff": {
                    "init_backoff": timedelta(milliseconds=50),
                    "max_backoff": timedelta(milliseconds=500),
                    "base": 2,
                },
                "retry_timeout": timedelta(seconds=30),
            },
        )
    except ValueError as exc:
        culprit = f"MINIO_CA_FILE={settings.ca_file}" if settings.ca_file else f"MINIO_ENDPOINT={settings.endpoint}"
        raise ConfigError(f"{culprit}: {exc}") from exc


def _credentials(settings: StoreSettings) -> dict[str, Any]:
    """The keys, or what exchanges a token for them: only that needs minio-py, which takes long to import."""
    if settings.web_identity is not None:
        from penstock.store.credentials import obstore_provider

        return {"credential_provider": obstore_provider(settings)}
    keys = {"access_key_id": settings.access_key, "secret_access_key": settings.secret_key}
    return keys | ({"session_token": settings.session_token} if settings.session_token else {})


class EncryptingClients:
    """Clients that ask for one encryption with each object: obstore has it as a setting of the client."""

    def __init__(self, settings: StoreSettings, request_seconds: int) -> None:
        self._settings = settings
        self._request_seconds = request_seconds
        self._made: dict[tuple[str, str], S3Store] = {}

    def of(self, encryption: str, key: str) -> S3Store:
        """The client for `AES256`, `aws:kms` or `aws:kms:dsse`, with a key's name or "" for the store's own."""
        found = self._made.get((encryption, key))
        if found is None:
            if len(self._made) >= _MOST_KEYS:
                self._made.clear()
            found = self._made[encryption, key] = connect(self._settings, self._request_seconds, encryption, key)
        return found
