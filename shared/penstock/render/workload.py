"""What a function's pods are made of on every platform: account, container, volumes, and its reconcile CronJob."""

from typing import Final

from penstock.errors import ConfigError, PermanentError
from penstock.jobs.manifest import FUNCTION_FOLDER
from penstock.jobs.pod import Document, container_security, pod_security
from penstock.render.manifest import (
    document,
    environment,
    labels,
    resources,
    secret_mount,
    secret_volume,
    tmp_mount,
    tmp_volume,
)
from penstock.render.plan import FunctionPlan

_SIX_HOURS_SECONDS: Final = 6 * 3600
_OFFLOADING_ACCOUNT: Final = "penstock-function"


def account_name(plan: FunctionPlan, own: str) -> str:
    """`own`, or the account of deploy/jobs that may make Jobs, for a function that hands objects to them."""
    return _OFFLOADING_ACCOUNT if plan.config.jobs else own


def function_account(plan: FunctionPlan, name: str) -> list[Document]:
    """A ServiceAccount without any rights, whose token is never mounted; none where deploy/jobs has it."""
    if plan.config.jobs:
        return []
    # The pod says so too; here it holds for every other pod of this account.
    members = {"labels": labels(plan.name, "function"), "automountServiceAccountToken": False}
    return [document("v1", "ServiceAccount", name, **members)]


def volume_claim(plan: FunctionPlan) -> Document:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": plan.volume}}}
    name = f"{plan.name}-data"
    return document("v1", "PersistentVolumeClaim", name, labels=labels(plan.name, "function"), spec=spec)


def function_container(plan: FunctionPlan, name: str, start: Document, probes: Document | None = None) -> Document:
    """A container of the function's image; `start` has its `args` or `ports`."""
    return {
        "name": name,
        "image": plan.spec.image,
        **start,
        "env": environment(plan.spec.environment),
        **(probes or {}),
        "resources": resources(plan.spec.limits, plan.spec.requests),
        "securityContext": container_security(),
        "volumeMounts": _mounts(plan),
    }


def function_volumes(plan: FunctionPlan) -> list[Document]:
    made = [tmp_volume()]
    if plan.spec.secrets:
        made.append(secret_volume(plan.spec.secrets))
    if plan.volume:
        made.append({"name": "data", "persistentVolumeClaim": {"claimName": f"{plan.name}-data"}})
    return made


def reconcile_job(plan: FunctionPlan, account: str) -> Document:
    """A CronJob that runs `penstock reconcile` in the function's own image, as the ServiceAccount named `account`."""
    name = f"{plan.name}-reconcile"
    container = function_container(plan, "reconcile", {"args": ["penstock", "reconcile", FUNCTION_FOLDER]})
    pod = {
        "serviceAccountName": account,
        "automountServiceAccountToken": plan.config.jobs is not None,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": pod_security(),
        "containers": [container],
        "volumes": function_volumes(plan),
    }
    codes = sorted({PermanentError.exit_code, ConfigError.exit_code})
    give_up = {"action": "FailJob", "onExitCodes": {"containerName": "reconcile", "operator": "In", "values": codes}}
    job = {
        "backoffLimit": 1,
        "activeDeadlineSeconds": _SIX_HOURS_SECONDS,
        "podFailurePolicy": {"rules": [give_up]},
        "template": {"metadata": {"labels": labels(plan.name, "reconcile")}, "spec": pod},
    }
    spec = {
        "schedule": plan.schedule,
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": 600,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 3,
        "jobTemplate": {"spec": job},
    }
    return document("batch/v1", "CronJob", name, labels=labels(plan.name, "reconcile"), spec=spec)


def _mounts(plan: FunctionPlan) -> list[Document]:
    made = [tmp_mount()]
    if plan.spec.secrets:
        made.append(secret_mount())
    if plan.volume:
        made.append({"name": "data", "mountPath": plan.volume_path})
    return made
