"""Every manifest under deploy/, held against schemas. A real cluster takes them in tests/integration/test_cluster.py.

`make test` runs what needs no files from elsewhere. The libraries that check schemas take seconds to import, so a test
imports what it needs.

The tests marked `crds` need the custom resource definitions of the operators in the folder that PENSTOCK_CRDS names:
`make crds` runs them, and they fail without it.
"""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from penstock.settings.stackfile import load_stack

from tests.manifests import KUBERNETES_VERSION, Manifest, crd_folder, crd_schemas, kustomizations, manifests
from tests.paths import DEPLOY, ROOT

ALL = manifests()
NATIVE = [each for each in ALL if each.is_native]
CUSTOM = [each for each in ALL if not each.is_native]
# Definitions that come as Go modules, which only the integration tests download: tests/components/crds.py.
FROM_GO_MODULES = ("monitoring.coreos.com", "keda.sh", "zookeeper.pravega.io")
STACK = load_stack(ROOT / "stack.yml", {})


@pytest.mark.long
@pytest.mark.parametrize("manifest", NATIVE, ids=str)
def test_kubernetes_own_kinds_follow_its_schema(manifest: Manifest) -> None:
    import kubernetes_validate

    kubernetes_validate.validate(dict(manifest.document), KUBERNETES_VERSION, strict=True)


def test_schema_check_notices_a_field_that_does_not_exist() -> None:
    import kubernetes_validate

    document = copy.deepcopy(dict(next(each for each in NATIVE if each.kind == "CronJob").document))
    document["spec"]["shedule"] = "* * * * *"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, KUBERNETES_VERSION, strict=True)


@pytest.mark.crds
@pytest.mark.parametrize("manifest", [each for each in CUSTOM if each.group not in FROM_GO_MODULES], ids=str)
def test_custom_resources_follow_their_definitions(manifest: Manifest) -> None:
    from jsonschema import Draft202012Validator

    schemas = crd_schemas(crd_folder())
    name = (manifest.group, manifest.version, manifest.kind)
    assert name in schemas, f"no definition of {name} in PENSTOCK_CRDS"
    problems = [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in Draft202012Validator(schemas[name]).iter_errors(dict(manifest.document))
    ]
    assert problems == []


@pytest.mark.crds
def test_definition_check_notices_a_field_that_does_not_exist() -> None:
    from jsonschema import Draft202012Validator

    document: Any = copy.deepcopy(dict(next(each for each in CUSTOM if each.kind == "Tenant").document))
    document["spec"]["poools"] = []
    schema = crd_schemas(crd_folder())["minio.min.io", "v2", "Tenant"]
    assert not Draft202012Validator(schema).is_valid(document)


def containers(document: Any) -> list[dict[str, Any]]:
    """The containers of whatever holds a pod."""
    found: list[dict[str, Any]] = []
    if isinstance(document, dict):
        for name, value in document.items():
            if name in ("containers", "initContainers") and isinstance(value, list):
                found += [each for each in value if isinstance(each, dict)]
            else:
                found += containers(value)
    elif isinstance(document, list):
        for each in document:
            found += containers(each)
    return found


@pytest.mark.parametrize("manifest", [each for each in ALL if containers(each.document)], ids=str)
def test_every_container_is_restricted_pinned_and_bounded(manifest: Manifest) -> None:
    for container in containers(manifest.document):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"]["drop"] == ["ALL"]
        assert {"memory", "ephemeral-storage"} <= container["resources"]["limits"].keys()
        for variable in container.get("env", []):
            if re.search(r"PASSWORD|SECRET_KEY|ACCESS_KEY|TOKEN", variable["name"]):
                is_file = variable["name"].endswith("_FILE") and variable["value"].startswith("/var/openfaas/secrets/")
                assert is_file or "valueFrom" in variable


# Workloads of operators: a container that they make is bounded by what these fields say.
OPERATED = {
    "KafkaNodePool": ("spec", "resources"),
    "Tenant": ("spec", "pools", 0, "resources"),
    "KafkaCluster": ("spec", "brokerConfigGroups", "default", "resourceRequirements"),
    "ZookeeperCluster": ("spec", "pod", "resources"),
}


@pytest.mark.parametrize("manifest", [each for each in ALL if each.kind in OPERATED], ids=str)
def test_what_an_operator_runs_is_bounded_too(manifest: Manifest) -> None:
    found: Any = manifest.document
    for step in OPERATED[manifest.kind]:
        found = found[step]
    assert {"memory", "ephemeral-storage"} <= found["limits"].keys()


def test_every_kind_of_workload_is_looked_at() -> None:
    """A new kind that runs pods must be named above or have containers of its own."""
    runs_pods = {each.kind for each in ALL if containers(each.document)} | set(OPERATED)
    others = {each.kind for each in ALL} - runs_pods
    assert others == {
        *("Namespace", "ServiceAccount", "ConfigMap", "PodDisruptionBudget"),
        *("Role", "RoleBinding", "NetworkPolicy", "Ingress", "Issuer", "Certificate"),
        *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
        *("Broker", "Trigger", "KafkaSource", "SinkBinding", "ScaledObject", "TriggerAuthentication"),
        *("Kafka", "KafkaTopic", "KafkaUser", "PodMonitor", "ServiceMonitor", "PrometheusRule"),
    }


def test_pods_of_a_namespace_are_reached_as_a_policy_says() -> None:
    """Each namespace of ours denies what no policy allows, or each workload in it has a policy of its own."""
    policies = [each.document for each in ALL if each.kind == "NetworkPolicy"]
    denied = {each["metadata"].get("namespace", "") for each in policies if each["spec"]["podSelector"] == {}}
    selected = [each["spec"]["podSelector"].get("matchLabels", {}) for each in policies]
    for manifest in ALL:
        if manifest.kind not in ("Deployment", "StatefulSet") or manifest.file.startswith("deploy/knative/"):
            continue
        labels = manifest.document["spec"]["template"]["metadata"]["labels"]
        assert denied <= {""}
        assert any(wanted and wanted.items() <= labels.items() for wanted in selected), manifest


def test_the_jobs_of_functions_run_the_images_of_the_stack_file() -> None:
    """What the admission policy allows by default is what `stack.yml` names; its Secrets are those of the functions."""
    [allowed] = [each.document["data"] for each in ALL if each.document["metadata"]["name"] == "penstock-jobs-policy"]
    images = {name: spec.image for name, spec in STACK.functions.items()}
    offloads = {name for name, spec in STACK.functions.items() if spec.config().jobs is not None}
    assert set(allowed["images"].split(" ")) <= set(images.values())
    assert {images[name] for name in {"compress", "resize", "index"} | offloads} <= set(allowed["images"].split(" "))
    assert {name for spec in STACK.functions.values() for name in spec.secrets} <= set(allowed["secrets"].split(" "))
    for folder in ("jobs", "knative/jobs"):
        kustomization = yaml.load(
            (DEPLOY / folder / "kustomization.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader
        )
        assert {Path(each).name for each in kustomization["resources"]} == {"admission", "functions"}


def found_in(document: Any, name: str) -> list[Any]:
    """Every value under this name, wherever it stands in a document."""
    if isinstance(document, dict):
        own = [document[name]] if name in document else []
        return own + [each for value in document.values() for each in found_in(value, name)]
    return [each for value in document for each in found_in(value, name)] if isinstance(document, list) else []


@pytest.mark.parametrize("manifest", [each for each in ALL if found_in(each.document, "emptyDir")], ids=str)
def test_every_volume_on_a_nodes_disk_is_bounded(manifest: Manifest) -> None:
    for volume in found_in(manifest.document, "emptyDir"):
        assert re.fullmatch(r"[1-9][0-9]*(Mi|Gi)", volume["sizeLimit"])


# What may run in a namespace (https://kubernetes.io/docs/concepts/security/pod-security-standards/). Strimzi's pods are
# `baseline` unless its operator is told otherwise, and the node exporter of kube-prometheus-stack reads the host.
POD_SECURITY = {"kafka": "baseline", "monitoring": "privileged"}


@pytest.mark.parametrize("manifest", [each for each in ALL if each.kind == "Namespace"], ids=str)
def test_every_namespace_says_what_pods_may_do(manifest: Manifest) -> None:
    metadata = manifest.document["metadata"]
    level = POD_SECURITY.get(metadata["name"], "restricted")
    assert metadata["labels"]["pod-security.kubernetes.io/enforce"] == level
    assert metadata["labels"]["pod-security.kubernetes.io/warn"] in ("baseline", "restricted")


@pytest.mark.parametrize("manifest", [each for each in ALL if each.kind == "NetworkPolicy"], ids=str)
def test_every_rule_of_a_network_policy_names_its_ports(manifest: Manifest) -> None:
    spec = manifest.document["spec"]
    for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
        assert rule["ports"]
        assert all(port["protocol"] in ("TCP", "UDP") and port["port"] for port in rule["ports"])


def images(document: Any) -> list[str]:
    """Every `image: text` in a document, wherever it stands."""
    if isinstance(document, dict):
        own = [value for name, value in document.items() if name == "image" and isinstance(value, str)]
        return own + [image for value in document.values() for image in images(value)]
    return [image for each in document for image in images(each)] if isinstance(document, list) else []


@pytest.mark.parametrize("manifest", [each for each in ALL if images(each.document)], ids=str)
def test_images_are_pinned_to_a_version_in_a_registry_that_still_serves_it(manifest: Manifest) -> None:
    for image in images(manifest.document):
        if image == "penstock":  # deploy/jobs: its kustomization has name and tag
            continue
        name, _, tag = image.partition("@")[0].rpartition(":")
        assert re.fullmatch(r"(sha256:[0-9a-f]{64})?", image.partition("@")[2]), image
        assert tag[:1].isdigit() or tag.startswith(("v", "RELEASE.")), image
        assert "latest" not in tag
        # Bitnami's free images have left Docker Hub, and so has MinIO's.
        assert not name.startswith(("bitnami/", "docker.io/bitnami/", "minio/", "docker.io/minio/")), image


@pytest.mark.parametrize("folder", ["openfaas/base", "mqtt/connector"])
def test_connectors_have_the_token_of_functions_if_it_exists(folder: str) -> None:
    sources = [
        source["secret"]
        for each in ALL
        if each.file.startswith(f"deploy/{folder}/") and each.kind in ("Deployment", "StatefulSet")
        for volume in each.document["spec"]["template"]["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
    ]
    for name in ("function-token", "function-hmac-key"):
        tokens = [each for each in sources if each["name"] == name]
        assert tokens
        assert all(each["optional"] for each in tokens)


def test_no_manifest_names_a_token_in_an_address() -> None:
    addresses = [uri for each in ALL for uri in found_in(each.document, "uri")]
    assert set(addresses) == {"/event", "/dead-letters"}


def test_no_manifest_holds_a_secret() -> None:
    assert [str(each) for each in ALL if each.kind == "Secret"] == []


def test_every_file_is_reached_by_a_kustomization_or_named_in_the_documentation() -> None:
    documented = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("deploying*.md"))
    listed = set()
    for file in DEPLOY.rglob("kustomization.yaml"):
        kustomization = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
        for name in kustomization.get("resources", []):
            if not name.startswith("http"):
                listed.add((file.parent / name).resolve())
    for path in sorted(DEPLOY.rglob("*.yaml")):
        if path.name != "kustomization.yaml" and "patches" not in path.parts:
            assert path in listed or str(path.relative_to(ROOT)) in documented, path


def test_kind_has_one_control_plane_and_three_workers() -> None:
    cluster = yaml.load((DEPLOY / "kind" / "cluster.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
    assert (cluster["apiVersion"], cluster["kind"]) == ("kind.x-k8s.io/v1alpha4", "Cluster")
    assert [node["role"] for node in cluster["nodes"]] == ["control-plane", "worker", "worker", "worker"]


def by_kind(kind: str, folder: str) -> dict[str, Any]:
    return {
        each.document["metadata"]["name"]: each.document
        for each in ALL
        if each.kind == kind and each.file.startswith(f"deploy/{folder}/")
    }


@pytest.mark.parametrize("name", sorted(STACK.functions))
def test_stack_file_and_knative_agree(name: str) -> None:
    spec = STACK.functions[name]
    services = {key: each for key, each in by_kind("Service", "knative").items() if "template" in each["spec"]}
    [container] = services[name]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == spec.image
    assert {each["name"]: each["value"] for each in container["env"]} == dict(spec.environment)
    volumes = services[name]["spec"]["template"]["spec"]["volumes"]
    [secrets] = [each["projected"]["sources"] for each in volumes if each["name"] == "secrets"]
    assert [each["secret"]["name"] for each in secrets] == list(spec.secrets)
    assert spec.limits is not None
    limits = {"cpu": spec.limits.cpu, "memory": spec.limits.memory, "ephemeral-storage": "3Gi"}
    assert container["resources"]["limits"] == limits
    topics = by_kind("KafkaSource", "knative")["penstock"]["spec"]["topics"]
    assert spec.annotations["topic"] in topics


@pytest.mark.parametrize("folder", ["knative", "openfaas"])
@pytest.mark.parametrize("name", sorted(STACK.functions))
def test_reconcile_jobs_on_both_platforms_are_those_of_the_stack_file(name: str, folder: str) -> None:
    spec = STACK.functions[name]
    job = by_kind("CronJob", folder)[f"{name}-reconcile"]
    assert job["spec"]["schedule"] == spec.annotations["penstock.dev/reconcile"]
    [container] = containers(job)
    assert container["image"] == spec.image
    assert container["args"] == ["penstock", "reconcile", "/opt/app/function"]
    assert {each["name"]: each["value"] for each in container["env"]} == dict(spec.environment)


def test_mqtt_goes_by_tls_only_on_both_ends() -> None:
    broker = (DEPLOY / "mqtt" / "broker" / "mosquitto.conf").read_text(encoding="utf-8")
    assert re.findall(r"(?m)^listener (.+)$", broker) == ["8883"]
    assert re.findall(r"(?m)^(allow_anonymous|acl_file) (.+)$", broker) == [
        ("allow_anonymous", "false"),
        ("acl_file", "/mosquitto/config/acl.conf"),
    ]
    [connector] = by_kind("StatefulSet", "mqtt/connector").values()
    [container] = containers(connector)
    settings = {each["name"]: each["value"] for each in container["env"]}
    assert settings["MQTT_URL"] == "mqtts://mosquitto.mqtt.svc.cluster.local:8883"
    assert settings["CA_FILE"] == "/var/openfaas/secrets/mqtt-ca.crt"
    [certificate] = [
        each for each in by_kind("Certificate", "mqtt/broker").values() if each["spec"]["secretName"] == "mosquitto-tls"
    ]
    assert "mosquitto.mqtt.svc.cluster.local" in certificate["spec"]["dnsNames"]


def test_topics_of_the_functions_are_topics_of_the_kafka_cluster() -> None:
    declared = set(by_kind("KafkaTopic", "kafka/base"))
    wanted = {spec.annotations["topic"] for spec in STACK.functions.values()}
    assert wanted | {"dead-letters"} <= declared


def test_tenant_has_four_servers_of_ten_gibibytes() -> None:
    [tenant] = by_kind("Tenant", "minio").values()
    [pool] = tenant["spec"]["pools"]
    size = pool["volumeClaimTemplate"]["spec"]["resources"]["requests"]["storage"]
    assert (pool["servers"], pool["volumesPerServer"], size) == (4, 1, "10Gi")


def test_metrics_of_the_object_store_are_shown_to_those_with_a_token_only() -> None:
    [tenant] = by_kind("Tenant", "minio").values()
    assert "MINIO_PROMETHEUS_AUTH_TYPE" not in {each["name"] for each in tenant["spec"].get("env", [])}
    [endpoint] = by_kind("ServiceMonitor", "observability")["minio"]["spec"]["endpoints"]
    assert endpoint["authorization"] == {"type": "Bearer", "credentials": {"name": "minio-metrics", "key": "token"}}


def test_ingress_takes_uploads_of_any_size_and_waits_ten_minutes() -> None:
    [ingress] = by_kind("Ingress", "minio").values()
    annotations = ingress["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/proxy-body-size"] == "0"
    for name in ("connect", "read", "send"):
        assert annotations[f"nginx.ingress.kubernetes.io/proxy-{name}-timeout"] == "600"
    # The same for F5's controller, which docs/deploying.md installs.
    assert annotations["nginx.org/client-max-body-size"] == "0"
    for name in ("connect", "read", "send"):
        assert annotations[f"nginx.org/proxy-{name}-timeout"] == "600s"
    assert "cert-manager.io/issuer" in annotations
    assert ingress["spec"]["tls"]


KAFKA = re.compile(r"\b(penstock-kafka-bootstrap|kafka-headless)\.kafka\.svc\.cluster\.local:(\d+)")


def addresses_of_kafka() -> set[tuple[str, int]]:
    """Host and port, wherever a manifest, a lake file or a command of the documentation names Kafka's Service."""
    folders = ((DEPLOY, "*.yaml"), (ROOT / "examples", "lake.yml"), (ROOT / "docs", "deploying*.md"))
    texts = [path.read_text(encoding="utf-8") for folder, pattern in folders for path in folder.rglob(pattern)]
    return {(host, int(port)) for text in texts for host, port in KAFKA.findall(text)}


def test_kafka_is_addressed_at_the_listener_for_clients_and_never_at_the_controllers() -> None:
    [strimzi] = by_kind("Kafka", "kafka/base").values()
    secured = {
        each["port"]: each["authentication"]["type"] for each in strimzi["spec"]["kafka"]["listeners"] if each["tls"]
    }
    assert [each for each in strimzi["spec"]["kafka"]["listeners"] if not each["tls"]] == []
    [historical] = by_kind("KafkaCluster", "kafka/historical").values()
    listeners = historical["spec"]["listenersConfig"]["internalListeners"]
    clients = {each["containerPort"] for each in listeners if not each.get("usedForControllerCommunication")}
    controllers = {each["containerPort"] for each in listeners if each.get("usedForControllerCommunication")}
    assert (secured, clients, controllers) == ({9093: "scram-sha-512"}, {29092}, {29093})
    assert addresses_of_kafka() == {("penstock-kafka-bootstrap", 9093), ("kafka-headless", 29092)}


def test_every_user_of_kafka_has_a_password_and_rights_on_names_of_its_own() -> None:
    [strimzi] = by_kind("Kafka", "kafka/base").values()
    assert strimzi["spec"]["kafka"]["authorization"] == {"type": "simple"}
    assert "userOperator" in strimzi["spec"]["entityOperator"]
    topics = set(by_kind("KafkaTopic", "kafka/base"))
    users = by_kind("KafkaUser", "kafka/base")
    assert set(users) == {"minio", "connector", "keda", "knative"}
    for name, user in users.items():
        assert user["spec"]["authentication"] == {"type": "scram-sha-512"}
        for rule in user["spec"]["authorization"]["acls"]:
            resource = rule["resource"]
            assert resource["type"] in ("topic", "group"), name
            assert resource["name"] in topics or resource["name"].startswith(("penstock", "knative-")), name
            assert not {"All", "Alter", "ClusterAction"} & set(rule["operations"]), name


def test_clients_of_kafka_come_as_their_user_and_check_the_certificate() -> None:
    [connector] = by_kind("Deployment", "openfaas/base").values()
    [container] = containers(connector)
    settings = {each["name"]: each["value"] for each in container["env"]}
    assert settings["KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"
    assert settings["KAFKA_SASL_USERNAME"] in by_kind("KafkaUser", "kafka/base")
    assert settings["KAFKA_SSL_CA_LOCATION"].startswith("/var/openfaas/secrets/")
    secret = by_kind("ConfigMap", "knative")["penstock-broker"]["data"]["auth.secret.ref.name"]
    net = by_kind("KafkaSource", "knative")["penstock"]["spec"]["net"]
    assert net["tls"]["enable"] is net["sasl"]["enable"] is True
    assert {each["name"] for each in found_in(net, "secretKeyRef")} == {secret}
    for trigger in by_kind("ScaledObject", "openfaas/keda")["kafka-connector"]["spec"]["triggers"]:
        assert (trigger["metadata"]["tls"], trigger["metadata"]["sasl"]) == ("enable", "scram_sha512")
        assert trigger["authenticationRef"]["name"] in by_kind("TriggerAuthentication", "openfaas/keda")


def test_the_search_server_is_reached_by_tls_as_a_user() -> None:
    settings = yaml.load((DEPLOY / "search" / "opensearch.yml").read_text(encoding="utf-8"), yaml.CSafeLoader)
    assert settings["plugins.security.ssl.http.enabled"] is True
    assert "plugins.security.disabled" not in settings
    [server] = by_kind("StatefulSet", "search").values()
    environment = {each["name"] for container in containers(server) for each in container.get("env", [])}
    assert "DISABLE_SECURITY_PLUGIN" not in environment
    spec = STACK.functions["index"]
    assert spec.environment["SINK"].startswith("opensearch+https://opensearch.search.svc")
    assert {"sink-username", "sink-password", "search-ca"} <= set(spec.secrets)
    assert spec.environment["SINK_CA_FILE"] == "/var/openfaas/secrets/search-ca"
    assert "MINIO_CA_FILE" not in spec.environment  # it is the store's, which may have another authority
    [certificate] = [
        each for each in by_kind("Certificate", "search").values() if each["spec"]["secretName"] == "opensearch-tls"
    ]
    assert "opensearch.search.svc.cluster.local" in certificate["spec"]["dnsNames"]


def test_every_image_of_a_kustomization_has_a_version() -> None:
    for folder in kustomizations():
        kustomization = yaml.load((folder / "kustomization.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader)
        for image in kustomization.get("images", []):
            assert re.fullmatch(r"\d+\.\d+\.\d+", image["newTag"]), folder


def test_no_file_is_left_out() -> None:
    """Files that are not YAML are named here, so that a new one is looked at."""
    others = {path.relative_to(DEPLOY) for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".yaml"}
    assert {path.suffix or path.name for path in others} <= {
        ".json",
        "Dockerfile",
        ".conf",
        ".md",
        ".dockerignore",
        ".yml",
    }
    assert all((DEPLOY / path).stat().st_size for path in others if path != Path())


def test_servers_without_an_operator_stand_where_the_tenant_stands() -> None:
    """The same names, labels and paths, so that Ingress, NetworkPolicies, monitoring and lake.yml serve either."""
    service, servers = by_kind("Service", "silo")["minio"]["spec"], by_kind("StatefulSet", "silo")["minio"]["spec"]
    [ingress] = by_kind("Ingress", "minio").values()
    [rule] = ingress["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"]["service"]["name"] == "minio"
    assert [port["port"] for port in service["ports"]] == [80]
    policy = by_kind("NetworkPolicy", "minio")["minio"]["spec"]["podSelector"]["matchLabels"]
    assert servers["template"]["metadata"]["labels"] == service["selector"] == policy
    [container] = servers["template"]["spec"]["containers"]
    assert servers["replicas"] == 4
    assert "http://minio-{0...3}.minio-hl.minio.svc.cluster.local:9000/export/data" in container["args"]
    assert re.fullmatch(r"docker\.io/pgsty/silo:RELEASE\.[0-9TZ-]+@sha256:[0-9a-f]{64}", container["image"])
    [claim] = servers["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "10Gi"
