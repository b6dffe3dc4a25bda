"""A MinIO server as the lake sees it: what it has, and the steps that change it."""

import dataclasses
from collections.abc import Callable

from penstock.errors import ConfigError
from penstock.lake import keys
from penstock.lake.minio_admin import Admin
from penstock.lake.minio_buckets import Buckets
from penstock.lake.model import DeclaredLake, TargetRef
from penstock.lake.plan import LakeState, PresentRule, PresentTarget
from penstock.lake.s3_server import S3Server
from penstock.settings.config import StoreSettings


def server_for(settings: StoreSettings, lake: DeclaredLake) -> "LakeServer | S3Server":
    """The server that `settings` names, through S3 alone for a lake whose targets are all named by ARN."""
    return S3Server(settings) if lake.by_s3_alone else LakeServer(settings)


class LakeServer:
    """The server that `settings` names, reached with an administrator's credentials."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._admin = Admin(settings)
        self._buckets = Buckets(settings)
        self.info = self._admin.info
        self.create_bucket = self._buckets.create
        self.set_versioning = self._buckets.set_versioning
        self.remove_target = self._admin.remove_target
        self.set_sync_events = self._admin.set_sync_events
        self.restart = self._admin.restart

    @property
    def endpoint(self) -> str:
        return self._settings.endpoint

    def state(self, lake: DeclaredLake) -> LakeState:
        """What the server has, of this lake and of others: all targets, the rules of all buckets."""
        info = self._admin.info()
        targets: dict[TargetRef, PresentTarget] = {}
        known: dict[keys.TargetKind, frozenset[str]] = {}
        for kind in keys.KINDS:
            try:
                found, known[kind] = self._admin.targets(kind)
            except ConfigError:
                if kind != "lambda":
                    raise
                continue  # a server without Object Lambda
            if kind == "lambda":
                found = {ref: dataclasses.replace(one, arn=_lambda_arn(one)) for ref, one in found.items()}
            targets.update(found)
        for arn in info.arns:
            # A target may come from the server's environment alone.
            _, _, _, _, target_id, kind_name = arn.split(":")
            if kind_name in keys.KINDS:
                ref = TargetRef(kind_name, target_id)
                present = targets.get(ref, PresentTarget(ref))
                targets[ref] = dataclasses.replace(present, arn=arn, status=info.statuses.get(ref, ""))
        names = self._buckets.names()
        sync_events, variable = self._admin.sync_events()
        return LakeState(
            buckets=names,
            versioning=self._buckets.declared_versioning(lake, names),
            targets=targets,
            rules=self._rules(lake, names),
            sync_events=sync_events,
            sync_events_from=variable,
            known_keys=known,
        )

    def rules(self, lake: DeclaredLake) -> tuple[PresentRule, ...]:
        """The rules of all buckets."""
        return self._rules(lake, self._buckets.names())

    def _rules(self, lake: DeclaredLake, names: frozenset[str]) -> tuple[PresentRule, ...]:
        needed = lake.bucket_names
        return tuple(rule for name in sorted(names) for rule in self._buckets.rules(name, must=name in needed))

    def set_target(self, ref: TargetRef, values: dict[str, str]) -> None:
        self._admin.set_target(ref, values)

    def change_rules(self, bucket: str, drop: Callable[[str], bool], add: list[PresentRule]) -> None:
        self._buckets.change_rules(bucket, drop, add)


def _lambda_arn(present: PresentTarget) -> str:
    """Its ARN while the server runs it, else "": the server lists those of notification targets only."""
    return present.ref.lambda_arn if present.values.get("enable") == "on" else ""
