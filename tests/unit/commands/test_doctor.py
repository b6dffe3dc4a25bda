"""`penstock doctor` without a place: the servers that are configured, and the files of this machine."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from penstock.cli import main
from penstock.store.s3 import S3ObjectStore

STACK = """functions:
  upper:
    handler: ./upper
    environment: {{SOURCE: 's3://upload/*', SINK: 's3://{target}/{{key}}'}}
  find:
    handler: ./upper
    environment: {{SOURCE: 's3://upload/*', SINK: '${{INDEX_SINK:-opensearch+http://127.0.0.1:9/i}}'}}
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("upper").mkdir()
    write("processed")
    for name in ("GATEWAY_URL", "KAFKA_BROKERS", "KAFKA_BOOTSTRAP_SERVERS", "MQTT_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(name="closed_port")
def closed_port_fixture() -> Iterator[int]:
    """A port of this machine on which nothing listens, and that nothing else takes meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def write(target: str) -> None:
    Path("stack.yml").write_text(STACK.format(target=target))


def examined(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, dict[str, str]]]:
    code = main(["doctor", "--json", *words])
    return code, {each["subject"]: each for each in json.loads(capsys.readouterr().out)}


def test_misspelt_setting_of_the_stack_file_is_a_note(store: S3ObjectStore, capsys: pytest.CaptureFixture[str]) -> None:
    Path("stack.yml").write_text(STACK.format(target="processed").replace("SOURCE:", "SORCE: x, SOURCE:", 1))
    _code, found = examined(capsys)
    assert found["SORCE"] == {
        "grade": "note",
        "subject": "SORCE",
        "text": "SORCE in the environment of upper is no setting of Penstock",
        "remedy": "did you mean: SOURCE",
    }


def test_what_works_is_said_and_the_exit_code_is_0(
    store: S3ObjectStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INDEX_SINK", "sqlite:///tmp/index.sqlite")
    code, found = examined(capsys)
    assert code == 0
    assert {subject: each["grade"] for subject, each in found.items() if subject != "packages"} == {
        "versions": "good",
        "store": "good",
        "profile": "good",
        "clock": "good",
        "bucket upload": "good",
        "bucket processed": "good",
        "index of find": "good",
    }


def test_missing_bucket_and_silent_index_are_problems_with_remedies(
    store: S3ObjectStore, capsys: pytest.CaptureFixture[str]
) -> None:
    write("elsewhere")
    code, found = examined(capsys)
    assert code == 1
    assert found["bucket elsewhere"]["grade"] == "problem"
    assert found["bucket elsewhere"]["remedy"] == "run `penstock lake apply`"
    assert found["index of find"]["grade"] == "problem"


def test_index_that_cannot_search_is_asked_too(
    store: S3ObjectStore, closed_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INDEX_SINK", f"cassandra://127.0.0.1:{closed_port}/lake/documents?tls=off")
    code, found = examined(capsys)
    assert code == 1
    assert "check SINK" in found["index of find"]["text"]


def test_servers_that_do_not_answer_are_named(
    store: S3ObjectStore, closed_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    where = f"127.0.0.1:{closed_port}"
    words = ["--gateway", f"http://{where}", "--kafka", where, "--mqtt", f"mqtt://{where}"]
    code, found = examined(capsys, *words)
    assert code == 1
    assert {each: found[each]["grade"] for each in ("gateway", "kafka", "mqtt")} == dict.fromkeys(
        ("gateway", "kafka", "mqtt"), "problem"
    )


def test_a_store_that_is_not_there_is_one_line(
    closed_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.setenv(f"MINIO_{name}", "x")
    monkeypatch.setenv("MINIO_ENDPOINT", f"http://127.0.0.1:{closed_port}")
    assert main(["doctor"]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if line.split()[1] == "store"]
    assert len(lines) == 1
    assert lines[0].startswith("problem  store ")


@pytest.mark.parametrize("text", ["functions: [", STACK.format(target="A B")])
def test_a_wrong_stack_file_is_a_finding(text: str, store: S3ObjectStore, capsys: pytest.CaptureFixture[str]) -> None:
    Path("stack.yml").write_text(text)
    code, found = examined(capsys)
    assert (code, found["stack file"]["grade"], found["store"]["grade"]) == (1, "problem", "good")


@pytest.mark.parametrize("words", [[], ["--gateway", "https://127.0.0.1:9"]])
def test_a_wrong_ca_file_is_a_finding_and_the_rest_is_examined(
    words: list[str], store: S3ObjectStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("no certificate\n")
    code, found = examined(capsys, "--ca-file", str(wrong), *words)
    assert code == 1
    assert found["--ca-file"]["text"] == f"{wrong}: holds no certificate"
    assert found["store"]["grade"] == "good"
    assert ("gateway" in found) is bool(words)


def test_kafkas_wrong_settings_are_a_finding(
    store: S3ObjectStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_SASL_PASSWORD_FILE", "/nonexistent")
    code, found = examined(capsys, "--kafka", "127.0.0.1:9")
    assert (code, found["kafka"]["grade"], found["store"]["grade"]) == (1, "problem", "good")
    assert "/nonexistent" in found["kafka"]["text"]


def test_a_function_whose_settings_are_wrong_is_named(store: S3ObjectStore, capsys: pytest.CaptureFixture[str]) -> None:
    Path("stack.yml").write_text(STACK.format(target="{kay}"))
    code, found = examined(capsys)
    assert code == 1
    assert found["stack file"]["text"].startswith("function upper: SINK=")


def test_a_store_that_is_not_there_is_told_in_words(
    closed_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.setenv(f"MINIO_{name}", "x")
    monkeypatch.setenv("MINIO_ENDPOINT", f"http://127.0.0.1:{closed_port}")
    code, found = examined(capsys)
    assert code == 1
    assert found["store"]["text"] == (
        f"http://127.0.0.1:{closed_port}: the object store failed: nothing listens there; start it, or check host and "
        "port in MINIO_ENDPOINT"
    )
