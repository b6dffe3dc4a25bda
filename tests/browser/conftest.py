"""A browser, and a gateway with as much in it as a test wants. `make browser` installs what these tests need."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from penstock.local.gateway.access import Access
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.unit.local.conftest import Bench
from tests.unit.local.gateway.conftest import Running

# A busy machine is slow: a test waits for what must come, and only what never comes fails it.
expect.set_options(timeout=120_000)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(name="browser", scope="session")
def browser_fixture() -> Iterator[Browser]:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.fail("no Chromium: install Debian's package chromium, or name the program in CHROMIUM")
    with sync_playwright() as playwright:
        # Chromium's sandbox needs user namespaces, which containers and CI often do not have.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(name="bench")
def bench_fixture(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


@pytest.fixture(name="gateway")
def gateway_fixture(bench: Bench) -> Iterator[Running]:
    functions = bench.functions(
        bench.spec(SOURCE="s3://upload/*.csv", SINK="s3://processed/{key}.gz", OPTION_LEVEL="3"),
        bench.spec("broken", SOURCE="s3://upload/*.bad", SINK="s3://processed/bad/{key}", EXIT="78"),
    )
    handler = 'class Options:\n    level: int = option(1, "how hard to try", ge=0, le=9)\n'
    (bench.folder / "handler.py").write_text(handler)
    running = Running(bench, functions, Access(token="secret"))
    yield running
    running.close()


OpenPage = Callable[..., Page]


@pytest.fixture(name="open_page")
def open_page_fixture(browser: Browser, gateway: Running) -> Iterator[OpenPage]:
    """Open one view. In the end no script may have failed, and nothing may have been refused by the policy.

    `strict=False` is for a test that makes a script fail.
    """
    problems: list[str] = []
    contexts = []

    def open_page(view: str = "flow", *, width: int = 1280, strict: bool = True, **settings: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        context.set_default_timeout(120_000)
        contexts.append(context)
        page = context.new_page()
        if strict:
            page.on("pageerror", lambda error: problems.append(f"{view}: {error}"))
            page.on(
                "console",
                lambda message: problems.append(f"{view}: {message.text}") if message.type == "error" else None,
            )
            page.on("dialog", lambda dialog: problems.append(f"{view}: dialog {dialog.message}"))
        page.goto(f"{gateway.server.url}/ui/#/{view}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    # The page asks for outputs that are not there yet.
    assert [each for each in problems if "404 (NOT FOUND)" not in each] == []


def accessible(page: Page) -> None:
    """Fail for what axe finds wrong: https://www.deque.com/axe."""
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    assert [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found] == []
