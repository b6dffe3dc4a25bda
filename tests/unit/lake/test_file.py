"""lake.yml is read with its lines, and what cannot work is refused with the key and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from penstock.errors import ConfigError
from penstock.lake.file import load_lake, load_owner
from penstock.lake.model import Bucket, DeclaredLake, Rule, TargetRef

from tests.paths import EXAMPLES

Read = Callable[..., DeclaredLake]
Problems = Callable[..., list[str]]

UPLOADS = TargetRef("kafka", "penstock-night-uploads")
BRIDGE = TargetRef("webhook", "bridge")
FILE = """\
name: night
stack: stack.yml
queue_dir: ${QUEUE:-/events}
buckets:
  upload:
  processed: {versioning: on}
targets:
  uploads:
    type: kafka
    brokers: kafka-0:9092, kafka-1:9092
    topic: upload
    sasl: on
    sasl_username: lake
    sasl_password: {file: password.txt}
    sasl_mechanism: SHA512
  bridge:
    type: webhook
    id: bridge
    endpoint: http://bridge:8080/
    auth_token: {env: BRIDGE_TOKEN}
    queue_dir: /elsewhere
    comment: for the night run
rules:
  - function: compress
    target: uploads
  - bucket: processed
    prefix: a b/
    suffix: .gz
    events: [s3:ObjectCreated:Put]
    target: bridge
"""
SHORT = """\
name: night
queue_dir: /events
buckets: {upload: }
targets:
  t: {type: kafka, brokers: "kafka:9092", topic: upload}
rules:
  - {bucket: upload, target: t}
"""


def test_every_part_is_read(read: Read, tmp_path: Path) -> None:
    (tmp_path / "password.txt").write_text("a 'secret'\n")

    lake = read(FILE, BRIDGE_TOKEN="token", QUEUE="")

    uploads, bridge = lake.targets
    assert (lake.name, lake.sync_events) == ("night", True)
    assert lake.buckets == (Bucket("upload"), Bucket("processed", True))
    assert (uploads.ref, uploads.secrets) == (UPLOADS, {"sasl_password": "a 'secret'"})
    assert uploads.values["queue_dir"] == "/events"
    assert (bridge.ref, bridge.secrets) == (BRIDGE, {"auth_token": "token"})
    assert bridge.values["queue_dir"] == "/elsewhere"
    assert lake.rules == (
        Rule("upload", UPLOADS, "", ".csv"),
        Rule("processed", BRIDGE, "a b/", ".gz", ("s3:ObjectCreated:Put",)),
    )


def test_secrets_never_show(read: Read, tmp_path: Path) -> None:
    (tmp_path / "password.txt").write_text("hush-hush")

    lake = read(FILE, BRIDGE_TOKEN="hush-hush")

    assert "hush-hush" not in repr(lake)


def test_a_rule_is_safe_unless_told_otherwise(read: Read) -> None:
    (rule,) = read(SHORT).rules

    assert rule.events == ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")


def test_name_alone_needs_no_secrets(tmp_path: Path) -> None:
    path = tmp_path / "lake.yml"
    path.write_text(FILE)

    assert load_owner(path, {}).name == "night"


def test_every_problem_is_reported_with_its_line(problems: Problems) -> None:
    found = problems(FILE.replace("on}", "maybe}").replace("kafka\n", "kafak\n").replace("stack.yml", "stakc.yml"))

    assert found == [
        "lake.yml:2: stack: no file stakc.yml; paths are relative to lake.yml",
        "lake.yml:6: buckets.processed.versioning: expected on or off, got 'maybe'",
        "lake.yml:9: targets.uploads.type: expected one of webhook, kafka, mqtt, elasticsearch, amqp, "
        "mysql, nats, nsq, postgresql, redis, lambda",
        "lake.yml:20: targets.bridge.auth_token: the environment variable BRIDGE_TOKEN is not set",
        "lake.yml:25: rules[1].target: 'uploads' is not a target; declared: bridge",
    ]


def changed(old: str, new: str, text: str = SHORT) -> str:
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (changed("name: night\n", ""), "name: missing; it marks this lake's rules"),
        (changed("night", "The_Night"), ":1: name: expected lower-case letters"),
        (changed("queue_dir: /events\n", ""), "targets.t.queue_dir: missing; name a folder on the MinIO server's own"),
        (changed("/events", "events"), "queue_dir: expected an absolute path on the MinIO server, got 'events'"),
        (changed("queue_dir", "queuedir"), ":2: queuedir: unknown key; did you mean queue_dir?"),
        (changed("brokers", "broker"), "targets.t.broker: unknown key; did you mean brokers?"),
        (changed("upload: }", "Upload: }"), ":3: buckets.Upload: bucket 'Upload': expected 3 to 63"),
        (changed("topic: upload", "topic: upload, sasl_password: x"), "a secret must not stand in the file; write"),
        (changed("topic: upload", "topic: upload, id: a_b"), "targets.t.id: expected letters, digits and - only"),
        (changed("topic: upload", "topic: upload, external: on"), "brokers: not set by this file, since"),
        (changed("topic: upload", "topic: upload, enable: off"), "rules[1].target: t has enable: off"),
        (changed("bucket: upload, ", ""), ":7: rules[1]: name a bucket, or a function whose SOURCE"),
        (changed("bucket: upload,", "bucket: other,"), "rules[1]: bucket other is not declared; add it under buckets"),
        (changed("bucket: upload,", "function: compress,"), "this file names no stack; write stack: ./stack.yml"),
        (changed("bucket: upload,", "bucket: upload, suffix: '*.csv',"), "suffix: '*.csv' holds * or ?"),
        (changed("bucket: upload,", "bucket: upload, prefix: 'a?',"), "prefix: 'a?' holds * or ?"),
        (changed("bucket: upload,", "bucket: upload, prefix: ../a,"), "is refused by MinIO"),
        (
            changed("bucket: upload,", "bucket: upload, events: [put],"),
            "events: 'put' is not an event that a rule may name; known:",
        ),
        (changed("bucket: upload,", "bucket: upload, events: [],"), "events: empty; leave it out"),
        (SHORT + "  - {bucket: upload, target: t}\n", ":8: rules[2]: s3://upload/* -> kafka:penstock-night-t is given"),
    ],
)
def test_what_cannot_work_is_refused(problems: Problems, text: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(text)), problems(text)


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ("{file: nowhere.txt}", "nowhere.txt: No such file or directory"),
        ("{file: empty.txt}", "empty.txt is empty"),
        ("{env: TOKEN, file: empty.txt}", "expected {file: PATH} or {env: NAME}"),
        ("{environment: TOKEN}", "unknown key"),
        ("{env: BROKEN}", "holds a line break"),
        ("{env: CUT}", "holds 'queue_dir='"),
        ("plain-text", "a secret must not stand in the file; write auth_token: {file: PATH} or {env: NAME}"),
    ],
)
def test_a_secret_comes_from_a_file_or_the_environment(
    problems: Problems, tmp_path: Path, secret: str, expected: str
) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    text = f"name: n\nqueue_dir: /e\ntargets:\n  t: {{type: webhook, endpoint: 'http://b/', auth_token: {secret}}}\n"

    (problem, *_) = problems(text, BROKEN="a\nb", CUT="x queue_dir=y")

    assert problem.startswith("lake.yml:4: targets.t.auth_token")
    assert expected in problem


def test_a_function_that_is_not_in_the_stack_is_refused(problems: Problems) -> None:
    (problem,) = problems(changed("bucket: upload,", "function: resize,", "stack: stack.yml\n" + SHORT))

    assert problem == "lake.yml:8: rules[1].function: no function resize in stack.yml; there: compress, index"


@pytest.mark.parametrize("name", ['"a\\0b"', "a" * 5000])
def test_a_name_that_no_file_can_have_is_a_problem_with_words(problems: Problems, name: str) -> None:
    [found] = problems(FILE.replace("stack.yml", name))[:1]
    assert found.startswith("lake.yml:2: stack: ")
    assert "not a path: " in found


def test_a_function_rule_leaves_keys_to_the_function(problems: Problems) -> None:
    (problem,) = problems(changed("bucket: upload,", "function: compress, suffix: .csv,", "stack: stack.yml\n" + SHORT))

    assert problem == "lake.yml:8: rules[1].suffix: the function's SOURCE says it; leave it out"


def test_a_missing_file_is_told_with_the_flag_that_names_another(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.yml: No such file or directory; name the lake file with --file"):
        load_lake(tmp_path / "nowhere.yml", {})


@pytest.mark.parametrize("name", ["chapter", "article"])
def test_declared_examples_are_in_order(name: str) -> None:
    lake = load_lake(EXAMPLES / name / "lake.yml", {})

    assert lake.name == name
    assert all(rule.events == ("s3:ObjectCreated:*", "s3:ObjectRemoved:*") for rule in lake.rules)
    assert all(target.values["queue_dir"] == "/var/lib/minio-events" for target in lake.targets)


LAMBDA = """\
name: night
queue_dir: /events
buckets: {upload: }
targets:
  resize: {type: lambda, id: resize, endpoint: "http://resize:8080/lambda", auth_token: {env: FUNCTION_TOKEN}}
"""


def test_lambda_target_has_no_queue(read: Read) -> None:
    [target] = read(LAMBDA, FUNCTION_TOKEN="token").targets
    assert (target.ref, target.secrets) == (TargetRef("lambda", "resize"), {"auth_token": "token"})
    assert target.values == {"endpoint": "http://resize:8080/lambda"}
    assert target.ref.subsystem == "lambda_webhook:resize"


def test_no_rule_may_name_a_lambda_target(problems: Problems) -> None:
    found = problems(LAMBDA + "rules:\n  - {bucket: upload, target: resize}\n", FUNCTION_TOKEN="token")
    assert any(
        "lambda:resize gets no events: it answers reads that name it as arn:minio:s3-object-lambda::resize:webhook"
        in one
        for one in found
    )
