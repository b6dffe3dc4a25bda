"""What `penstock lake` says, against a server in memory."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import penstock.commands.lake  # noqa: F401 - its annotations name the server that is replaced below
import pytest
from penstock.cli import main
from pytest_httpserver import HTTPServer

from tests.unit.lake.fake_minio import FakeMinio

LAKE = """\
name: night
queue_dir: /events
buckets:
  upload:
targets:
  bridge:
    type: webhook
    endpoint: http://bridge:8080/
rules:
  - bucket: upload
    target: bridge
"""


@pytest.fixture
def minio(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeMinio:
    server = FakeMinio()
    server.refused_after_restart = 0
    monkeypatch.setattr("penstock.lake.server.LakeServer", lambda _settings: server)
    monkeypatch.setattr("penstock.lake.applying.SETTLE_SECONDS", 0)
    monkeypatch.setattr("penstock.lake.applying.POLL_SECONDS", 0)
    for name, value in {"ENDPOINT": "http://minio", "ACCESS_KEY": "a", "SECRET_KEY": "b"}.items():
        monkeypatch.setenv(f"MINIO_{name}", value)
    monkeypatch.chdir(tmp_path)
    Path("lake.yml").write_text(LAKE)
    return server


def test_removal_says_that_sync_events_stays_on_and_how_to_turn_it_off(
    minio: FakeMinio, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lake", "apply"]) == 0
    assert minio.sync_events
    capsys.readouterr()
    assert main(["lake", "remove"]) == 0
    said = capsys.readouterr().out
    assert "sync_events stays on" in said
    assert "mc admin config set ALIAS api sync_events=off" in said
    minio.sync_events = False
    assert main(["lake", "remove"]) == 0
    assert "sync_events" not in capsys.readouterr().out


def test_without_a_restart_it_does_not_say_that_the_server_restarts(
    minio: FakeMinio, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lake", "apply", "--no-restart"]) == 75
    said = capsys.readouterr()
    assert "! restart the server afterwards, because it takes targets up only when it starts" in said.out
    assert "the server restarts" not in said.out
    assert "needs a restart before it has the targets" in said.err
    assert "restart" not in minio.calls
    assert main(["lake", "plan"]) == 1
    assert "! the server restarts, because" in capsys.readouterr().out


def test_what_others_wrote_on_the_server_commands_no_terminal(
    minio: FakeMinio, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lake", "apply"]) == 0
    [rule] = minio.kept_rules
    minio.kept_rules = [dataclasses.replace(rule, prefix="a\x1b[2J\nb")]
    for words in (["show"], ["show", "--json"], ["plan"], ["plan", "--json"]):
        capsys.readouterr()
        main(["lake", *words])
        assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize("page", [b"<html>Sign in</html>", b"{", b"\xff"])
def test_another_server_is_told_from_one_that_does_not_answer(
    httpserver: HTTPServer,
    page: bytes,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_data(page, content_type="text/html")
    monkeypatch.chdir(tmp_path)
    Path("lake.yml").write_text(LAKE)
    for name, value in {"ENDPOINT": httpserver.url_for("").rstrip("/"), "ACCESS_KEY": "a", "SECRET_KEY": "b"}.items():
        monkeypatch.setenv(f"MINIO_{name}", value)
    assert main(["lake", "show"]) == 75
    said = capsys.readouterr().err
    assert "answers, but not as MinIO's admin API does; MINIO_ENDPOINT must lead to MinIO itself" in said
    assert "cannot be reached" not in said


def test_before_a_restart_it_says_how_long_that_may_take(minio: FakeMinio, capsys: pytest.CaptureFixture[str]) -> None:
    """The command is silent for up to two minutes."""
    word = "penstock lake: restarts the server and waits until it is back as declared, for up to 120 s"
    assert main(["lake", "apply"]) == 0
    assert word in capsys.readouterr().err
    assert main(["lake", "apply"]) == 0
    assert capsys.readouterr().err == "", "nothing changes, so nothing restarts"
