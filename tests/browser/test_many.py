"""Ten thousand objects and five thousand events: the page stays small and answers."""

from penstock.delivery.deliverer import Message
from penstock.delivery.verdict import DeliveryOutcome, Verdict
from penstock.local.gateway.invocations import Invocation
from penstock.types import ObjectRef
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.unit.local.gateway.conftest import Running

OBJECTS, EVENTS = 10_000, 5_000
# Far above what is measured (below 200 ms on an idle machine): a page that draws everything needs many seconds.
LONGEST_MS = 3_000
MOST_ELEMENTS = 6_000


def watched(open_page: OpenPage, view: str) -> Page:
    """A page that notes each time in which it could not answer for more than 50 ms."""
    page = open_page(view)
    page.evaluate(
        """() => { window.longest = 0; new PerformanceObserver(list => { for (const entry of list.getEntries())
        window.longest = Math.max(window.longest, entry.duration); }).observe({type: "longtask", buffered: true}); }"""
    )
    return page


def answers(page: Page, what: str) -> None:
    longest = page.evaluate("window.longest")
    elements = page.evaluate("document.querySelectorAll('*').length")
    print(f"{what}: longest {longest:.0f} ms, {elements} elements")
    assert longest < LONGEST_MS
    assert elements < MOST_ELEMENTS


def test_ten_thousand_objects(gateway: Running, open_page: OpenPage) -> None:
    for number in range(OBJECTS):
        gateway.store.put(ObjectRef("upload", f"many {number:05}.csv"), [b"a"], content_type="text/csv", metadata={})
    page = watched(open_page, "objects?bucket=upload")
    expect(page.get_by_text("10,000 objects here")).to_be_visible()
    page.get_by_role("button", name="Show 200 more of 9,800").click()
    expect(page.get_by_role("button", name="Show 200 more of 9,600")).to_be_visible()
    answers(page, "400 objects")
    page.get_by_label("name has").fill("many 0777")
    page.keyboard.press("Enter")
    expect(page.get_by_text("10 objects with many 0777")).to_be_visible()
    answers(page, "objects")


def test_five_thousand_events_while_the_page_looks_on(gateway: Running, open_page: OpenPage) -> None:
    page = watched(open_page, "events")
    expect(page.get_by_text("Nothing yet.")).to_be_visible()
    for number in range(EVENTS):
        source = {"bucket": "upload", "key": f"{number}.csv", "size": 9}
        answer = {"outcome": "processed", "source": source, "targets": [{"address": "s3://processed/x", "size": 3}]}
        gateway.invocations.add(
            Invocation("echo", "POST", "/event", 200, False, 0.1, 9, 3, f"call {number}", answer=answer)
        )
    expect(page.get_by_role("link", name="upload/4999.csv", exact=True)).to_be_visible()
    answers(page, "newest events")
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="upload/4799.csv", exact=True)).to_be_visible()
    # The move to the older page is over: until then the heading takes the focus.
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    page.get_by_label("object or reason has").fill("/77.csv")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="upload/77.csv", exact=True)).to_be_visible()
    answers(page, "events")
    page.goto(f"{gateway.server.url}/ui/#/flow")
    expect(page.get_by_role("row").filter(has_text="5,000").first).to_be_visible()
    answers(page, "flow")


def test_five_thousand_dead_letters(gateway: Running, open_page: OpenPage) -> None:
    gateway.inbox.store_dead_letters(
        [
            (
                Message(f"upload/{number}.csv", b"{}", {}, "event", "echo"),
                Verdict(DeliveryOutcome.DEAD, 415, f"{number}.csv: no table" if number % 2 else "the store refuses"),
            )
            for number in range(EVENTS)
        ]
    )
    page = watched(open_page, "dead")
    expect(page.get_by_text("5,000 dead letters in 2 groups, 0 chosen")).to_be_visible()
    answers(page, "dead letters")
    page.get_by_label("function, object or reason has").fill("/4711.csv")
    expect(page.get_by_text("1 dead letter in 1 group, 0 chosen")).to_be_visible()
    page.get_by_label("function, object or reason has").fill("")
    page.get_by_role("button", name="Drop all 5,000").click()
    expect(page.get_by_text("5,000 dead letters dropped.")).to_be_visible()
    assert gateway.inbox.counts().dead == 0
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("5,000 dead letters back again.")).to_be_visible()
    assert gateway.inbox.counts().dead == EVENTS
    answers(page, "dead letters that came back")
