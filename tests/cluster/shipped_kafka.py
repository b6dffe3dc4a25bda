"""Kafka as deploy/kafka/base describes it, in a pod: TLS, users with passwords and rights, one broker.

No image of Kafka can be had here. So the container changes its root to the node's files, where Java and Kafka are,
and only its network is the pod's. What Strimzi makes of the KafkaTopics and KafkaUsers is made with Kafka's own admin
API.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from tests.cluster.lake import CONNECTORS_IMAGE
from tests.components.certificates import make_certificates
from tests.components.cluster import ClusterServer
from tests.components.install import HERE, java
from tests.components.kafka import CLUSTER_ID, KAFKA, ONE_BROKER, KafkaEndpoint
from tests.components.process import LOOPBACK, free_ports
from tests.integration.test_shipped_kafka import TOPICS, USERS, make_users

NAMESPACE = "kafka"
_NAME = "penstock-kafka-bootstrap"  # as Strimzi calls the Service of the Kafka `penstock`
_HOST = f"{_NAME}.{NAMESPACE}.svc.cluster.local"
_SECURE_PORT, _OUTSIDE_PORT, _LOCAL_PORT, _CONTROLLER_PORT = 9093, 9094, 9092, 9095
_DATA, _GIVEN = "/mnt", "/media"  # every Debian has these folders, so a volume can be there in the node's files
# Kafka asks for the name of the address that a client came to. The name servers in the node's files are not reached
# from the pod, and each log-in waited for them for ten seconds and more.
_NAMES = f"{LOOPBACK} localhost {_HOST}\n"
# Logs in as a user by TLS until the broker answers within a second, as it does once its Java is warm.
_LOG_IN = f"""
import sys, time
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
took, end = 60.0, time.monotonic() + 240
while took > 1 and time.monotonic() < end:
    begun = time.monotonic()
    try:
        AdminClient({{
            "bootstrap.servers": "{_HOST}:{_SECURE_PORT}",
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": sys.argv[1],
            "sasl.password": sys.argv[1] + "-secret",
            "ssl.ca.location": "/host{_GIVEN}/ca.crt",
            "log_level": 0,
        }}).list_topics(timeout=30)
        took = time.monotonic() - begun
    except KafkaException as error:
        print(error)
sys.exit(took > 1)
"""


def start_shipped_kafka(server: ClusterServer, folder: Path) -> KafkaEndpoint:
    """Start it, and leave in the folder what docs/deploying.md reads out of Strimzi's Secrets.

    Returns how the administrator reaches it, without TLS.
    """
    (port,) = free_ports(1)
    made = make_certificates(server.folder / "kafka-tls", names=(_HOST,))
    files = {
        "keystore.pem": made.key_file.read_text(encoding="ascii") + made.cert_file.read_text(encoding="ascii"),
        "ca.crt": made.ca_file.read_text(encoding="ascii"),
        "hosts": _NAMES,
        "kafka.properties": "".join(f"{key}={value}\n" for key, value in _properties(port).items()),
    }
    server.apply_documents(_documents(files))
    server.kubectl("-n", NAMESPACE, "wait", "deployment", _NAME, "--for=condition=Available", "--timeout=300s")
    address = server.kubectl("-n", NAMESPACE, "get", "service", _NAME, "-o", "jsonpath={.spec.clusterIP}")
    server.relay(port, f"{address}:{_OUTSIDE_PORT}")
    endpoint = KafkaEndpoint(f"{LOOPBACK}:{port}")
    server.wait_until(endpoint.answers, "answering (Kafka)")
    for topic in TOPICS:
        endpoint.create_topic(topic)
    make_users(endpoint.admin())
    # The first log-in of a cold Java may take longer than MinIO gives a target that it tries.
    server.kubectl("-n", NAMESPACE, "exec", f"deployment/{_NAME}", "--", "python", "-c", _LOG_IN, "minio")
    (folder / "kafka-ca.crt").write_bytes(made.ca_file.read_bytes())
    for user in USERS:
        (folder / f"kafka-password-{user}").write_text(f"{user}-secret", encoding="ascii")
    return endpoint


def _properties(port: int) -> dict[str, str]:
    return {
        **ONE_BROKER,
        "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{_CONTROLLER_PORT}",
        "listeners": f"SASL_SSL://0.0.0.0:{_SECURE_PORT},OUTSIDE://0.0.0.0:{_OUTSIDE_PORT},"
        f"PLAINTEXT://{LOOPBACK}:{_LOCAL_PORT},CONTROLLER://{LOOPBACK}:{_CONTROLLER_PORT}",
        "advertised.listeners": f"SASL_SSL://{_HOST}:{_SECURE_PORT},OUTSIDE://{LOOPBACK}:{port},"
        f"PLAINTEXT://{LOOPBACK}:{_LOCAL_PORT}",
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL,"
        "OUTSIDE:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": f"{_DATA}/log",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": f"{_DATA}/keystore.pem",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }


def _documents(files: dict[str, str]) -> list[dict[str, Any]]:
    options = ("-Xmx384m", f"-Djava.io.tmpdir={_DATA}", f"-Djdk.net.hosts.file={_DATA}/hosts", "-XX:-UsePerfData")
    log = f"-Dlog4j2.configurationFile={HERE / 'java/kafka/log4j2.xml'}"
    command = shlex.join([*java(KAFKA.install(), *options, log)])
    file = f"{_DATA}/kafka.properties"
    script = (
        f"cp {_GIVEN}/* {_DATA}/ && "
        f"{command} kafka.tools.StorageTool format --standalone --cluster-id {CLUSTER_ID} --config {file} && "
        f"exec {command} kafka.Kafka {file}"
    )
    # The image has no program `chroot`.
    inside = "import os, sys; os.chroot('/host'); os.chdir('/'); os.execv('/bin/sh', ['sh', '-c', sys.argv[1]])"
    labels = {"app": _NAME}
    pod = {
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "containers": [
            {
                "name": "kafka",
                "image": CONNECTORS_IMAGE,
                "command": ["python", "-c", inside, script],
                # Without a request a pod has next to no share of a busy machine, and clients give up.
                "resources": {"requests": {"cpu": "200m", "memory": "384Mi"}},
                "securityContext": {"runAsUser": 0},
                "readinessProbe": {"tcpSocket": {"port": _SECURE_PORT}, "periodSeconds": 1},
                "volumeMounts": [
                    {"name": "host", "mountPath": "/host", "readOnly": True},
                    {"name": "data", "mountPath": f"/host{_DATA}"},
                    {"name": "given", "mountPath": f"/host{_GIVEN}"},
                ],
            }
        ],
        "volumes": [
            {"name": "host", "hostPath": {"path": "/"}},
            {"name": "data", "emptyDir": {}},
            {"name": "given", "secret": {"secretName": "given"}},
        ],
    }
    deployment = {
        "selector": {"matchLabels": labels},
        "strategy": {"type": "Recreate"},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    ports = [{"name": f"port-{port}", "port": port} for port in (_SECURE_PORT, _OUTSIDE_PORT)]
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        _named("v1", "Secret", "given", stringData=files),
        _named("apps/v1", "Deployment", _NAME, spec=deployment),
        _named("v1", "Service", _NAME, spec={"selector": labels, "ports": ports}),
    ]


def _named(version: str, kind: str, name: str, **members: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **members}
