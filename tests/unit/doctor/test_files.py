"""Files that settings name: missing ones, credentials that others may read, authorities without a certificate."""

from __future__ import annotations

from pathlib import Path

import pytest
from penstock.doctor.files import examine_files
from penstock.settings.every_setting import SETTINGS

from tests.components.certificates import make_certificates


@pytest.mark.parametrize(("mode", "grade"), [(0o600, "good"), (0o400, "good"), (0o640, "note"), (0o644, "problem")])
def test_mode_of_a_named_file_is_judged(mode: int, grade: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(mode)
    [found] = examine_files({"MINIO_SECRET_KEY_FILE": str(secret), "OTHER_FILE": "/none"}, tmp_path)
    assert found.grade.value == grade
    assert found.remedy == (f"chmod 600 {secret}" if grade == "problem" else "")


def test_missing_file_is_a_problem(tmp_path: Path) -> None:
    [found] = examine_files({"SINK_PASSWORD_FILE": str(tmp_path / "none")}, tmp_path)
    assert (found.grade.value, found.subject) == ("problem", "SINK_PASSWORD_FILE")


def test_files_of_the_local_stack_are_looked_at_without_being_named(tmp_path: Path) -> None:
    for name, mode in (("password", 0o600), ("store.json", 0o604)):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(mode)
    assert [(each.subject, each.grade.value) for each in examine_files({}, tmp_path)] == [
        ("store.json", "problem"),
        ("credentials", "good"),
    ]


def names_of_files() -> set[str]:
    """Each variable that names a file: what the table calls a file, and the file of each secret."""
    found = {setting.name for setting in SETTINGS if setting.name.endswith("_FILE")} | {"KUBECONFIG"}
    found |= {f"{setting.name.replace('<NAME>', 'API_KEY')}_FILE" for setting in SETTINGS if setting.is_secret}
    return found | {"KAFKA_SASL_JAAS_CONFIG_FILE", "KAFKA_SSL_CA_LOCATION", "KAFKA_SSL_KEYSTORE_LOCATION"}


def test_every_setting_that_names_a_file_is_looked_at(tmp_path: Path) -> None:
    named = names_of_files()
    assert {"CA_FILE", "MINIO_CA_FILE", "SINK_CA_FILE", "FUNCTION_HMAC_KEY_FILE", "CONSOLE_TOKEN_FILE"} <= named
    env = {name: str(tmp_path / "none") for name in named}
    found = {each.subject: each.grade.value for each in examine_files(env, tmp_path)}
    assert found == dict.fromkeys(named, "problem")


def test_word_in_the_place_of_a_file_and_an_option_are_no_files(tmp_path: Path) -> None:
    env = {"KAFKA_SSL_CA_LOCATION": "probe", "OPTION_LOGO_FILE": "/none", "MINIO_SECRET_KEY_FILE": ""}
    assert list(examine_files(env, tmp_path)) == []


@pytest.mark.parametrize("name", ["CA_FILE", "MINIO_CA_FILE", "SINK_CA_FILE", "--ca-file"])
def test_an_authority_has_a_certificate_and_may_be_read_by_all(name: str, tmp_path: Path) -> None:
    made = make_certificates(tmp_path).ca_file
    made.chmod(0o644)
    other = tmp_path / "other"
    other.write_text("no certificate\n")
    for path, grade in ((made, "good"), (other, "problem"), (tmp_path, "problem")):
        given = path if name == "--ca-file" else None
        [found] = examine_files({} if given else {name: str(path)}, tmp_path / "data", given)
        assert (found.subject, found.grade.value) == (name, grade)
