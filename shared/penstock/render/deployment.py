"""One function on plain Kubernetes: Deployment, Service, disruption budget, ScaledObject and reconcile CronJob."""

from typing import Final

from penstock.jobs.pod import Document
from penstock.render.keda import Lag, scaled_object
from penstock.render.manifest import document, labels, serving_pod
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

# A Service with this label is scraped by deploy/observability; those that Knative makes do not have it.
PLATFORM_LABEL: Final = {"penstock.dev/platform": "kubernetes"}


def deployed_function(plan: FunctionPlan, lag: Lag, bridge: str) -> list[Document]:
    """Everything that one function is made of, in the order in which it can be created."""
    own = labels(plan.name, "function")
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    made = function_account(plan, plan.name)
    if plan.volume:
        made.append(volume_claim(plan))
    made += [
        document("v1", "Service", plan.name, labels={**own, **PLATFORM_LABEL}, spec={"selector": own, "ports": ports}),
        document("apps/v1", "Deployment", plan.name, labels=own, spec=_deployment(plan)),
        scaled_object(plan, lag, bridge),
    ]
    if plan.max_scale > 1:
        budget = {"maxUnavailable": 1, "selector": {"matchLabels": own}}
        made.append(document("policy/v1", "PodDisruptionBudget", plan.name, labels=own, spec=budget))
    if plan.schedule:
        made.append(reconcile_job(plan, account_name(plan, plan.name)))
    return made


def function_url(plan: FunctionPlan, namespace: str) -> str:
    """Where the function takes events."""
    return f"http://{plan.name}.{namespace}.svc.cluster.local/event"


def _deployment(plan: FunctionPlan) -> Document:
    own = labels(plan.name, "function")
    # Often, because the time to the next probe is a part of each start. A probe costs a function next to nothing.
    ready = {"httpGet": {"path": "/_/ready", "port": "http"}, "periodSeconds": 1, "timeoutSeconds": 5}
    alive = {"httpGet": {"path": "/_/health", "port": "http"}, "periodSeconds": 10, "failureThreshold": 3}
    ports = {"ports": [{"name": "http", "containerPort": PORT.default}]}
    pod = serving_pod(
        account_name(plan, plan.name),
        function_container(plan, "function", ports, {"readinessProbe": ready, "livenessProbe": alive}),
        function_volumes(plan),
        drain_seconds=int(plan.config.drain_seconds) + plan.config.grace_seconds,
        # A function that hands large objects to Jobs needs its token for the Kubernetes API.
        needs_token=plan.config.jobs is not None,
    )
    # No number of replicas: KEDA sets it, and each `kubectl apply` would set it again.
    return {
        # A volume is for one pod at a time, so the old one ends first.
        "strategy": {"type": "Recreate"} if plan.volume else {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": own},
        "template": {"metadata": {"labels": own}, "spec": pod},
    }
