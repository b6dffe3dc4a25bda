"""Secrets come from a variable, from a file that is named, or from the mounted folder, in this order."""

from pathlib import Path

import pytest
from penstock.errors import ConfigError
from penstock.settings.environment import load_config
from penstock.settings.every_setting import SETTINGS
from penstock.settings.secrets import read_secret
from penstock.settings.setting import Setting, secret_file


@pytest.mark.parametrize("setting", [each for each in SETTINGS if each.is_secret and "<" not in each.name])
def test_a_secret_is_read_from_each_of_its_places(setting: Setting[str], tmp_path: Path) -> None:
    (tmp_path / secret_file(setting.name)).write_text("mounted")
    (tmp_path / "named").write_text("named")
    mounted = {"SECRETS_DIR": str(tmp_path)}
    named = mounted | {f"{setting.name}_FILE": str(tmp_path / "named")}
    assert read_secret(mounted, setting.name) == "mounted"
    assert read_secret(named, setting.name) == "named"
    assert read_secret(named | {setting.name: "given"}, setting.name) == "given"


def test_secret_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    assert read_secret({"SECRETS_DIR": str(tmp_path)}, "TOKEN") == ""
    with pytest.raises(ConfigError, match="TOKEN_FILE"):
        read_secret({"TOKEN_FILE": str(tmp_path / "none")}, "TOKEN")


def test_secret_comes_from_the_mounted_file(tmp_path: Path) -> None:
    (tmp_path / "minio-access-key").write_text("from-file\n")
    (tmp_path / "minio-secret-key").write_text(" secret with spaces inside \n")
    config = load_config({"MINIO_ENDPOINT": "x", "SECRETS_DIR": str(tmp_path)}, function="upper")
    assert config.store is not None
    assert (config.store.access_key, config.store.secret_key) == ("from-file", "secret with spaces inside")


def test_secret_comes_from_the_file_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("named")
    env = {"MINIO_ENDPOINT": "x", "MINIO_ACCESS_KEY_FILE": str(tmp_path / "key"), "MINIO_SECRET_KEY": "b"}
    config = load_config(env, function="upper")
    assert config.store is not None
    assert config.store.access_key == "named"


def test_variable_goes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / "minio-access-key").write_text("file")
    env = {"MINIO_ENDPOINT": "x", "SECRETS_DIR": str(tmp_path), "MINIO_ACCESS_KEY": "a", "MINIO_SECRET_KEY": "b"}
    config = load_config(env, function="upper")
    assert config.store is not None
    assert config.store.access_key == "a"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\x00binary"])
def test_secret_file_that_holds_none_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "minio-access-key").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config({"MINIO_ENDPOINT": "x", "SECRETS_DIR": str(tmp_path), "MINIO_SECRET_KEY": "b"}, function="upper")
    said = "\n".join(caught.value.problems)
    assert "MINIO_ACCESS_KEY" in said
    assert "binary" not in said


def test_secret_file_that_is_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "minio-access-key").mkdir()
    with pytest.raises(ConfigError) as caught:
        load_config({"MINIO_ENDPOINT": "x", "SECRETS_DIR": str(tmp_path), "MINIO_SECRET_KEY": "b"}, function="upper")
    said = "\n".join(caught.value.problems)
    assert "MINIO_ACCESS_KEY: cannot read" in said


@pytest.mark.parametrize("name", ["FUNCTION_TOKEN", "FUNCTION_HMAC_KEY", "BRIDGE_TOKEN", "DEAD_LETTER_TOKEN"])
@pytest.mark.parametrize("content", ["", "\n", " "])
def test_mounted_secret_with_nothing_in_it_does_not_open_what_it_should_close(
    tmp_path: Path, name: str, content: str
) -> None:
    path = tmp_path / name.lower().replace("_", "-")
    path.write_text(content)
    with pytest.raises(ConfigError, match=f"^{name}: {path} is empty; .* or remove the file"):
        read_secret({"SECRETS_DIR": str(tmp_path)}, name)


def test_variable_of_spaces_does_not_open_what_it_should_close(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^FUNCTION_TOKEN: has only spaces; "):
        read_secret({"FUNCTION_TOKEN": " \n", "SECRETS_DIR": str(tmp_path)}, "FUNCTION_TOKEN")
    assert read_secret({"FUNCTION_TOKEN": "", "SECRETS_DIR": str(tmp_path)}, "FUNCTION_TOKEN") == ""
