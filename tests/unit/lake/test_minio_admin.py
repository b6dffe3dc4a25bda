"""What the admin API tells is read as MinIO writes it."""

from pathlib import Path

import pytest
from penstock.errors import ConfigError, TemporaryError
from penstock.lake.minio_admin import Admin, parse_targets, read_info
from penstock.lake.model import TargetRef
from penstock.settings.config import StoreSettings

# As a server of February 2026 prints it.
TOLD = """\
notify_webhook enable=off endpoint= auth_token= queue_limit=0 queue_dir= client_cert= client_key= 
# MINIO_NOTIFY_WEBHOOK_ENABLE_ops=on
notify_webhook:ops 
# MINIO_NOTIFY_WEBHOOK_ENDPOINT_other=http://elsewhere/
# MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_other=/q
notify_webhook:other enable=off endpoint=http://a/ queue_limit=0 queue_dir= client_cert= client_key= 
notify_webhook:bridge endpoint="http://b/a b" queue_limit=7 queue_dir="/my events" client_cert= client_key= comment="x y=z" 
"""  # noqa: W291, E501


def test_targets_are_read_from_what_the_server_prints() -> None:
    targets, known = parse_targets("webhook", TOLD)

    other, bridge = targets[TargetRef("webhook", "other")], targets[TargetRef("webhook", "bridge")]
    assert targets[TargetRef("webhook", "ops")].overrides == ("MINIO_NOTIFY_WEBHOOK_ENABLE_ops",)
    assert len(targets) == 3
    assert bridge.values == {
        "enable": "on",
        "endpoint": "http://b/a b",
        "queue_limit": "7",
        "queue_dir": "/my events",
        "client_cert": "",
        "client_key": "",
        "comment": "x y=z",
    }
    assert other.values["enable"] == "off"
    assert other.overrides == ("MINIO_NOTIFY_WEBHOOK_ENDPOINT_other", "MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_other")
    assert bridge.overrides == ()
    assert "auth_token" in known


def test_a_key_that_only_a_newer_server_has_does_not_run_into_the_one_before() -> None:
    text = TOLD.replace("client_key= ", "client_key= http2=off ")

    targets, known = parse_targets("webhook", text)

    assert targets[TargetRef("webhook", "bridge")].values["client_key"] == ""
    assert "http2" in known


def test_a_closed_port_is_temporary_and_says_so() -> None:
    admin = Admin(StoreSettings("http://127.0.0.1:1", "a", "b"))

    with pytest.raises(TemporaryError, match=r"http://127.0.0.1:1: the object store failed: nothing listens there"):
        admin.targets("kafka")


def test_a_ca_file_without_a_certificate_is_told(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text("not a certificate")

    with pytest.raises(ConfigError, match=r"MINIO_CA_FILE=.*ca.pem: holds no PEM certificate"):
        Admin(StoreSettings("https://127.0.0.1:1", "a", "b", ca_file=ca_file)).info()


@pytest.mark.parametrize(
    "text",
    ["[]", "7", "null", "[" * 100_000, '{"services": [1]}', '{"services": {"notifications": [7]}}', '{"servers": [1]}'],
)
def test_a_description_of_another_shape_is_no_answer_of_minio(text: str) -> None:
    with pytest.raises(ValueError, match=r"shape|nested"):
        read_info(text)


def test_a_description_that_says_little_is_read() -> None:
    assert read_info('{"services": {"notifications": [{"kafka": [{"1": {"status": "online"}}]}]}}').statuses == {
        TargetRef("kafka", "1"): "online"
    }


def test_a_key_that_minio_hides_while_it_is_empty_is_known_where_its_neighbour_is() -> None:
    """As `notify_nats` is told: NATS Streaming's cluster id is needed and yet not in the list."""
    _, known = parse_targets("nats", "notify_nats enable=off address= subject= streaming=off queue_dir= \n")
    assert "streaming_cluster_id" in known
    _, known = parse_targets("nats", "notify_nats enable=off address= subject= queue_dir= \n")
    assert "streaming_cluster_id" not in known
