"""What `penstock listen` prints; the three sources are tested with real servers."""

import argparse
import io
import json

import pytest
from penstock.commands import listen
from penstock.commands.listen import lines_of

from tests.paths import EVENTS


def test_notification_is_one_line_with_the_decoded_key() -> None:
    [line] = lines_of((EVENTS / "mqtt_payload.json").read_bytes().replace(b"donors", b"a%2Bb+c"))
    assert line.split(maxsplit=4)[1] == "s3:ObjectCreated:Put"


def test_several_records_are_several_lines() -> None:
    assert len(list(lines_of((EVENTS / "several_records.json").read_bytes()))) > 1


def test_removed_object_has_neither_size_nor_etag() -> None:
    [line] = lines_of((EVENTS / "minio_delete.json").read_bytes())
    assert line.split(maxsplit=4)[2:4] == ["-", "-"]


def test_listen_stream_has_raw_keys() -> None:
    [line] = lines_of((EVENTS / "listen_line.json").read_bytes().replace(b".csv", b"+%20.csv"), raw_keys=True)
    assert "+%20.csv" in line


def test_anything_else_is_said_to_be_none() -> None:
    [line] = lines_of(b"hello")
    assert line.startswith("not a notification, 5 bytes: ")


def test_key_cannot_command_the_terminal() -> None:
    [line] = lines_of(b'{"bucket": "upload", "key": "\\u001b[2J"}')
    assert "\x1b" not in line
    assert "\\x1b[2J" in line


def test_json_has_the_raw_key_and_the_numbers() -> None:
    [line] = lines_of(
        (EVENTS / "listen_line.json").read_bytes().replace(b".csv", b"+%20.csv"), raw_keys=True, as_json=True
    )
    told = json.loads(line)
    assert told["key"].endswith("+%20.csv")
    assert isinstance(told["size"], int)
    assert set(told) == {"time", "name", "bucket", "key", "size", "etag"}


def test_json_of_another_message_says_what_is_wrong() -> None:
    [line] = lines_of(b"hello\x1b", as_json=True)
    assert list(json.loads(line)) == ["problem"]
    assert "\x1b" not in line


@pytest.mark.parametrize(("flags", "first"), [([], "TIME "), (["--json"], "{")])
def test_heading_stands_once_above_the_first_notification(
    flags: list[str], first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parser, out = argparse.ArgumentParser(), io.StringIO()
    listen.add_arguments(parser)
    args = parser.parse_args(["minio", "upload", *flags])
    bodies = [(EVENTS / "minio_delete.json").read_bytes()] * 2
    env = {"MINIO_ENDPOINT": "127.0.0.1:9", "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "b"}
    monkeypatch.setattr("penstock.connect.minio.listen.minio_lines", lambda *_, **__: [])
    listen.run(args, env, out)
    assert out.getvalue() == ""
    monkeypatch.setattr("penstock.connect.minio.listen.minio_lines", lambda *_, **__: bodies)
    listen.run(args, env, out)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith(first)
    assert [line for line in lines[1:] if line.startswith("TIME ")] == []
    assert len(lines) == 2 + (not flags)
