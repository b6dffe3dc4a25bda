"""The way of an event on Knative: Broker, one Trigger for each function, and the Kafka topics that feed the Broker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from penstock.errors import ConfigError
from penstock.events import CloudEventFields, source_of
from penstock.events.names import ACTED_ON
from penstock.jobs.pod import Document
from penstock.render.manifest import document, labels
from penstock.render.plan import FunctionPlan
from penstock.settings.config import RESERVED_PREFIX

BROKER: Final = "penstock"
KAFKA_SOURCE: Final = "penstock"
_BROKER_CONFIG: Final = "penstock-broker"
_TYPE_PREFIX: Final = "com.amazonaws.s3."
# The Service in front of a Broker of class Kafka; a Broker's address is this, its namespace and its name
# (https://knative.dev/docs/eventing/brokers/broker-types/kafka-broker/). It is in the Broker's status, too.
_INGRESS: Final = "http://kafka-broker-ingress.knative-eventing.svc.cluster.local"
# Knative doubles it with every retry: ten retries from half a second are over after 17 minutes.
_BACKOFF_DELAY: Final = "PT0.5S"


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """What all deliveries have in common.

    `dead_letters` is where undeliverable events go, as Knative writes a sink. `kafka_secret` is the name of the Secret
    for Kafka, "" for none. Its keys are those that a Kafka Broker reads: `protocol`, `sasl.mechanism`, `user`,
    `password` and `ca.crt` (https://knative.dev/docs/eventing/brokers/broker-types/kafka-broker/).
    """

    namespace: str
    kafka: str
    kafka_secret: str
    region: str
    dead_letters: Document


def broker_documents(delivery: BrokerSettings) -> list[Document]:
    """A Broker that keeps events in Kafka, and its settings."""
    data = {
        "bootstrap.servers": delivery.kafka,
        "default.topic.partitions": "10",
        "default.topic.replication.factor": "3",
    }
    if delivery.kafka_secret:
        data["auth.secret.ref.name"] = delivery.kafka_secret
    config = {"apiVersion": "v1", "kind": "ConfigMap", "name": _BROKER_CONFIG, "namespace": delivery.namespace}
    return [
        document("v1", "ConfigMap", _BROKER_CONFIG, labels=labels("broker", "eventing"), data=data),
        document(
            "eventing.knative.dev/v1",
            "Broker",
            BROKER,
            labels=labels("broker", "eventing"),
            annotations={"eventing.knative.dev/broker.class": "Kafka"},
            spec={"config": config, "delivery": _delivery(delivery, 10)},
        ),
    ]


def kafka_source(plans: Sequence[FunctionPlan], delivery: BrokerSettings) -> Document:
    """Feeds the Broker with every topic that a function wants."""
    spec = {
        "bootstrapServers": [delivery.kafka],
        "topics": sorted({topic for plan in plans for topic in plan.topics}),
        "consumerGroup": "penstock-knative",
        # The default is `latest`, which loses what arrived before the first consumer did.
        "initialOffset": "earliest",
        # A function looks at the object as it is, so the order of events does not matter.
        "ordering": "unordered",
        "delivery": _delivery(delivery, 10),
        "sink": {"ref": broker_reference()},
        **({"net": _net(delivery.kafka_secret)} if delivery.kafka_secret else {}),
    }
    # MinIO's record key is `bucket/key` as it is. Taken as text it becomes a header, which cannot carry a line's end or
    # another control character: such an event is neither delivered nor kept as a dead letter. As bytes it is encoded.
    key_type = {"kafkasources.sources.knative.dev/key-type": "byte-array"}
    return document(
        "sources.knative.dev/v1",
        "KafkaSource",
        KAFKA_SOURCE,
        labels={**labels("kafka", "eventing"), **key_type},
        spec=spec,
    )


def trigger(plan: FunctionPlan, delivery: BrokerSettings) -> Document:
    """Which events the Broker sends to the function, and what it does when the function fails."""
    function = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": plan.name}
    spec = {
        "broker": BROKER,
        "filters": _filters(plan, delivery),
        "subscriber": {"ref": function, "uri": "/event"},
        "delivery": {**_delivery(delivery, plan.attempts), "timeout": f"PT{plan.timeout_seconds}S"},
    }
    return document("eventing.knative.dev/v1", "Trigger", plan.name, labels=labels(plan.name, "eventing"), spec=spec)


def event_policy(plans: Sequence[FunctionPlan], bridge: str) -> Document:
    """Who may send to the Broker, for Knative's authentication of senders: bridge, KafkaSource, the functions' answers.

    `bridge` is the name of its SinkBinding. An answer comes with the identity of the Trigger that delivered the event.
    Raises `ConfigError` for a function that hands objects to Jobs: these have no identity that Knative knows.
    """
    offloading = [plan.name for plan in plans if plan.config.jobs]
    if offloading:
        raise ConfigError(
            *(
                f"functions.{name}: its Jobs post their outcome to the Broker, which an EventPolicy refuses;"
                " leave out --event-policy or OFFLOAD_ABOVE_..."
                for name in offloading
            )
        )
    senders = [("sources.knative.dev/v1", "SinkBinding", bridge)]
    if any(plan.topics for plan in plans):
        senders.append(("sources.knative.dev/v1", "KafkaSource", KAFKA_SOURCE))
    senders += [("eventing.knative.dev/v1", "Trigger", plan.name) for plan in plans]
    spec = {
        "to": [{"ref": broker_reference()}],
        "from": [{"ref": {"apiVersion": version, "kind": kind, "name": name}} for version, kind, name in senders],
    }
    return document(
        "eventing.knative.dev/v1alpha1", "EventPolicy", BROKER, labels=labels("broker", "eventing"), spec=spec
    )


def _net(secret: str) -> Document:
    """How a KafkaSource logs in, from the Secret that the Broker reads too."""

    def value_of(key: str) -> Document:
        return {"secretKeyRef": {"name": secret, "key": key}}

    sasl = {"user": value_of("user"), "password": value_of("password"), "type": value_of("sasl.mechanism")}
    return {"sasl": {"enable": True, **sasl}, "tls": {"enable": True, "caCert": value_of("ca.crt")}}


def broker_url(namespace: str) -> str:
    """The URL of the Broker, for programs that get no K_SINK from a SinkBinding."""
    return f"{_INGRESS}/{namespace}/{BROKER}"


def broker_reference() -> Document:
    return {"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": BROKER}


def _delivery(delivery: BrokerSettings, attempts: int) -> Document:
    return {
        "deadLetterSink": delivery.dead_letters,
        "retry": attempts,
        "backoffPolicy": "exponential",
        "backoffDelay": _BACKOFF_DELAY,
    }


def _filters(plan: FunctionPlan, delivery: BrokerSettings) -> list[Document]:
    """A list whose members must all match (CloudEvents Subscriptions API, filter dialects)."""
    endings: dict[tuple[str, str], list[str]] = {}
    for rule in plan.config.sources:
        endings.setdefault((rule.bucket, rule.prefix), []).append(rule.suffix)
    ways = [_object_filters(*place, suffixes, delivery.region) for place, suffixes in endings.items()]
    for topic in plan.topics:
        # KafkaSource's attributes do not name the object and filters cannot read data, so the function looks itself.
        source = f"/apis/v1/namespaces/{delivery.namespace}/kafkasources/{KAFKA_SOURCE}#{topic}"
        ways.append([{"exact": {"type": "dev.knative.kafka.event"}}, {"exact": {"source": source}}])
    return ways[0] if len(ways) == 1 else [{"any": [{"all": way} for way in ways]}]


def _object_filters(bucket: str, prefix: str, suffixes: Sequence[str], region: str) -> list[Document]:
    """The filters for the keys of a bucket that begin with `prefix` and end with one of `suffixes`."""
    made: list[Document] = [
        {"any": [{"prefix": {"type": f"{_TYPE_PREFIX}{family}:"}} for family in ACTED_ON]},
        {"exact": {"source": source_of(bucket, region=region)}},
        # The records that Penstock keeps beside its targets are never input, so they do not wake the function.
        {"not": {"prefix": {"subject": RESERVED_PREFIX}}},
    ]
    if prefix:
        made.append(_subject_filter("prefix", prefix))
    if all(suffixes):
        made.append(_subject_filter("suffix", *suffixes))
    return made


def _subject_filter(dialect: str, *texts: str) -> Document:
    """A filter on the key, for any of these texts.

    Brokers that do not decode headers (Go SDK) see the percent-encoded form, others the text.
    """
    forms: dict[str, None] = {}
    for text in texts:
        attributes = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "subject": text}
        encoded = CloudEventFields(attributes, b"").http_headers()["ce-subject"]
        forms |= dict.fromkeys((text, encoded))
    filters: list[Document] = [{dialect: {"subject": form}} for form in forms]
    return filters[0] if len(filters) == 1 else {"any": filters}
