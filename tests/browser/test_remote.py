"""The console of a lake on a platform in a browser: every view, what it cannot show, and that it only reads."""

import re
from collections.abc import Callable, Iterator

import pytest
from penstock.types import ObjectRef
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import accessible
from tests.remote_console import PASSWORD, RemoteConsole
from tests.unit.local.conftest import until
from tests.unit.local.gateway.conftest import Running

ROWS = b"email,name\n" + b"ann@example.com,Ann\n" * 200
VIEWS = ("flow", "objects?bucket=upload", "events", "dead", "search", "functions", "functions?name=echo", "savings")
Open = Callable[..., Page]


@pytest.fixture(name="open_console")
def open_console_fixture(browser: Browser, gateway: Running) -> Iterator[Open]:
    """Open one view of a console over the gateway, logged in by the address that is printed."""
    opened: list[RemoteConsole] = []
    contexts = []
    problems: list[str] = []

    def open_console(console: RemoteConsole, view: str = "flow", width: int = 1280) -> Page:
        opened.append(console)
        context = browser.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{console.server.url}/ui/?password={PASSWORD.replace(' ', '%20')}#/{view}")
        return page

    yield open_console
    for context in contexts:
        context.close()
    for console in opened:
        console.close()
    assert problems == []


def put(gateway: Running, bucket: str, key: str) -> None:
    gateway.store.put(ObjectRef(bucket, key), [ROWS], content_type="text/csv", metadata={})


@pytest.fixture(name="gateway")
def open_gateway_fixture(gateway: Running) -> Running:
    """The gateway of the other tests, whose functions a console elsewhere may list."""
    put(gateway, "upload", "a.csv")
    return gateway


def test_what_a_bridge_delivers_is_followed_to_its_object(gateway: Running, open_console: Open) -> None:
    console = RemoteConsole(gateway)
    page = open_console(console)
    expect(page.get_by_text(re.compile("OpenFaaS at http://.* of 2 functions running"))).to_be_visible()
    console.happens(ObjectRef("upload", "a.csv"))
    row = page.get_by_role("row").filter(has_text="upload/a.csv").filter(has_text="processed")
    expect(row).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("function echo, warm"))).to_be_visible()
    row.get_by_role("link", name="upload/a.csv").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("a.csv")
    sides = page.get_by_role("region", name="Before and after")
    expect(sides.get_by_role("columnheader", name="email").first).to_be_visible()
    attempts = page.get_by_role("region", name="Attempts")
    attempts.get_by_text(re.compile("Log lines")).click()
    expect(attempts.get_by_text(re.compile("hello from echo"))).to_be_visible()
    accessible(page)


def test_a_console_that_only_reads_offers_no_change(gateway: Running, open_console: Open) -> None:
    console = RemoteConsole(gateway)
    console.happens(ObjectRef("upload", "a.csv"))
    page = open_console(console)
    for view in (*VIEWS, "object?bucket=upload&key=a.csv"):
        page.goto(f"{console.server.url}/ui/#/{view}")
        expect(page.get_by_text("reading …")).to_have_count(0)
        expect(page.get_by_text("connecting …")).to_have_count(0)
        assert page.get_by_role("button", name=re.compile("Delete|Replay|Drop|Run again|Send$")).count() == 0, view
        assert page.locator("input[type=file]").count() == 0, view
        accessible(page)
    page.goto(f"{console.server.url}/ui/#/flow")
    expect(page.get_by_text("This console only reads.")).to_be_visible()


def test_with_writes_an_object_is_sent_again_and_a_drop_is_taken_back(gateway: Running, open_console: Open) -> None:
    console = RemoteConsole(gateway, allows_writes=True)
    page = open_console(console, "object?bucket=upload&key=a.csv")
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_text("Sent again to echo.")).to_be_visible()
    expect(page.get_by_role("region", name="Attempts").get_by_role("listitem")).to_have_count(1)

    gateway.functions.remove("echo")
    console.happens(ObjectRef("upload", "a.csv"))
    assert console.bridge is not None
    bridge = console.bridge
    until(lambda: bridge.inbox.counts().dead)
    page.goto(f"{console.server.url}/ui/#/dead")
    page.get_by_role("button", name="Drop all 1", exact=True).click()
    expect(page.get_by_text("1 dead letter dropped.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("1 dead letter back again.")).to_be_visible()
    accessible(page)


def test_what_is_not_told_is_said_in_each_view(gateway: Running, open_console: Open) -> None:
    console = RemoteConsole(gateway, bridge=False)
    page = open_console(console)
    for view in ("flow", "events", "dead", "savings", "object?bucket=upload&key=a.csv"):
        page.goto(f"{console.server.url}/ui/#/{view}")
        expect(page.get_by_text("Give it one with --bridge", exact=False)).to_be_visible()
        accessible(page)
    page.goto(f"{console.server.url}/ui/#/objects?bucket=upload")
    expect(page.get_by_role("link", name="a.csv", exact=True)).to_be_visible()


def test_a_gateway_that_is_gone_is_named_and_the_objects_stay(gateway: Running, open_console: Open) -> None:
    console = RemoteConsole(gateway, bridge=False)
    page = open_console(console)
    expect(page.get_by_text(re.compile("of 2 functions running"))).to_be_visible()
    gateway.server.stop()
    expect(page.get_by_text(re.compile("^gateway http://.*refused"))).to_be_visible()
    page.goto(f"{console.server.url}/ui/#/objects?bucket=upload")
    expect(page.get_by_role("link", name="a.csv", exact=True)).to_be_visible()
    accessible(page)
