"""A running MinIO server instead of the embedded store: its webhook target and its rules towards this stack.

The target has a queue_dir, so the server keeps on disk what this stack has not taken yet, also while it is stopped.
"""

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from penstock.errors import ConfigError
from penstock.lake import Bucket, DeclaredLake, NotificationTarget, Rule, TargetRef, apply, remove
from penstock.local.gateway.router import Router
from penstock.settings.config import StoreSettings

if TYPE_CHECKING:
    from penstock.local.store.listed import ListedStore

# Names of their own, so that a local run leaves a deployment on the same server alone.
LAKE: Final = "dev"
TARGET: Final = TargetRef("webhook", "penstockdev")


class RealMinio:
    """The server that `settings` names. `events_url` is where it reaches this stack, empty for loopback.

    Another S3 server is listed again and again, since this stack cannot have it send events; `watched` keeps what was
    told of it.
    """

    def __init__(
        self, settings: StoreSettings, router: Router, queue_dir: str, token: str, watched: Path, events_url: str = ""
    ) -> None:
        self.settings = settings
        self._router = router
        self._events_url = events_url
        self._queue_dir, self._token = queue_dir, token
        self._watched = watched
        self._listed: ListedStore | None = None
        if not events_url and not _is_loopback(settings.endpoint):
            raise ConfigError(
                f"MINIO_ENDPOINT={settings.endpoint}: is not on this machine, so it cannot reach this stack; "
                "name an address that leads here with --events-url"
            )

    def connect(self, buckets: list[str], own_url: str) -> None:
        """Have these buckets, the webhook target and the functions' rules.

        Raises `ConfigError`, or `TemporaryError` when the server does not answer.
        """
        values = {"endpoint": self._events_url or f"{own_url}/events", "queue_dir": self._queue_dir}
        lake = DeclaredLake(
            LAKE,
            tuple(Bucket(name) for name in buckets),
            (NotificationTarget(TARGET, values, {"auth_token": self._token}),),
            tuple(Rule(rule.bucket, TARGET, rule.prefix, rule.suffix) for rule in self._router.rules()),
            # A local run must not change a setting of the whole server.
            sync_events=False,
        )
        from penstock.lake.minio_errors import NoAdminApi  # minio-py takes long to import

        try:
            apply(self.settings, lake, adopt=True)
        except NoAdminApi:
            from penstock.local.store.listed import ListedStore

            make_buckets(self.settings, buckets)
            rules = list(self._router.rules())
            self._listed = ListedStore(self.settings, rules, self._watched, f"{own_url}/events", self._token)
            self._listed.start()

    def disconnect(self) -> None:
        """Take the rules off the buckets, and the target out of what the server's next start reads."""
        if self._listed is not None:
            self.stop()
            return
        remove(self.settings, LAKE, restart=False)

    def stop(self) -> None:
        """End the listings. Rules and queue of a MinIO outlive the stack, and the next one takes what has gathered."""
        if self._listed is not None:
            self._listed.stop()


def make_buckets(settings: StoreSettings, buckets: list[str]) -> None:
    """Create the buckets that are missing; raises `ConfigError` when the server does not let us."""
    from penstock.lake.minio_buckets import Buckets

    server = Buckets(settings)
    for bucket in sorted(set(buckets) - server.names()):
        server.create(bucket)


def _is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
