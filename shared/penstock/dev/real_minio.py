"""A running MinIO server instead of the embedded store: its webhook target and its rules towards this stack.

The target has a queue_dir, so the server keeps on disk what this stack has not taken yet, also while it is stopped.
"""

import contextlib
import hashlib
import ipaddress
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from penstock.config import SourceRule, StoreSettings
from penstock.dev.router import Router
from penstock.errors import ConfigError

if TYPE_CHECKING:
    import urllib3
    from minio import Minio, MinioAdmin

# Not the `penstock` of a deployment on the same server, which a run on somebody's desk must leave alone.
TARGET_ID: Final = "penstockdev"
EVENTS: Final = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
RESTART_SECONDS: Final = 60.0
# Seen on a server of February 2026: what is written in the first quarter second after a start notifies nobody.
_SETTLE_SECONDS: Final = 1.0


class RealMinio:
    """The server that `settings` names. `events_url` is where it reaches this stack, empty for loopback."""

    def __init__(
        self, settings: StoreSettings, router: Router, queue_dir: str, token: str, events_url: str = ""
    ) -> None:
        self.settings = settings
        self._router = router
        self._events_url = events_url
        self._queue_dir, self._token = queue_dir, token
        self._arn = ""
        if not events_url and not _is_loopback(settings.endpoint):
            raise ConfigError(
                f"MINIO_ENDPOINT={settings.endpoint}: is not on this machine, so it cannot reach this stack; "
                "name an address that leads here with --events-url"
            )

    def connect(self, buckets: list[str], own_url: str) -> None:
        """Have these buckets, the webhook target and the functions' rules; raises `ConfigError`."""
        make_buckets(self.settings, buckets)
        with _clear(self.settings):
            self._arn = self._target(self._events_url or f"{own_url}/events")
            client = make_client(self.settings)
            for bucket in buckets:
                rules = [rule for rule in self._router.rules() if rule.bucket == bucket]
                self._apply(client, bucket, rules)

    def disconnect(self) -> None:
        """Take the rules off the buckets, and the target out of what the server's next start reads."""
        with _clear(self.settings):
            client = make_client(self.settings)
            for bucket in self._router.buckets():
                self._apply(client, bucket, [])
            _admin(self.settings).config_reset("notify_webhook", TARGET_ID)

    def stop(self) -> None:
        """Nothing to end: rules and queue outlive the stack, and the next one takes what has gathered."""

    def _target(self, url: str) -> str:
        """Configure the webhook target unless it is there already, and return its ARN."""
        admin = _admin(self.settings)
        # The server shows its settings without the token; this way a new one shows in the URL.
        url = f"{url}?token={hashlib.sha256(self._token.encode()).hexdigest()[:8]}"
        wanted = {"enable": "on", "endpoint": url, "queue_dir": self._queue_dir, "auth_token": self._token}
        arn = _arn(admin)
        present = _configured(admin) if arn else ""
        if arn and all(value in present for value in (url, self._queue_dir)):
            return arn
        Path(self._queue_dir).mkdir(parents=True, exist_ok=True)
        admin.config_set(f"notify_webhook:{TARGET_ID}", wanted)
        before = _started(admin)
        admin.service_restart()
        deadline = time.monotonic() + RESTART_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(Exception):  # it refuses, then answers 503, then is back
                if _started(admin) != before and (arn := _arn(admin)):
                    time.sleep(_SETTLE_SECONDS)
                    return arn
            time.sleep(0.2)
        raise ConfigError(
            f"{self.settings.endpoint}: was not back {RESTART_SECONDS:g} s after its restart; see its log"
        )

    def _apply(self, client: "Minio", bucket: str, rules: list[SourceRule]) -> None:
        """Replace our rules on a bucket and keep everybody else's: setting them replaces all that are there."""
        from minio.notificationconfig import NotificationConfig, PrefixFilterRule, QueueConfig, SuffixFilterRule

        present = client.get_bucket_notification(bucket)
        others = [
            queue
            for queue in present.queue_config_list or []
            if not (queue.queue or "").endswith(f":{TARGET_ID}:webhook")
        ]
        ours = [
            QueueConfig(
                queue=self._arn,
                events=EVENTS,
                config_id=f"{TARGET_ID}-{number}",
                prefix_filter_rule=PrefixFilterRule(rule.prefix) if rule.prefix else None,
                suffix_filter_rule=SuffixFilterRule(rule.suffix) if rule.suffix else None,
            )
            for number, rule in enumerate(rules)
        ]
        client.set_bucket_notification(
            bucket,
            NotificationConfig(
                cloud_func_config_list=present.cloud_func_config_list,
                queue_config_list=others + ours,
                topic_config_list=present.topic_config_list,
            ),
        )


def make_buckets(settings: StoreSettings, buckets: list[str]) -> None:
    """Create the buckets that are missing; raises `ConfigError` when the server does not let us."""
    with _clear(settings):
        client = make_client(settings)
        for bucket in buckets:
            if not client.bucket_exists(bucket):
                client.make_bucket(bucket)


def make_client(settings: StoreSettings) -> "Minio":
    from minio import Minio

    url = urlsplit(settings.endpoint)
    return Minio(
        url.netloc,
        access_key=settings.access_key,
        secret_key=settings.secret_key,
        secure=url.scheme == "https",
        region=settings.region,
        http_client=_pool(settings),
    )


def _admin(settings: StoreSettings) -> "MinioAdmin":
    from minio import MinioAdmin
    from minio.credentials.providers import StaticProvider

    url = urlsplit(settings.endpoint)
    return MinioAdmin(
        endpoint=url.netloc,
        credentials=StaticProvider(settings.access_key, settings.secret_key),
        region=settings.region,
        secure=url.scheme == "https",
        http_client=_pool(settings),
    )


def _pool(settings: StoreSettings) -> "urllib3.PoolManager":
    import urllib3

    return urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=5, read=60),
        retries=urllib3.Retry(total=2, backoff_factor=0.2),
        ca_certs=str(settings.ca_file) if settings.ca_file else None,
    )


def _info(admin: "MinioAdmin") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(admin.info())
    return found


def _arn(admin: "MinioAdmin") -> str:
    """The target's ARN, which exists only once the server has started with it."""
    arns = _info(admin).get("sqsARN") or []
    return next((arn for arn in arns if arn.endswith(f":{TARGET_ID}:webhook")), "")


def _started(admin: "MinioAdmin") -> float:
    """When the server started, in seconds of this machine's clock, to the second or so."""
    uptime = max((server.get("uptime", 0) for server in _info(admin).get("servers") or []), default=0)
    return round(time.time() - float(uptime))


def _configured(admin: "MinioAdmin") -> str:
    return admin.config_get(f"notify_webhook:{TARGET_ID}")


def _is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def _clear(settings: StoreSettings) -> Any:
    """Turn what the server or the network says into a `ConfigError` with the endpoint in it."""
    from minio.error import MinioException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (MinioException, HTTPError) as exc:
        raise ConfigError(
            f"{settings.endpoint}: {exc}; check MINIO_ENDPOINT, MINIO_ACCESS_KEY, MINIO_SECRET_KEY"
        ) from exc
