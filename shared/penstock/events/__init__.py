"""Every shape in which an event arrives, read into one value; the only place that decodes keys.

    MinIO's JSON            webhook, Kafka, MQTT: {"EventName", "Key", "Records": [...]}
    Elasticsearch style     {"Records": [...]}, as AWS sends it too
    MinIO's listen stream   the same records with raw keys, hence a function of its own: `parse_listen_line`
    CloudEvents             binary, structured or batch, around any of these, one S3 record or a reference;
                            Knative's KafkaSource wraps a record's raw value in this way
    references              {"bucket": ..., "key": ...}, or a list of them, with raw keys

An event is a hint that a key deserves a look. What is stored there now, only the object says.
"""

from penstock.events.cloudevent import CloudEventFields, source_of, to_cloudevents
from penstock.events.names import Kind, kind_of
from penstock.events.parsing import is_object_request, looks_like_notification, parse, parse_listen_line
from penstock.events.record import Notification, reference
from penstock.events.trace import TraceParent, read_traceparent

__all__ = [
    "CloudEventFields",
    "Kind",
    "Notification",
    "TraceParent",
    "is_object_request",
    "kind_of",
    "looks_like_notification",
    "parse",
    "parse_listen_line",
    "read_traceparent",
    "reference",
    "source_of",
    "to_cloudevents",
]
