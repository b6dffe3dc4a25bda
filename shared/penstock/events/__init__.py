"""Every shape in which an event arrives, read into one value; the only place that decodes keys.

    MinIO's JSON            webhook, Kafka, MQTT: {"EventName", "Key", "Records": [...]}
    Elasticsearch style     {"Records": [...]}, as AWS sends it too
    RustFS, Ceph, Versity   the same records; events/keys.py tells how each writes a key
    SNS, SQS                messages that have one of these in them, also as Lambda gets them
    EventBridge             {"detail-type": "Object Created", "detail": {...}}, also as a CloudEvent
    GCS, Azure              CloudEvents of their own types; the object is read through an S3 endpoint
    MinIO's listen stream   the same records with raw keys: `parse_listen_line` reads them
    CloudEvents             binary, structured or batch, around any of these, one S3 record or a reference;
                            Knative's KafkaSource wraps a record's raw value in this way
    references              {"bucket": ..., "key": ...}, or a list of them, with raw keys

An event is a hint to look at a key. Only the object itself says what is stored there now.
"""

from penstock.events.cloudevent import CloudEventFields, source_of, to_cloudevents, to_cloudevents_each
from penstock.events.names import Kind, kind_of
from penstock.events.parsing import is_object_request, looks_like_notification, parse, parse_each, parse_listen_line
from penstock.events.record import Notification, OddRecord, reference
from penstock.events.trace import TraceParent, read_traceparent
from penstock.events.wrapped import OTHER_CLOUDS

__all__ = [
    "OTHER_CLOUDS",
    "CloudEventFields",
    "Kind",
    "Notification",
    "OddRecord",
    "TraceParent",
    "is_object_request",
    "kind_of",
    "looks_like_notification",
    "parse",
    "parse_each",
    "parse_listen_line",
    "read_traceparent",
    "reference",
    "source_of",
    "to_cloudevents",
    "to_cloudevents_each",
]
