"""The declared lake on a real MinIO: what an operator may come across."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from minio.error import S3Error
from minio.notificationconfig import NotificationConfig, QueueConfig
from penstock.settings.config import StoreSettings
from penstock.store.minio_client import connect

from tests.components import MinioServer, MosquittoServer
from tests.integration.connect_helpers import RecordingFunction
from tests.integration.lake.conftest import Penstock, keys_of, put, starts
from tests.integration.processes import store_settings
from tests.paths import DOCS


def test_others_rules_and_targets_on_the_same_bucket_are_kept(
    server: MinioServer,
    penstock: Penstock,
    lake_file: Callable[..., str],
    receiver: RecordingFunction,
    unique_name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    theirs = f"{unique_name}-theirs"
    server.mc("mb", f"lake/{unique_name}")
    server.mc("admin", "config", "set", "lake", f"notify_webhook:{theirs}", f"endpoint={receiver.url}/theirs")
    server.service_restart()
    server.mc("event", "add", f"lake/{unique_name}", f"arn:minio:sqs::{theirs}:webhook", "--event", "put")

    assert penstock("apply", "--file", lake_file()) == 0
    assert penstock("remove", "--file", lake_file()) == 0
    assert penstock("apply", "--file", lake_file()) == 0
    capsys.readouterr()
    assert penstock("show", "--json", "--file", lake_file()) == 0

    shown = json.loads(capsys.readouterr().out)
    owners = {rule["rule"]: rule["lake"] for rule in shown["rules"] if unique_name in rule["rule"]}
    assert owners == {
        f"s3://{unique_name}/* -> webhook:{theirs}": "",
        f"s3://{unique_name}/* -> webhook:{unique_name}-hook": unique_name,
    }
    put(server, unique_name, "one")
    server.wait_until(lambda: {call.path for call in receiver.calls} == {"/", "/theirs"}, "delivered to both")


def test_a_receiver_that_is_down_changes_nothing_and_is_named(
    server: MinioServer,
    penstock: Penstock,
    lake_file: Callable[..., str],
    receiver: RecordingFunction,
    unique_name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert penstock("apply", "--file", lake_file()) == 0
    began = starts(server)

    assert penstock("apply", "--file", lake_file(endpoint="http://127.0.0.1:1/")) == 78

    told = capsys.readouterr().err
    assert f"target webhook:{unique_name}-hook: {server.endpoint.url} refuses it: " in told
    assert "connection refused; MinIO tries a target before it takes it: start the receiver first" in told
    assert starts(server) == began
    put(server, unique_name, "still delivered")
    server.wait_until(lambda: set(keys_of(receiver)) == {f"{unique_name}/still delivered"}, "delivered")


def test_a_queue_dir_that_minio_cannot_make_is_named(
    penstock: Penstock, lake_file: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert penstock("apply", "--file", lake_file(target={"queue_dir": "/proc/events"})) == 78

    assert "queue_dir must be a folder that MinIO may make and write on its own machine" in capsys.readouterr().err


def test_a_token_arrives_as_it_is_and_its_change_is_seen(
    server: MinioServer,
    penstock: Penstock,
    lake_file: Callable[..., str],
    receiver: RecordingFunction,
    unique_name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    token = '\'it\'s="a"-t%20oken"'
    (tmp_path / "token").write_text(token + "\n")
    path = lake_file(target={"auth_token": "{file: token}", "comment": "two words"})
    assert penstock("apply", "--file", path) == 0
    assert penstock("plan", "--file", path) == 0
    put(server, unique_name, "one")
    server.wait_until(lambda: len(receiver.calls) >= 1, "delivered")
    assert receiver.calls[0].headers["authorization"] == f"Bearer {token}"

    (tmp_path / "token").write_text("Basic bGFrZQ==")
    capsys.readouterr()
    assert penstock("apply", "--file", path) == 0
    assert "    secrets: changed\n" in capsys.readouterr().out
    put(server, unique_name, "two")
    key = f"{unique_name}/two"
    server.wait_until(lambda: key in keys_of(receiver), "delivered again")
    [second, *_] = [call for call in receiver.calls if json.loads(call.body)["Key"] == key]
    assert second.headers["authorization"] == "Basic bGFrZQ=="


def test_prefix_and_suffix_mean_raw_keys(
    server: MinioServer,
    penstock: Penstock,
    lake_file: Callable[..., str],
    receiver: RecordingFunction,
    unique_name: str,
) -> None:
    assert penstock("apply", "--file", lake_file(rule='prefix: "日本 a+b&/<1>", suffix: "100%.csv", ')) == 0
    assert penstock("plan", "--file", lake_file(rule='prefix: "日本 a+b&/<1>", suffix: "100%.csv", ')) == 0

    for key in ("日本 a+b&/<2> 100%.csv", "日本 a+b&/<1> 100%.csv"):
        put(server, unique_name, key)

    server.wait_until(lambda: bool(receiver.calls), "delivered")
    assert set(keys_of(receiver)) == {f"{unique_name}/日本 a+b&/<1> 100%.csv"}


def test_what_was_stored_without_a_restart_is_taken_up_by_the_next_apply(
    server: MinioServer,
    penstock: Penstock,
    lake_file: Callable[..., str],
    unique_name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, began = lake_file(), starts(server)

    assert penstock("apply", "--no-restart", "--file", path) == 75
    assert "needs a restart before it has the targets" in capsys.readouterr().err
    assert starts(server) == began

    server.service_restart()
    assert penstock("apply", "--no-restart", "--file", path) == 0
    assert starts(server) == began + 1
    assert penstock("plan", "--file", path) == 0


def test_a_target_of_the_servers_environment_is_used_as_external_and_never_set(
    penstock: Penstock,
    lake_file: Callable[..., str],
    receiver: RecordingFunction,
    unique_name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    variables = {"ENABLE": "on", "ENDPOINT": receiver.url, "QUEUE_DIR": str(tmp_path / "events")}
    names = {f"MINIO_NOTIFY_WEBHOOK_{key}_{unique_name}-hook": value for key, value in variables.items()}
    with MinioServer(tmp_path / "other", env=names) as other:
        settings = store_settings(other)
        assert penstock("apply", "--adopt", "--file", lake_file(), **settings) == 78
        told = capsys.readouterr().err
        assert f"webhook:{unique_name}-hook: the server's environment sets MINIO_NOTIFY_WEBHOOK_ENABLE_" in told

        path = Path(lake_file())
        hook = f"  hook: {{type: webhook, id: {unique_name}-hook, external: on}}\n"
        before, _, after = path.read_text(encoding="utf-8").partition("  hook:\n")
        path.write_text(before + hook + after[after.index("rules:") :], encoding="utf-8")
        assert penstock("apply", "--no-restart", "--file", str(path), **settings) == 0
        put(other, unique_name, "one")
        other.wait_until(lambda: set(keys_of(receiver)) == {f"{unique_name}/one"}, "delivered")


def test_a_rule_to_an_arn_needs_no_right_of_an_administrator(
    penstock: Penstock, receiver: RecordingFunction, unique_name: str, tmp_path: Path
) -> None:
    variables = {"ENABLE": "on", "ENDPOINT": receiver.url, "QUEUE_DIR": str(tmp_path / "events")}
    names = {f"MINIO_NOTIFY_WEBHOOK_{key}_HOOK": value for key, value in variables.items()}
    with MinioServer(tmp_path / "other", env=names) as other:
        other.mc("admin", "user", "add", "lake", "plain", "plain-secret")
        other.mc("admin", "policy", "attach", "lake", "readwrite", "--user", "plain")
        settings = {**store_settings(other), "MINIO_ACCESS_KEY": "plain", "MINIO_SECRET_KEY": "plain-secret"}
        path = tmp_path / "lake.yml"
        path.write_text(
            f"name: {unique_name}\nbuckets: {{{unique_name}: {{versioning: on}}}}\n"
            'targets: {hook: {arn: "arn:minio:sqs::HOOK:webhook"}}\n'
            f"rules: [{{bucket: {unique_name}, prefix: in/, suffix: .csv, target: hook}}]\n"
        )
        assert penstock("apply", "--file", str(path), **settings) == 0
        assert penstock("plan", "--file", str(path), **settings) == 0
        put(other, unique_name, "in/one.txt")
        put(other, unique_name, "in/one.csv")
        other.wait_until(lambda: set(keys_of(receiver)) == {f"{unique_name}/in/one.csv"}, "delivered")
        assert penstock("remove", "--file", str(path), **settings) == 0
        left = other.endpoint.client().get_bucket_notification(unique_name)
        assert not left.queue_config_list
        path.write_text(path.read_text().replace("HOOK", "NONE"))
        assert penstock("apply", "--file", str(path), **settings) == 78


def test_mqtt_takes_its_password_from_a_file(
    server: MinioServer, penstock: Penstock, unique_name: str, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text('it\'s "pass word"\n')
    with MosquittoServer(tmp_path / "mqtt", credentials=("lake", 'it\'s "pass word"')) as broker:
        path = tmp_path / "lake.yml"
        path.write_text(
            f"name: {unique_name}\nqueue_dir: {tmp_path}/queue\nbuckets: {{{unique_name}: }}\ntargets:\n  m:\n"
            f"    {{type: mqtt, broker: '{broker.endpoint.url}', topic: t,\n"
            "     username: lake, password: {file: password}}\n"
            f"rules: [{{bucket: {unique_name}, target: m}}]\n"
        )

        assert penstock("apply", "--file", str(path)) == 0
        assert penstock("plan", "--file", str(path)) == 0
        put(server, unique_name, "one")
        log = broker.children[-1].log
        broker.wait_until(lambda: b"Received PUBLISH" in log.read_bytes(), "published")
        assert penstock("remove", "--file", str(path)) == 0


def test_rules_of_others_whose_targets_are_gone_are_told(
    server: MinioServer,
    penstock: Penstock,
    lake_file: Callable[..., str],
    receiver: RecordingFunction,
    unique_name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert penstock("apply", "--file", lake_file()) == 0
    client, admin = server.endpoint.client(), server.endpoint.admin()
    gone = [f"{unique_name}-gone{number}" for number in range(8)]
    for name in gone:
        admin.config_set(f"notify_webhook:{name}", {"endpoint": receiver.url})
    server.service_restart()
    present = client.get_bucket_notification(unique_name).queue_config_list
    theirs = [QueueConfig(queue=f"arn:minio:sqs::{name}:webhook", events=["s3:ObjectCreated:*"]) for name in gone]
    client.set_bucket_notification(unique_name, NotificationConfig(queue_config_list=[*present, *theirs]))
    for name in gone:
        admin.config_reset("notify_webhook", name)
    server.service_restart()

    code = penstock("apply", "--file", lake_file(rule="suffix: .csv, "))

    # MinIO forgets one such rule with every look at them, and refuses to store the rest beside ours.
    assert code == 78
    assert f"bucket {unique_name}: the server refuses all rules" in capsys.readouterr().err
    client.delete_bucket_notification(unique_name)
    assert penstock("apply", "--file", lake_file(rule="suffix: .csv, ")) == 0


def test_an_administrator_with_the_documented_permissions_is_enough(
    server: MinioServer,
    penstock: Penstock,
    lake_file: Callable[..., str],
    unique_name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (DOCS / "lake.md").read_text(encoding="utf-8")
    (tmp_path / "policy.json").write_text(text.partition("```json\n")[2].partition("```")[0])
    server.mc("admin", "user", "add", "lake", unique_name, "lake-admin-secret")
    server.mc("admin", "policy", "create", "lake", unique_name, str(tmp_path / "policy.json"))
    as_user = {"MINIO_ACCESS_KEY": unique_name, "MINIO_SECRET_KEY": "lake-admin-secret"}
    assert penstock("plan", "--file", lake_file(), **as_user) == 78
    assert f"refuses {unique_name} (AccessDenied: " in capsys.readouterr().err

    server.mc("admin", "policy", "attach", "lake", unique_name, "--user", unique_name)

    assert penstock("apply", "--file", lake_file(), **as_user) == 0
    assert penstock("remove", "--file", lake_file(), **as_user) == 0
    put(server, unique_name, "kept")
    client = server.endpoint.client()
    assert client.get_bucket_versioning(unique_name).status == "Enabled"
    as_reader = StoreSettings(server.endpoint.url, unique_name, "lake-admin-secret")
    with pytest.raises(S3Error, match="AccessDenied"):
        connect(as_reader).get_object(unique_name, "kept")
