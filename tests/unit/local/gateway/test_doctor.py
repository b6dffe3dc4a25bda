"""The local gateway is examined like any other, in both editions."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from penstock.commands import doctor
from penstock.connect.edition import Edition
from penstock.local.gateway.access import Access

from tests.unit.local.conftest import Bench
from tests.unit.local.gateway.conftest import Running


def run(*words: str, env: Mapping[str, str]) -> int:
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    return doctor.run(parser.parse_args(["openfaas", *words]), env)


@pytest.mark.parametrize(("edition", "problems"), [(Edition.CE, 1), (Edition.PRO, 0)])
def test_the_local_gateway_is_examined_like_any_other(
    bench: Bench, capsys: pytest.CaptureFixture[str], edition: Edition, problems: int, tmp_path: Path
) -> None:
    gateway = Running(bench, bench.functions(), Access(password="s3cret"), edition)
    (tmp_path / "handler").mkdir(exist_ok=True)
    stack = tmp_path / "paid.yml"
    stack.write_text("functions:\n  a: {handler: ./handler, labels: {com.openfaas.scale.zero: 'true'}}\n")
    try:
        login = {"BASIC_AUTH_USER": "admin", "BASIC_AUTH_PASSWORD": "s3cret"}
        assert run("--gateway", gateway.server.url, "--stack", str(stack), "--json", env=login) == problems
        found = json.loads(capsys.readouterr().out)
        assert found[0]["text"].startswith("penstock ")
        assert [each["subject"] for each in found if each["grade"] == "problem"] == ["a"] * problems
        assert run("--gateway", gateway.server.url, "--stack", str(stack), env=login) == problems
        assert capsys.readouterr().out.startswith("good  ")
    finally:
        gateway.close()
