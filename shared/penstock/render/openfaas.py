"""What OpenFaaS needs beside the functions that faas-cli deploys: reconcile jobs, and the bridge that feeds them."""

from collections.abc import Mapping, Sequence
from typing import Final

from penstock.jobs.pod import Document
from penstock.render import components
from penstock.render.bridge import BRIDGE, bridge_workload
from penstock.render.manifest import NAME, dump
from penstock.render.network import policy, to_outcomes
from penstock.render.plan import FunctionPlan
from penstock.render.workload import account_name, function_account, reconcile_job

HEADER: Final = "Made by `penstock render openfaas`; change stack.yml and run it again."
# The namespace where faas-netes runs functions and faas-cli puts secrets, and that of the gateway.
FUNCTIONS_NAMESPACE: Final = "openfaas-fn"
GATEWAY_NAMESPACE: Final = "openfaas"


def render(plans: Sequence[FunctionPlan], image: str, gateway: str, outcomes: Sequence[str] = ()) -> Mapping[str, str]:
    """File names and their texts. `image` is the bridge's; `gateway` is the URL under which it finds functions.

    `outcomes` are what the bridge tells of ends, as `NAME=URL`.
    """
    arguments: list[str] = []
    for plan in plans:
        arguments.append(f"--to={plan.name}={gateway}/function/{plan.name}/event")
        # Without this, every event of the lake would wake the function.
        arguments += [f"--only={plan.name}={rule}" for rule in dict.fromkeys(each.keys for each in plan.config.sources)]
    files: dict[str, list[Document]] = {
        "bridge.yaml": [*bridge_workload(image, arguments, outcomes), *_outcome_policies(outcomes)],
        "reconcile.yaml": [document for plan in plans if plan.schedule for document in _reconcile(plan)],
    }
    for document in files["bridge.yaml"]:
        document["metadata"]["namespace"] = GATEWAY_NAMESPACE
    for document in files["reconcile.yaml"]:
        document["metadata"]["namespace"] = FUNCTIONS_NAMESPACE
    files |= components.outcomes(GATEWAY_NAMESPACE)
    return {name: dump(documents, HEADER) for name, documents in files.items() if documents}


def _outcome_policies(outcomes: Sequence[str]) -> list[Document]:
    """Policies add up: what the bridge needs beside deploy/openfaas/base/network.yaml."""
    egress = to_outcomes(outcomes, GATEWAY_NAMESPACE)
    return [policy(f"{BRIDGE}-outcomes", {NAME: BRIDGE}, egress=egress)] if egress else []


def _reconcile(plan: FunctionPlan) -> list[Document]:
    name = account_name(plan, f"{plan.name}-reconcile")
    return [*function_account(plan, name), reconcile_job(plan, name)]
