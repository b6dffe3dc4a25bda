"""The rules by which a KafkaSource puts a record's key into headers, for every key of the key table.

Source: knative-extensions/eventing-kafka-broker: `KafkaKeyTypeAllowed` has the rules' names; the data plane's
`KeyDeserializer` reads the bytes by them; its `InvalidCloudEventInterceptor` sends the result as the attributes `key`
and `partitionkey`. CloudEvents writes bytes in Base64. A header holds visible ASCII and spaces (RFC 9110, section 5.5);
Knative's data plane sends the request with what it got.
"""

import base64
import json
import re
import struct
from collections.abc import Callable
from urllib.parse import quote_plus

import pytest
from penstock.events import parse

from tests.rendering import Render
from tests.store_contract import KEYS

HEADER = re.compile(r"[\x20-\x7e]*")


def text(key: bytes) -> str:
    return key.decode(errors="replace")


def whole(key: bytes) -> str:
    """Four bytes are a number, all else is text."""
    return str(int.from_bytes(key, signed=True)) if len(key) == 4 else text(key)


def broken(key: bytes) -> str:
    """Four or eight bytes are a number, all else is text."""
    form = {4: ">f", 8: ">d"}.get(len(key))
    return str(struct.unpack(form, key)[0]) if form else text(key)


RULES: dict[str, Callable[[bytes], str]] = {
    "string": text,
    "int": whole,
    "float": broken,
    "byte-array": lambda key: base64.b64encode(key).decode(),
}


def rule_of(rendered: Render) -> str:
    metadata = rendered(annotations={"topic": "upload"})["KafkaSource", "penstock"]["metadata"]
    rule: str = metadata["labels"]["kafkasources.sources.knative.dev/key-type"]
    assert rule in RULES
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
        "ce-subject": "partition:0#0",
        "ce-time": "2026-11-28T12:00:00Z",
        "ce-key": header,
        "ce-partitionkey": header,
    }
    [event] = parse(json.dumps(body).encode(), sent)
    assert event.ref.key == key


@pytest.mark.parametrize("rule", RULES)
def test_only_bytes_let_every_key_through(rule: str) -> None:
    unfit = [name for name, key in KEYS.items() if not HEADER.fullmatch(RULES[rule](f"upload/{key}".encode()))]
    assert bool(unfit) == (rule != "byte-array"), unfit
