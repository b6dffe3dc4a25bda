"""deploy/kafka/base on a real broker: TLS, users with passwords, and the rights that each KafkaUser is given.

Strimzi turns a KafkaUser into a SCRAM credential and access control lists. The test does the same with Kafka's own
admin API, and the connector runs with the environment of its Deployment.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from confluent_kafka.admin._scram import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)
from confluent_kafka.cimpl import NewTopic
from penstock.settings.stackfile import load_stack

from tests.cluster.pages import block_with, run_script
from tests.components import KafkaServer, MinioServer
from tests.components.certificates import Certificates, make_certificates
from tests.components.kafka import KafkaEndpoint
from tests.components.process import LOOPBACK, free_ports
from tests.integration.connect_helpers import Penstock, RecordingFunction
from tests.integration.test_shipped_mosquitto import ShippedMosquitto
from tests.manifests import manifests
from tests.paths import DEPLOY, ROOT
from tests.waiting import wait_until

BASE = [each for each in manifests() if each.file.startswith("deploy/kafka/base/")]
TOPICS = [each.document["metadata"]["name"] for each in BASE if each.kind == "KafkaTopic"]
USERS = {each.document["metadata"]["name"]: each.document["spec"] for each in BASE if each.kind == "KafkaUser"}
QUICK = ("--min-wait-seconds", "0.05", "--max-wait-seconds", "0.2", "--attempts", "2", "--drain-seconds", "10")


class ShippedKafka(KafkaServer):
    """A broker with the shipped listener and users; its plain listener is the administrator's."""

    def prepare(self) -> KafkaEndpoint:
        endpoint = super().prepare()
        (self.secure_port,) = free_ports(1)
        self.certificates: Certificates = make_certificates(self.folder / "tls")
        keystore = self.folder / "tls" / "keystore.pem"
        keystore.write_bytes(self.certificates.key_file.read_bytes() + self.certificates.cert_file.read_bytes())
        text = self._config.read_text(encoding="utf-8")
        for name in ("listeners", "advertised.listeners"):
            text = text.replace(f"\n{name}=", f"\n{name}=SASL_SSL://{LOOPBACK}:{self.secure_port},")
        properties = {
            "listener.security.protocol.map": "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(keystore),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
        self._config.write_text(
            text + "".join(f"{key}={value}\n" for key, value in properties.items()), encoding="utf-8"
        )
        return endpoint

    @property
    def secure_servers(self) -> str:
        return f"{LOOPBACK}:{self.secure_port}"

    def settings(self, user: str, password: str = "") -> dict[str, Any]:
        """librdkafka's settings of one user."""
        return {
            "bootstrap.servers": self.secure_servers,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": password or f"{user}-secret",
            "ssl.ca.location": str(self.certificates.ca_file),
            "log_level": 0,
        }


def make_users(admin: AdminClient) -> None:
    """What Strimzi's user operator makes of users.yaml."""
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    credentials: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(name, info, f"{name}-secret".encode()) for name in USERS
    ]
    for made in admin.alter_user_scram_credentials(credentials).values():
        made.result(timeout=30)
    bindings = [
        AclBinding(
            ResourceType[rule["resource"]["type"].upper()],
            rule["resource"]["name"],
            {"literal": ResourcePatternType.LITERAL, "prefix": ResourcePatternType.PREFIXED}[
                rule["resource"]["patternType"]
            ],
            f"User:{user}",
            "*",
            getattr(AclOperation, "DESCRIBE_CONFIGS" if operation == "DescribeConfigs" else operation.upper()),
            AclPermissionType.ALLOW,
        )
        for user, spec in USERS.items()
        for rule in spec["authorization"]["acls"]
        for operation in rule["operations"]
    ]
    for done in admin.create_acls(bindings).values():
        done.result(timeout=30)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedKafka]:
    with ShippedKafka(tmp_path_factory.mktemp("kafka")) as server:
        for topic in TOPICS:
            server.endpoint.create_topic(topic)
        make_users(server.endpoint.admin())
        yield server


def write(broker: ShippedKafka, user: str, topic: str, value: bytes, **settings: object) -> KafkaError | None:
    """Why the broker refused the record, or None."""
    answers: list[KafkaError | None] = []
    producer = Producer({**broker.settings(user), "message.timeout.ms": 20_000, **settings})
    producer.produce(topic, value, on_delivery=lambda error, _: answers.append(error))
    producer.flush(60)
    return answers[0]


def read(broker: ShippedKafka, user: str, topic: str, group: str) -> KafkaError | None:
    """Why the broker refuses to hand out the first record, or None."""
    consumer = Consumer({**broker.settings(user), "group.id": group, "auto.offset.reset": "earliest"})
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        record = consumer.poll(60)
        assert record is not None
        error: KafkaError | None = record.error()
        return error
    finally:
        consumer.close()


def shipped_environment(broker: ShippedKafka, folder: Path) -> dict[str, str]:
    """The connector's environment in its Deployment, with this machine's address and paths."""
    [deployment] = [
        each.document
        for each in manifests()
        if each.file == "deploy/openfaas/base/kafka-connector.yaml" and each.kind == "Deployment"
    ]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    given = {each["name"]: each["value"] for each in container["env"] if each["name"].startswith("KAFKA_")}
    secrets = folder / "secrets"
    secrets.mkdir(exist_ok=True)
    (secrets / "kafka-password").write_text("connector-secret", encoding="utf-8")
    shutil.copy(broker.certificates.ca_file, secrets / "kafka-ca.crt")
    given = {name: value.replace("/var/openfaas/secrets", str(secrets)) for name, value in given.items()}
    assert given["KAFKA_BOOTSTRAP_SERVERS"] == "penstock-kafka-bootstrap.kafka.svc.cluster.local:9093"
    return given | {"KAFKA_BOOTSTRAP_SERVERS": broker.secure_servers}


def test_what_minio_sends_goes_by_tls_and_users_to_functions_and_dead_letters(
    broker: ShippedKafka, function: RecordingFunction, tmp_path: Path
) -> None:
    """The shipped lake file on a real MinIO, with the shipped Mosquitto, and the connector as it is deployed."""
    function.answer = lambda path, body: 422 if b"bad.csv" in body else 200
    environment = shipped_environment(broker, tmp_path)
    (tmp_path / "mqtt").mkdir()
    with ShippedMosquitto(tmp_path / "mqtt") as mosquitto, MinioServer(tmp_path / "minio") as minio:
        trust(minio, tmp_path / "minio", {"kafka-ca": broker.certificates.ca_file, "mqtt-ca": mosquitto.ca_file})
        text = (DEPLOY / "minio" / "lake.yml").read_text(encoding="utf-8")
        text = text.replace("../../stack.yml", str(ROOT / "stack.yml"))
        path = tmp_path / "lake.yml"
        path.write_text(text.replace("/export/events", str(tmp_path / "events")), encoding="utf-8")
        endpoint = minio.endpoint
        lake = {
            "MINIO_ENDPOINT": endpoint.url,
            "MINIO_ACCESS_KEY": endpoint.access_key,
            "MINIO_SECRET_KEY": endpoint.secret_key,
            "KAFKA_BROKERS": broker.secure_servers,
            "KAFKA_PASSWORD": "minio-secret",
            "MQTT_BROKER": f"ssl://{LOOPBACK}:{mosquitto.port}",
            "MQTT_PASSWORD": "minio-secret",
        }
        applied = Penstock("lake", tmp_path, "lake", "apply", "--file", str(path), env=lake)
        assert applied.wait(120) == 0, applied.text()
        for name in ("good.csv", "bad.csv"):
            minio.mc("pipe", f"lake/upload/{name}")
        more = ("--to", f"upload={function.url}/", *QUICK)
        connector = Penstock(
            "connector", tmp_path, "connect", "kafka", "--dead-letter-topic=dead-letters", *more, env=environment
        )
        connector.until(lambda: len(function.delivered()) >= 1, "the delivery of good.csv")
        assert b"good.csv" in function.delivered()[0]

        def listed() -> str:
            child = Penstock("dlq", tmp_path, "dlq", "list", "--dead-letter-topic", "dead-letters", env=environment)
            assert child.wait(60) == 0, child.text()
            return child.text()

        connector.until(lambda: "bad.csv" in listed() or "422" in listed(), "a dead letter of bad.csv")
        assert connector.end() == 0, connector.text()


def trust(minio: MinioServer, folder: Path, authorities: Mapping[str, Path]) -> None:
    """Give MinIO authorities as a volume of Kubernetes does, by links that can change all at once, and restart it."""
    trusted = folder / "certs" / "CAs"
    (trusted / "..2026").mkdir(parents=True)
    (trusted / "..data").symlink_to("..2026")
    for name, file in authorities.items():
        shutil.copy(file, trusted / "..2026" / f"{name}.crt")
        (trusted / f"{name}.crt").symlink_to(f"..data/{name}.crt")
    minio.service_restart()


def test_what_the_page_of_kubernetes_declares_arrives_in_the_topic_of_each_function(
    broker: ShippedKafka, tmp_path: Path
) -> None:
    lake = tmp_path / "deploy" / "kubernetes" / "lake.yml"
    lake.parent.mkdir(parents=True)
    shutil.copy(DEPLOY / "kubernetes" / "lake.yml", lake)
    for name in ("stack.yml", "functions", "shared", "template", "templates"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "kafka-password-minio").write_text("minio-secret", encoding="utf-8")
    with MinioServer(tmp_path / "minio") as minio:
        trust(minio, tmp_path / "minio", {"kafka-ca": broker.certificates.ca_file})
        endpoint = minio.endpoint
        script = block_with("deploying-kubernetes.md", "penstock lake apply")
        for text, here in (
            ("http://127.0.0.1:9000", endpoint.url),
            ("lake-root", endpoint.access_key),
            ("/export/events", str(tmp_path / "events")),
        ):
            assert text in script
            script = script.replace(text, here)
        given = {"ROOT_PASSWORD": endpoint.secret_key, "KAFKA_BROKERS": broker.secure_servers}
        run_script(script, tmp_path, tmp_path, given)
        functions = load_stack(ROOT / "stack.yml", {}).functions
        keys = {"compress": ("upload", "a.csv"), "resize": ("images", "b.jpg"), "index": ("processed", "c.csv.gz")}
        for name, (bucket, key) in keys.items():
            topic = functions[name].annotations["topic"]
            end = Consumer({**broker.settings("connector"), "group.id": "penstock"})
            _, after = end.get_watermark_offsets(TopicPartition(topic, 0), timeout=60)
            minio.mc("pipe", f"lake/{bucket}/{key}")
            end.assign([TopicPartition(topic, 0, after)])
            record = end.poll(60)
            end.close()
            assert record is not None
            assert record.error() is None
            assert key.encode() in (record.value() or b"")


def test_each_user_does_its_own_part_only(broker: ShippedKafka) -> None:
    # The broker takes up rights a moment after the controller has answered.
    wait_until(lambda: write(broker, "minio", "my-topic", b"event") is None, "a record that its writer may write")
    refused = KafkaError.TOPIC_AUTHORIZATION_FAILED
    wait_until(lambda: read(broker, "connector", "my-topic", "penstock") is None, "a record that its reader may read")
    for user, topic in (("connector", "my-topic"), ("minio", "dead-letters"), ("keda", "my-topic")):
        error = write(broker, user, topic, b"forged")
        assert error is not None
        assert error.code() == refused, (user, topic)
    group = KafkaError.GROUP_AUTHORIZATION_FAILED
    # Which of the two comes first is the client's timing.
    for user, why in (("minio", {group, refused}), ("keda", {refused})):
        error = read(broker, user, "my-topic", "penstock")
        assert error is not None
        assert error.code() in why, user


SOURCES = ("upload", "processed", "my-topic")
# What each user may do with each topic, as the broker itself says it. Reading and writing include describing.
RIGHTS: dict[str, dict[str, set[str]]] = {
    "minio": {topic: {"DESCRIBE", "WRITE"} for topic in SOURCES},
    "connector": {topic: {"DESCRIBE", "READ"} for topic in SOURCES} | {"dead-letters": {"DESCRIBE", "READ", "WRITE"}},
    "keda": {topic: {"DESCRIBE"} for topic in SOURCES},
    "knative": {topic: {"DESCRIBE", "READ"} for topic in SOURCES},
}
GROUPS: dict[str, dict[str, set[str]]] = {
    "minio": {},
    "connector": {"penstock": {"DESCRIBE", "READ"}, "penstock-dlq-1": {"DESCRIBE", "READ"}},
    "keda": {"penstock": {"DESCRIBE"}},
    "knative": {"penstock-knative": {"DESCRIBE", "READ", "DELETE"}},
}


REFUSED = (
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)


def allowed(ask: Callable[[], Any]) -> set[str]:
    """The operations that the broker allows; none where it does not even tell that the thing is there."""
    for _ in range(200):
        try:
            return {operation.name for operation in ask().result(timeout=60).authorized_operations or ()}
        except KafkaException as exc:
            if exc.args[0].code() in REFUSED:
                return set()
            if exc.args[0].code() != KafkaError.COORDINATOR_LOAD_IN_PROGRESS:
                raise
            time.sleep(0.3)
    raise AssertionError("the coordinator of the group never became ready")


@pytest.mark.parametrize("user", RIGHTS)
def test_broker_allows_each_user_what_it_needs_and_nothing_else(broker: ShippedKafka, user: str) -> None:
    assert set(RIGHTS) == set(USERS)
    for topic in ("secret", "knative-broker-other-ns-x"):
        if topic not in broker.endpoint.admin().list_topics(timeout=30).topics:
            broker.endpoint.create_topic(topic)
    admin = AdminClient(broker.settings(user))

    def of_topic(topic: str) -> Any:
        return admin.describe_topics(TopicCollection([topic]), include_authorized_operations=True)[topic]

    def of_group(group: str) -> Any:
        return admin.describe_consumer_groups([group], include_authorized_operations=True)[group]

    for topic in (*TOPICS, "secret", "knative-broker-other-ns-x", "__consumer_offsets"):
        assert allowed(partial(of_topic, topic)) == RIGHTS[user].get(topic, set()), topic
    for group in ("penstock", "penstock-dlq-1", "penstock-knative", "another", "penstock-knative-2"):
        assert allowed(partial(of_group, group)) == GROUPS[user].get(group, set()), group
    assert allowed(lambda: admin.describe_cluster(include_authorized_operations=True)) == set()


def test_a_connector_in_another_group_is_refused(broker: ShippedKafka) -> None:
    consumer = Consumer({**broker.settings("connector"), "group.id": "another"})
    try:
        consumer.subscribe(["upload"])
        wait_until(lambda: _refusal(consumer) == KafkaError.GROUP_AUTHORIZATION_FAILED, "a refusal of the group")
    finally:
        consumer.close()


def _refusal(consumer: Consumer) -> int | None:
    """The code of the next error; one of a connection that is not there yet may come before."""
    answer = consumer.poll(1)
    assert answer is None or answer.error() is not None, "a record for a group that may not read"
    error = answer.error() if answer is not None else None
    return error.code() if error is not None else None


def test_keda_sees_the_lag_and_no_record(broker: ShippedKafka) -> None:
    consumer = Consumer({**broker.settings("keda"), "group.id": "penstock"})
    try:
        assert len(consumer.committed([TopicPartition("upload", 0)], timeout=30)) == 1
        assert consumer.get_watermark_offsets(TopicPartition("upload", 0), timeout=30)[1] >= 0
    finally:
        consumer.close()


def test_knative_makes_its_own_topics_and_no_other(broker: ShippedKafka) -> None:
    admin = AdminClient(broker.settings("knative"))
    [made] = admin.create_topics([NewTopic("knative-broker-penstock-penstock", 1, 1)]).values()
    made.result(timeout=30)
    assert (
        write(broker, "knative", "knative-broker-penstock-penstock", b"event", **{"enable.idempotence": True}) is None
    )
    [other] = admin.create_topics([NewTopic("another", 1, 1)]).values()
    with pytest.raises(KafkaException) as refused:
        other.result(timeout=30)
    assert refused.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


@pytest.mark.parametrize(
    "changed", [{"sasl.password": "wrong"}, {"sasl.username": "stranger"}, {"security.protocol": "PLAINTEXT"}]
)
def test_without_tls_or_a_password_there_is_no_answer(broker: ShippedKafka, changed: dict[str, str]) -> None:
    settings = broker.settings("connector") | changed
    if changed.get("security.protocol"):
        settings = {name: value for name, value in settings.items() if not name.startswith(("sasl.", "ssl."))}
    with pytest.raises(KafkaException):
        AdminClient(settings).list_topics(timeout=5)
    # The same with what is right.
    assert AdminClient(broker.settings("connector")).list_topics(timeout=30).brokers
