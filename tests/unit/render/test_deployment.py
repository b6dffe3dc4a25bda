"""What one function becomes on plain Kubernetes."""

from tests.rendering import SLEEPS, Render, container_of


def test_keda_alone_says_how_many_pods_there_are(deployed: Render) -> None:
    """With a number in the manifest, each `kubectl apply` would wake a function that sleeps."""
    assert "replicas" not in deployed(annotations=SLEEPS)["Deployment", "compress"]["spec"]


def test_index_in_a_file_has_one_pod_its_volume_and_no_second_pod_during_a_roll_out(deployed: Render) -> None:
    documents = deployed(
        environment={"SINK": "sqlite:///data/index.db"},
        annotations={"penstock.dev/volume": "1Gi", "penstock.dev/scale.max": "1"},
    )
    spec = documents["Deployment", "compress"]["spec"]
    assert spec["strategy"] == {"type": "Recreate"}
    assert {"name": "data", "mountPath": "/data"} in container_of(documents["Deployment", "compress"])["volumeMounts"]
    assert ("PersistentVolumeClaim", "compress-data") in documents
    assert ("PodDisruptionBudget", "compress") not in documents


def test_function_that_makes_jobs_gets_its_token(deployed: Render) -> None:
    offloads = {"OFFLOAD_ABOVE_BYTES": "1000", "JOB_IMAGE": "registry.example/compress:1"}
    documents = deployed(environment=offloads)
    pod = documents["Deployment", "compress"]["spec"]["template"]["spec"]
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("penstock-function", True)
    assert ("ServiceAccount", "compress") not in documents
