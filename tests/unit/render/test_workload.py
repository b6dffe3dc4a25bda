"""What a function's pods are made of is the same on every platform."""

from typing import Any

from tests.rendering import Render

SCHEDULED = {"penstock.dev/reconcile": "7 * * * *"}


def pod_of(document: dict[str, Any]) -> dict[str, Any]:
    spec = document["spec"]
    template = spec["jobTemplate"]["spec"]["template"] if document["kind"] == "CronJob" else spec["template"]
    return dict(template["spec"])


def test_function_has_the_same_image_settings_and_files_on_each_platform(rendered: Render, deployed: Render) -> None:
    pods = [pod_of(rendered()["Service", "compress"]), pod_of(deployed()["Deployment", "compress"])]
    for name in ("image", "env", "resources", "securityContext", "volumeMounts"):
        first, second = (pod["containers"][0][name] for pod in pods)
        assert first == second
    assert pods[0]["volumes"] == pods[1]["volumes"]


def test_reconcile_runs_in_the_functions_image_and_gives_up_what_no_repetition_mends(deployed: Render) -> None:
    document = deployed(annotations=SCHEDULED)["CronJob", "compress-reconcile"]
    pod = pod_of(document)
    assert pod["containers"][0]["args"][:2] == ["penstock", "reconcile"]
    assert pod["serviceAccountName"] == "compress"
    [rule] = document["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["values"] == [65, 78]


def test_reconcile_is_the_same_on_each_platform(rendered: Render, deployed: Render) -> None:
    on_knative, plain = (made(annotations=SCHEDULED)["CronJob", "compress-reconcile"] for made in (rendered, deployed))
    assert on_knative == plain
