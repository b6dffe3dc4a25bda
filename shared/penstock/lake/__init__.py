"""The lake: buckets, notification targets and rules, declared in lake.yml and applied to a MinIO server.

lake = DeclaredLake("chapter", buckets=(Bucket("upload"),), targets=(target,), rules=(Rule("upload", target.ref),))
for change in apply(settings, lake):
    print(change)
"""

from penstock.lake.model import SAFE_EVENTS, Bucket, DeclaredLake, NotificationTarget, Rule, TargetRef
from penstock.lake.plan import LakeChange
from penstock.settings.config import StoreSettings

__all__ = [
    "SAFE_EVENTS",
    "Bucket",
    "DeclaredLake",
    "LakeChange",
    "NotificationTarget",
    "Rule",
    "TargetRef",
    "apply",
    "plan",
    "remove",
]


def plan(settings: StoreSettings, lake: DeclaredLake, *, adopt: bool = False) -> list[LakeChange]:
    """What `apply` would change; empty when the server agrees. Raises `ConfigError` and `TemporaryError`."""
    from penstock.lake.plan import compare
    from penstock.lake.server import server_for

    lake.check()
    return compare(lake, server_for(settings, lake).state(lake), adopt=adopt)


def apply(settings: StoreSettings, lake: DeclaredLake, *, adopt: bool = False) -> list[LakeChange]:
    """Make the server agree with `lake` and return what was changed; restarts the server when a target changed.

    `adopt` takes over targets that have the declared ids and belong to another owner. Raises `ConfigError` for
    differences that it cannot resolve and `TemporaryError` for what may work later.
    """
    from penstock.lake.applying import carry_out
    from penstock.lake.server import server_for

    return carry_out(server_for(settings, lake), lake, adopt=adopt)


def remove(settings: StoreSettings, name: str, *, restart: bool = True) -> list[LakeChange]:
    """Remove the rules and targets of the lake called `name`, and nothing else; buckets stay.

    Without `restart` the targets stay on the server, without rules, until its next start.
    """
    from penstock.lake.applying import carry_out
    from penstock.lake.server import LakeServer

    return carry_out(LakeServer(settings), DeclaredLake(name, sync_events=False), may_restart=restart)
