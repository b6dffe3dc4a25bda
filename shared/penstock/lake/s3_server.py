"""A store that is set up through S3 alone: buckets, versioning, and rules to targets that exist already."""

from typing import NoReturn

from penstock.errors import ConfigError
from penstock.lake.minio_admin import Info
from penstock.lake.minio_buckets import Buckets
from penstock.lake.model import DeclaredLake, TargetRef
from penstock.lake.plan import LakeState, PresentRule, PresentTarget
from penstock.lake.s3_notifications import BucketNotifications
from penstock.settings.config import StoreSettings


class S3Server:
    """A store by its S3 API; targets are the ARNs that the lake declares, since no S3 request lists them."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._buckets = Buckets(settings)
        self._notifications = BucketNotifications(settings)
        self.create_bucket = self._buckets.create
        self.set_versioning = self._buckets.set_versioning
        self.change_rules = self._notifications.change_rules

    @property
    def endpoint(self) -> str:
        return self._settings.endpoint

    def state(self, lake: DeclaredLake) -> LakeState:
        """Buckets and rules; `sync_events` as declared, since it is a setting of MinIO alone."""
        names = self._buckets.names()
        return LakeState(
            buckets=names,
            versioning=self._buckets.declared_versioning(lake, names),
            targets={each.ref: PresentTarget(each.ref, arn=each.ref.id) for each in lake.targets if each.ref.is_by_arn},
            rules=self._rules(lake, names),
            sync_events=lake.sync_events,
        )

    def rules(self, lake: DeclaredLake) -> tuple[PresentRule, ...]:
        """The rules of all buckets that may be read."""
        return self._rules(lake, self._buckets.names())

    def _rules(self, lake: DeclaredLake, names: frozenset[str]) -> tuple[PresentRule, ...]:
        needed = lake.bucket_names
        return tuple(rule for name in sorted(names) for rule in self._notifications.rules(name, must=name in needed))

    def info(self) -> Info:
        self._refuse("a server's state")

    def set_target(self, ref: TargetRef, values: dict[str, str]) -> None:  # noqa: ARG002 - as on MinIO
        self._refuse(f"target {ref}")

    def remove_target(self, ref: TargetRef) -> None:
        self._refuse(f"target {ref}")

    def set_sync_events(self) -> None:
        self._refuse("sync_events")

    def restart(self) -> None:
        self._refuse("a restart")

    def _refuse(self, what: str) -> NoReturn:
        raise ConfigError(f"{what}: needs MinIO's admin API, and this lake is set up through S3 alone; name an arn")
