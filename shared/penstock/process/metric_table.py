"""Every metric of Penstock, once: its name, kind and labels, and what it means; docs/reference.md is made from this.

Counters are scraped with `_total` behind their names, histograms with `_bucket`, `_sum` and `_count`, in seconds.
"""

from typing import Final, Literal, NamedTuple

# The program that has it. `delivery`: the bridge and the connectors. `other`: watch, jobs watch and the local gateway.
MetricSource = Literal["function", "delivery", "other"]


class Measure(NamedTuple):
    """One metric. `labels` are those that it may have: a gauge of several programs may lack one in one of them."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    text: str
    component: MetricSource


def _of_function(name: str, kind: Literal["counter", "gauge", "histogram"], text: str, *labels: str) -> Measure:
    return Measure(name, kind, ("function", *labels), text, "function")


def _counter(name: str, text: str, *labels: str, of: MetricSource = "delivery") -> Measure:
    return Measure(name, "counter", labels, text, of)


def _gauge(name: str, text: str, *labels: str, of: MetricSource = "delivery") -> Measure:
    return Measure(name, "gauge", labels, text, of)


EVENTS: Final = _of_function(
    "penstock_events",
    "counter",
    "Objects by how they ended: processed, removed, refused, ignored, offloaded, failed, crashed.",
    "outcome",
)
REQUESTS: Final = _of_function(
    "penstock_requests",
    "counter",
    "Requests by mode, object for events and body for direct calls, and by status.",
    "mode",
    "status",
)
INPUT_BYTES: Final = _of_function("penstock_input_bytes", "counter", "Bytes of the sources that were worked on.")
OUTPUT_BYTES: Final = _of_function("penstock_output_bytes", "counter", "Bytes of the targets that were written.")
IN_FLIGHT: Final = _of_function("penstock_in_flight", "gauge", "Requests that are being worked on.")
REQUEST_SECONDS: Final = _of_function("penstock_request_seconds", "histogram", "Time from request to answer.")

DELIVERY_ATTEMPTS: Final = _counter(
    "penstock_delivery_attempts",
    "Requests to functions by how they ended: delivered, retry, dead.",
    "target",
    "outcome",
)
DELIVERY_SECONDS: Final = Measure(
    "penstock_delivery_seconds", "histogram", ("target",), "Time from request to answer.", "delivery"
)
DELIVERY_HELD: Final = _gauge(
    "penstock_delivery_held",
    "Messages in memory that are not finished; the Kafka connector counts them for each target.",
    "target",
)
BRIDGE_RECEIVED: Final = _counter("penstock_bridge_received", "Events that the bridge stored.")
BRIDGE_UNREADABLE: Final = _counter("penstock_bridge_unreadable", "Bodies that are not events, kept as dead letters.")
BRIDGE_BROKER_LETTERS: Final = _counter(
    "penstock_bridge_broker_letters", "Events that a Knative Broker gave up, kept as dead letters."
)
OUTCOMES: Final = _counter(
    "penstock_outcomes",
    "Outcomes that the bridge told (sent) or gave up (given_up), by the name in OUTCOME_URLS.",
    "to",
    "end",
)
OUTCOMES_PENDING: Final = _gauge("penstock_outcomes_pending", "Outcomes that are not told yet.", "to")
INBOX_PENDING: Final = _gauge("penstock_inbox_pending", "Messages on disk that are not delivered yet.")
INBOX_TARGET_PENDING: Final = _gauge(
    "penstock_inbox_target_pending",
    "Messages on disk that are not delivered yet, of each target of the bridge, also 0; KEDA reads it.",
    "target",
)
INBOX_OLDEST_SECONDS: Final = _gauge(
    "penstock_inbox_oldest_seconds", "Age of the oldest message on disk that is not delivered yet."
)
INBOX_DEAD: Final = _gauge(
    "penstock_inbox_dead",
    "Dead letters on disk: of the bridge, the connectors for MQTT, NATS, Redis, AMQP and SQS, and the local stack.",
)
KAFKA_LAG: Final = _gauge("penstock_kafka_lag", "Records after the committed offset.", "topic", "partition")
KAFKA_TOMBSTONES: Final = _counter("penstock_kafka_tombstones", "Records without a value, which are not events.")
KAFKA_NEW_CONSUMERS: Final = _counter(
    "penstock_kafka_new_consumers", "Consumers that were made because the one before did not join its group."
)
KAFKA_UNCOMMITTED: Final = _gauge(
    "penstock_kafka_uncommitted", "Records that were read and cannot be committed yet.", "topic", "partition"
)
KAFKA_PAUSED: Final = _gauge("penstock_kafka_paused", "Partitions that wait for room.")
DEAD_LETTERS: Final = _counter("penstock_dead_letters", "Dead letters that were stored in the Kafka topic.")
DEAD_LETTERS_PENDING: Final = _gauge("penstock_dead_letters_pending", "Dead letters that are not stored yet.")
SUBSCRIPTION: Final = _gauge(
    "penstock_subscription", "1 for the state that the subscription is in, 0 for the others.", "state"
)

_NEW_CLIENTS: Final = "Clients that were made because the one before did not subscribe."
_UNACKNOWLEDGED: Final = "Messages that were taken and are not acknowledged yet."
MQTT_NEW_CLIENTS: Final = _counter("penstock_mqtt_new_clients", _NEW_CLIENTS)
MQTT_UNACKNOWLEDGED: Final = _gauge("penstock_mqtt_unacknowledged", _UNACKNOWLEDGED)
NATS_NEW_CLIENTS: Final = _counter("penstock_nats_new_clients", _NEW_CLIENTS)
NATS_UNACKNOWLEDGED: Final = _gauge("penstock_nats_unacknowledged", _UNACKNOWLEDGED)
REDIS_NEW_CLIENTS: Final = _counter("penstock_redis_new_clients", _NEW_CLIENTS)
REDIS_UNACKNOWLEDGED: Final = _gauge("penstock_redis_unacknowledged", _UNACKNOWLEDGED)
AMQP_NEW_CLIENTS: Final = _counter("penstock_amqp_new_clients", _NEW_CLIENTS)
AMQP_UNACKNOWLEDGED: Final = _gauge("penstock_amqp_unacknowledged", _UNACKNOWLEDGED)
SQS_NEW_CLIENTS: Final = _counter("penstock_sqs_new_clients", _NEW_CLIENTS)
SQS_UNACKNOWLEDGED: Final = _gauge("penstock_sqs_unacknowledged", _UNACKNOWLEDGED)

WATCH_ROUNDS: Final = _counter(
    "penstock_watch_rounds", "Listings of penstock watch by how they ended: whole, failed.", "outcome", of="other"
)
WATCH_FOUND: Final = _counter(
    "penstock_watch_found", "Objects in listings that were new or other (changed), or gone.", "change", of="other"
)
WATCH_HINTS: Final = _counter(
    "penstock_watch_hints",
    "Objects in hints by what the target said: told, refused, failed (told again).",
    "outcome",
    of="other",
)
WATCH_LISTED: Final = _gauge("penstock_watch_listed", "Objects in the last whole listing.", of="other")
WATCH_LAST_ROUND_SECONDS: Final = _gauge(
    "penstock_watch_last_round_seconds",
    "When the last whole listing ended, in seconds since 1970; 0 for none.",
    of="other",
)
JOBS: Final = _gauge(
    "penstock_jobs", "Jobs by their present state; penstock jobs watch.", "function", "state", of="other"
)
JOBS_SETTLED: Final = _counter("penstock_jobs_settled", "Jobs by how they ended.", "function", "end", of="other")
JOBS_DEAD_LETTER_FAILURES: Final = _counter(
    "penstock_jobs_dead_letter_failures", "Attempts to send a dead letter that failed.", of="other"
)
COLD_STARTS: Final = _counter(
    "penstock_cold_starts", "Requests to the local gateway that waited for a start.", "function_name", of="other"
)
# The local gateway has these under the names of OpenFaaS's gateway.
GATEWAY_INVOCATIONS: Final = _counter(
    "gateway_function_invocation",
    "Invocations by the status they ended with, of the local gateway.",
    "function_name",
    "code",
    of="other",
)
GATEWAY_SECONDS: Final = Measure(
    "gateway_functions_seconds",
    "histogram",
    ("function_name",),
    "Time until the answer was through, of the local gateway.",
    "other",
)
GATEWAY_REPLICAS: Final = _gauge(
    "gateway_service_count", "Processes of the function, of the local gateway.", "function_name", of="other"
)

# All that stand above, in this order.
MEASURES: Final = tuple(found for found in list(globals().values()) if isinstance(found, Measure))
