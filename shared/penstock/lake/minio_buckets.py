"""The S3 side of a lake: buckets, versioning and the rules on buckets."""

from collections.abc import Callable, Iterable

from minio.commonconfig import ENABLED
from minio.error import S3Error
from minio.notificationconfig import NotificationConfig, PrefixFilterRule, QueueConfig, SuffixFilterRule
from minio.versioningconfig import SUSPENDED, VersioningConfig

from penstock.errors import ConfigError
from penstock.lake.minio_errors import clear_errors
from penstock.lake.model import DeclaredLake
from penstock.lake.plan import PresentRule
from penstock.settings.config import StoreSettings
from penstock.store.minio_client import connect


class Buckets:
    """One connection to a server's S3 API; every method raises `ConfigError` or `TemporaryError`."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._client = connect(settings)

    def names(self) -> frozenset[str]:
        with clear_errors(self._settings, "s3:ListAllMyBuckets"):
            return frozenset(bucket.name for bucket in self._client.list_buckets())

    def create(self, name: str) -> None:
        """Make a bucket; one that these credentials own already is fine."""
        with clear_errors(self._settings, "s3:CreateBucket"):
            try:
                self._client.make_bucket(name, self._settings.region)
            except S3Error as exc:
                if exc.code != "BucketAlreadyOwnedByYou":
                    raise

    def versioning(self, name: str) -> bool:
        with clear_errors(self._settings, "s3:GetBucketVersioning"):
            return self._client.get_bucket_versioning(name).status == ENABLED

    def declared_versioning(self, lake: DeclaredLake, present: frozenset[str]) -> dict[str, bool]:
        """Versioning of the buckets that exist and for which the lake declares it."""
        declared = [bucket.name for bucket in lake.buckets if bucket.versioning is not None]
        return {name: self.versioning(name) for name in declared if name in present}

    def set_versioning(self, name: str, on: bool) -> None:
        """Turn versioning on, or suspend it: S3 cannot turn it off again."""
        with clear_errors(self._settings, "s3:PutBucketVersioning"):
            self._client.set_bucket_versioning(name, VersioningConfig(ENABLED if on else SUSPENDED))

    def rules(self, name: str, *, must: bool) -> tuple[PresentRule, ...]:
        """The rules on a bucket; none when the credentials may not read it, which raises when it `must` be read."""
        with clear_errors(self._settings, "s3:GetBucketNotification"):
            try:
                found = self._client.get_bucket_notification(name).queue_config_list or []
            except S3Error as exc:
                if exc.code == "NoSuchBucket" or (exc.code == "AccessDenied" and not must):
                    return ()
                raise
        return tuple(_present(name, queue) for queue in found)

    def change_rules(self, name: str, drop: Callable[[str], bool], add: Iterable[PresentRule]) -> None:
        """Take off the rules whose id `drop` names and put on others; all others stay as they are.

        Setting a bucket's rules replaces all of them, so they are read at the last moment and written back.
        """
        with clear_errors(self._settings, "s3:GetBucketNotification and s3:PutBucketNotification"):
            present = self._client.get_bucket_notification(name)
            kept = [queue for queue in present.queue_config_list or [] if not drop(queue.config_id or "")]
            wanted = NotificationConfig(
                cloud_func_config_list=present.cloud_func_config_list,
                queue_config_list=[*kept, *(_queue(rule) for rule in add)],
                topic_config_list=present.topic_config_list,
            )
            try:
                self._client.set_bucket_notification(name, wanted)
            except S3Error as exc:
                if "ARN" not in (exc.message or "") or not kept:
                    raise
                others = ", ".join(sorted({queue.queue or "" for queue in kept}))
                raise ConfigError(
                    f"bucket {name}: the server refuses all rules, because one names a target that it no longer has; "
                    f"the rules that are not ours name {others}: set that target up again or take its rule off"
                ) from exc


def _present(bucket: str, queue: QueueConfig) -> PresentRule:
    return PresentRule(
        queue.config_id or "",
        queue.queue or "",
        bucket,
        queue.prefix_filter_rule.value if queue.prefix_filter_rule else "",
        queue.suffix_filter_rule.value if queue.suffix_filter_rule else "",
        tuple(queue.events),
    )


def _queue(rule: PresentRule) -> QueueConfig:
    return QueueConfig(
        queue=rule.arn,
        events=list(rule.events),
        config_id=rule.id,
        prefix_filter_rule=PrefixFilterRule(rule.prefix) if rule.prefix else None,
        suffix_filter_rule=SuffixFilterRule(rule.suffix) if rule.suffix else None,
    )
