"""A file that a command is given and cannot read is named, in one line, and is never a defect of Penstock."""

from pathlib import Path

import pytest
from penstock.cli import main
from penstock.errors import ConfigError

# What is typed; FILE is the broken file.
TYPED = (
    "graph --stack FILE",
    "render knative --stack FILE",
    "render openfaas --stack FILE",
    "reconcile compress --stack FILE",
    "status s3://upload/a.csv --stack FILE",
    "lake plan --file FILE",
    "jobs list --kubeconfig FILE",
    "console --kubernetes --kubeconfig FILE",
    "dlq list --properties FILE",
    "dlq list --inbox FILE",
)
BROKEN = {
    "no YAML": b"functions: [1, 2",
    "no text": b"\xff\xfe\x00",
    "a number in place of a mapping": b"functions:\n  compress: 3\nbuckets: 3\nclusters: 3\n",
    "a list": b"[]",
}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"ENDPOINT": "http://127.0.0.1:9", "ACCESS_KEY": "user", "SECRET_KEY": "password"}.items():
        monkeypatch.setenv(f"MINIO_{name}", value)


def refused(typed: str, file: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(typed.replace("FILE", file).split()) == ConfigError.exit_code
    said = capsys.readouterr().err
    assert "defect" not in said
    return said


@pytest.mark.parametrize("typed", TYPED)
def test_a_broken_file_is_named(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    for content in BROKEN.values():
        Path("broken.yml").write_bytes(content)
        assert "broken.yml" in refused(typed, "broken.yml", capsys)


@pytest.mark.parametrize("typed", TYPED)
@pytest.mark.parametrize("file", ["missing.yml", "."])
def test_a_file_that_is_missing_or_a_folder_is_named(typed: str, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert file in refused(typed, file, capsys)
