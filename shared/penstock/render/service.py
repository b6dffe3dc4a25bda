"""One function on Knative: a Service, and what stands beside it."""

from penstock.jobs.pod import Document, pod_security
from penstock.render.manifest import document, labels
from penstock.render.plan import FunctionPlan
from penstock.render.workload import (
    account_name,
    function_account,
    function_container,
    function_volumes,
    reconcile_job,
    volume_claim,
)
from penstock.settings.table import PORT


def function_documents(plan: FunctionPlan) -> list[Document]:
    """Everything that one function is made of, in the order in which it can be created."""
    made = function_account(plan, plan.name)
    if plan.volume:
        made.append(volume_claim(plan))
    made.append(_service(plan))
    if plan.schedule:
        made.append(reconcile_job(plan, account_name(plan, plan.name)))
    return made


def _service(plan: FunctionPlan) -> Document:
    annotations = {
        "autoscaling.knative.dev/min-scale": str(plan.min_scale),
        "autoscaling.knative.dev/max-scale": str(plan.max_scale),
        "autoscaling.knative.dev/metric": "concurrency",
        "autoscaling.knative.dev/target": str(plan.target),
    }
    if plan.idle:
        annotations["autoscaling.knative.dev/scale-to-zero-pod-retention-period"] = plan.idle
    # Without periodSeconds queue-proxy probes several times a second, so a cold start ends as soon as it can.
    ready = {"httpGet": {"path": "/_/ready"}}
    alive = {"httpGet": {"path": "/_/health"}, "periodSeconds": 10, "failureThreshold": 3}
    probes = {"readinessProbe": ready, "livenessProbe": alive}
    container = function_container(plan, "function", {"ports": [{"containerPort": PORT.default}]}, probes)
    pod: Document = {
        "serviceAccountName": account_name(plan, plan.name),
        # A function that hands large objects to Jobs needs its token for the Kubernetes API. It gets it when this field
        # is left out: Knative refuses any other value than false.
        **({} if plan.config.jobs else {"automountServiceAccountToken": False}),
        "enableServiceLinks": False,
        "containerConcurrency": plan.concurrency,
        "timeoutSeconds": plan.timeout_seconds,
        "containers": [container],
        "volumes": function_volumes(plan),
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
