"""One function on Knative: Service, ServiceAccount, reconcile CronJob, and the volume of an index in a SQLite file."""

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
from penstock.settings.table import PORT

_SIX_HOURS_SECONDS: Final = 6 * 3600
_OFFLOADING_ACCOUNT: Final = "penstock-function"


def function_documents(plan: FunctionPlan) -> list[Document]:
    """Everything that one function is made of, in the order in which it can be created."""
    made = function_account(plan, plan.name)
    if plan.volume:
        made.append(_claim(plan))
    made.append(_service(plan))
    if plan.schedule:
        made.append(reconcile_job(plan, account_name(plan, plan.name)))
    return made


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


def _claim(plan: FunctionPlan) -> Document:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": plan.volume}}}
    name = f"{plan.name}-data"
    return document("v1", "PersistentVolumeClaim", name, labels=labels(plan.name, "function"), spec=spec)


def _service(plan: FunctionPlan) -> Document:
    annotations = {
        "autoscaling.knative.dev/min-scale": str(plan.min_scale),
        "autoscaling.knative.dev/max-scale": str(plan.max_scale),
        "autoscaling.knative.dev/metric": "concurrency",
        "autoscaling.knative.dev/target": str(plan.target),
    }
    if plan.idle:
        annotations["autoscaling.knative.dev/scale-to-zero-pod-retention-period"] = plan.idle
    container: Document = {
        "name": "function",
        "image": plan.spec.image,
        "ports": [{"containerPort": PORT.default}],
        "env": environment(plan.spec.environment),
        # Without periodSeconds queue-proxy probes several times a second, so a cold start ends as soon as it can.
        "readinessProbe": {"httpGet": {"path": "/_/ready"}},
        "livenessProbe": {"httpGet": {"path": "/_/health"}, "periodSeconds": 10, "failureThreshold": 3},
        "resources": resources(plan.spec.limits, plan.spec.requests),
        "securityContext": container_security(),
        "volumeMounts": _mounts(plan),
    }
    pod: Document = {
        "serviceAccountName": account_name(plan, plan.name),
        # A function that hands large objects to Jobs needs its token for the Kubernetes API. It gets it when this field
        # is left out: Knative refuses any other value than false.
        **({} if plan.config.jobs else {"automountServiceAccountToken": False}),
        "enableServiceLinks": False,
        "containerConcurrency": plan.concurrency,
        "timeoutSeconds": plan.timeout_seconds,
        "containers": [container],
        "volumes": _volumes(plan),
    }
    if plan.volume:
        # Only a volume needs it, and Knative takes it only with its feature kubernetes.podspec-securitycontext.
        pod["securityContext"] = _allowed_by_knative(pod_security())
    template = {"metadata": {"labels": labels(plan.name, "function"), "annotations": annotations}, "spec": pod}
    return document(
        "serving.knative.dev/v1",
        "Service",
        plan.name,
        labels={**labels(plan.name, "function"), "networking.knative.dev/visibility": "cluster-local"},
        spec={"template": template},
    )


def _allowed_by_knative(security: Document) -> Document:
    """Without the field that its webhook refuses (pkg/apis/serving/fieldmask.go, PodSecurityContextMask)."""
    return {key: value for key, value in security.items() if key != "fsGroupChangePolicy"}


def reconcile_job(plan: FunctionPlan, account: str) -> Document:
    """A CronJob that runs `penstock reconcile` in the function's own image, as the ServiceAccount named `account`."""
    name = f"{plan.name}-reconcile"
    container = {
        "name": "reconcile",
        "image": plan.spec.image,
        "args": ["penstock", "reconcile", FUNCTION_FOLDER],
        "env": environment(plan.spec.environment),
        "resources": resources(plan.spec.limits, plan.spec.requests),
        "securityContext": container_security(),
        "volumeMounts": _mounts(plan),
    }
    pod = {
        "serviceAccountName": account,
        "automountServiceAccountToken": plan.config.jobs is not None,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": pod_security(),
        "containers": [container],
        "volumes": _volumes(plan),
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


def _volumes(plan: FunctionPlan) -> list[Document]:
    made = [tmp_volume()]
    if plan.spec.secrets:
        made.append(secret_volume(plan.spec.secrets))
    if plan.volume:
        made.append({"name": "data", "persistentVolumeClaim": {"claimName": f"{plan.name}-data"}})
    return made


def _mounts(plan: FunctionPlan) -> list[Document]:
    made = [tmp_mount()]
    if plan.spec.secrets:
        made.append(secret_mount())
    if plan.volume:
        made.append({"name": "data", "mountPath": plan.volume_path})
    return made
