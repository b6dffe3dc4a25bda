"""The rule by which a KafkaSource puts a record's key into a header, for every key of the key table.

Source: knative.dev/eventing-kafka-broker, KafkaKeyTypeAllowed (`string`, `int`, `float`, `byte-array`) and Knative's
page on the KafkaSource: `string` is the key as UTF-8 text, `byte-array` is Base64. A header holds visible ASCII and
spaces (RFC 9110, section 5.5); Knative's data plane sends the request with what it got.
"""

import base64
import json
import re
from collections.abc import Callable
from urllib.parse import quote_plus

import pytest
from penstock.events import parse

from tests.rendering import Render
from tests.store_contract import KEYS

HEADER = re.compile(r"[\x20-\x7e]*")
RULES: dict[str, Callable[[bytes], str]] = {
    "string": lambda key: key.decode(),
    "byte-array": lambda key: base64.b64encode(key).decode(),
}


def rule_of(rendered: Render) -> str:
    metadata = rendered(annotations={"topic": "upload"})["KafkaSource", "penstock"]["metadata"]
    rule: str = metadata["labels"]["kafkasources.sources.knative.dev/key-type"]
    assert rule in ("string", "int", "float", "byte-array")
    return rule


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_every_key_fits_into_a_header_and_comes_back(rendered: Render, key: str) -> None:
    # Producers other than MinIO put the key into the record as it is, not encoded as in a URL.
    header = RULES[rule_of(rendered)](f"upload/{key}".encode())
    assert HEADER.fullmatch(header)
    record = {
        "eventName": "s3:ObjectCreated:Put",
        "eventSource": "minio:s3",
        "s3": {"bucket": {"name": "upload"}, "object": {"key": quote_plus(key), "size": 1}},
    }
    body = {"EventName": "s3:ObjectCreated:Put", "Key": f"upload/{key}", "Records": [record]}
    sent = {
        "ce-specversion": "1.0",
        "ce-id": "partition:0/offset:0",
        "ce-source": "/apis/v1/namespaces/lake/kafkasources/penstock#upload",
        "ce-type": "dev.knative.kafka.event",
        "ce-key": header,
    }
    [event] = parse(json.dumps(body).encode(), sent)
    assert event.ref.key == key


def test_as_text_some_of_them_would_not_fit() -> None:
    unfit = [name for name, key in KEYS.items() if not HEADER.fullmatch(RULES["string"](key.encode()))]
    assert unfit
