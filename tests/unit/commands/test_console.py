"""`penstock console`: what it needs, and what it prints."""

import argparse
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from penstock.cli import main
from penstock.commands import console

STORE = ("--store=http://127.0.0.1:9",)
SETTINGS = ("GATEWAY_URL", "MINIO_ENDPOINT", "CONSOLE_TOKEN", "CONSOLE_PASSWORD")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MINIO_ACCESS_KEY", "key")
    monkeypatch.setenv("MINIO_SECRET_KEY", "secret")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (STORE, "give --gateway URL, or --kubernetes"),
        (("--gateway=http://127.0.0.1:9",), "MINIO_ENDPOINT: not set"),
        ((*STORE, "--gateway=here"), "gateway 'here': expected http://HOST:PORT"),
        ((*STORE, "--gateway=http://g", "--kubernetes"), "give one of them"),
        ((*STORE, "--gateway=http://g", "--bridge=http://b"), "--bridge: needs CONSOLE_TOKEN"),
        ((*STORE, "--gateway=http://g", "--metrics=here"), "metrics 'here': expected http://HOST:PORT"),
        ((*STORE, "--kubernetes", "--kubeconfig=/nowhere"), "/nowhere: No such file"),
        ((*STORE, "--gateway=http://g", "--stack=/nowhere.yml"), "/nowhere.yml"),
    ],
)
def test_what_cannot_work_is_said_at_the_start(
    words: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["console", *words]) == 78
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_an_address_that_opens_the_page_and_ends_at_a_signal(number: signal.Signals) -> None:
    command = [
        sys.executable,
        "-m",
        "penstock.cli",
        "console",
        "--gateway",
        "http://127.0.0.1:9",
        *STORE,
        "--port",
        "0",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"console  (http://127\.0\.0\.1:\d+/ui/)(\?password=\S+)  user admin; it only reads\n", line)
    assert found is not None, line
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(found[1])
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    assert b"Penstock" in opener.open(found[1] + found[2]).read()
    process.send_signal(number)
    assert process.wait(60) == 0
    process.stdout.close()


def test_the_page_is_for_this_machine_and_only_reads_unless_told_otherwise() -> None:
    parser = argparse.ArgumentParser()
    console.add_arguments(parser)
    given = parser.parse_args([])
    assert (given.host, given.allow_writes) == ("127.0.0.1", False)
