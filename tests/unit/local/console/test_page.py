"""The page and its files come from the package, and the browser is told to run nothing else."""

import re
from collections.abc import Iterator

import pytest
from penstock.local.functions.functions import LocalFunctions
from penstock.local.gateway.access import Access

from tests.paths import ROOT
from tests.unit.local.conftest import Bench
from tests.unit.local.gateway.conftest import Running

FILES = ROOT / "shared" / "penstock" / "local" / "console" / "files"


@pytest.fixture(name="functions")
def functions_fixture(bench: Bench) -> LocalFunctions:
    return bench.functions(bench.spec(SOURCE="s3://upload/*.csv", SINK="s3://processed/{key}.gz"))


@pytest.fixture(name="gateway")
def gateway_fixture(bench: Bench, functions: LocalFunctions) -> Iterator[Running]:
    running = Running(bench, functions, Access(token="secret"))
    yield running
    running.close()


def test_nothing_in_the_page_may_run_but_the_consoles_own_files(gateway: Running) -> None:
    policy = gateway.request("GET", "/ui/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy


def test_every_file_is_served_with_its_type_and_names_no_other_server(gateway: Running) -> None:
    names = [path.relative_to(FILES).as_posix() for path in FILES.rglob("*") if path.is_file()]
    assert len(names) > 15
    for name in names:
        answer = gateway.request("GET", f"/ui/files/{name}")
        assert answer.status == 200
        assert answer.body == (FILES / name).read_bytes()
        if name.endswith(".js"):
            assert answer.headers["Content-Type"].startswith("text/javascript")
            imported = re.findall(r"""(?:from|import)\s*["']([^"']+)["']""", answer.text)
            assert all(each.startswith((".", "..")) for each in imported), name


@pytest.mark.parametrize("name", ["../console.py", "..%2fpage.py", "none.js", "vendor", ""])
def test_nothing_but_these_files_is_served(gateway: Running, name: str) -> None:
    assert gateway.request("GET", f"/ui/files/{name}").status == 404


def test_the_files_ask_for_the_password_too(bench: Bench, functions: LocalFunctions) -> None:
    guarded = Running(bench, functions, Access(password="pass"))
    try:
        for path in ("/ui/files/app.js", "/ui/feed", "/ui/events", "/ui/folder?bucket=upload", "/ui/dead"):
            assert guarded.request("GET", path).status == 401, path
        for path in ("/ui/rerun", "/ui/dismiss", "/ui/restore"):
            assert guarded.request("POST", path, {}).status == 401, path
    finally:
        guarded.close()


def test_the_library_is_there_with_its_licence() -> None:
    vendor = FILES / "vendor" / "lit-html"
    assert "BSD 3-Clause License" in (vendor / "LICENSE").read_text(encoding="utf-8")
    assert "lit-html" in (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    assert "lit-html" in (ROOT / "NOTICE").read_text(encoding="utf-8")
