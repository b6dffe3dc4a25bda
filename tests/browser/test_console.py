"""Each view of the console in a browser: what it shows and does, by mouse, by keyboard and for screen readers."""

import gzip
import io
import json
import re
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from penstock.delivery.deliverer import Message
from penstock.types import ObjectRef
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.conftest import OpenPage, accessible
from tests.unit.local.conftest import until
from tests.unit.local.gateway.conftest import Running

HOSTILE = "<img src=x onerror=alert(1)>\"'&{{7*7}}.csv"
ROWS = b"email,name\n" + b"ann@example.com,Ann <b>bold</b>\n" * 200


def put(gateway: Running, bucket: str, key: str, body: bytes = ROWS, kind: str = "text/csv") -> None:
    gateway.store.put(ObjectRef(bucket, key), [body], content_type=kind, metadata={})


def moved(page: Page) -> None:
    """Wait until a move to another view is over: then its heading has the focus."""
    expect(page.get_by_role("heading", level=1)).to_be_focused()


def picture(side: int) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((side, side)).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def letters(gateway: Running, count: int, reason: str = "{key}: expected a table", key: str = "file {n}.csv") -> None:
    for number in range(count):
        name = key.format(n=number)
        message = Message(f"upload/{name}", b'{"bucket": "upload"}', {}, f"event s3://upload/{name}", "echo")
        gateway.inbox.store_dead_letter(message, 415, reason.format(key=name))


def event(gateway: Running) -> None:
    """One event about upload/a.csv, which the function says it has processed."""
    before = len(gateway.invocations.recent())
    gateway.request("POST", "/function/echo/event", b"{}")
    until(lambda: len(gateway.invocations.recent()) > before)


def event_rows(page: Page) -> Locator:
    return page.get_by_role("row").filter(has_text="upload/a.csv").filter(has_text="processed")


def test_the_flow_shows_what_runs_and_what_passes_as_it_happens(gateway: Running, open_page: OpenPage) -> None:
    page = open_page("flow")
    graph = page.get_by_role("group", name="What flows where")
    expect(graph.get_by_role("link", name="function echo, at zero · 0 running")).to_be_visible()
    event(gateway)

    expect(graph.get_by_role("link", name=re.compile("function echo, warm"))).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("^echo warm 1 1 1 0 0"))).to_be_visible()
    expect(event_rows(page)).to_be_visible()
    graph.get_by_role("link", name="bucket upload, bucket").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Objects")


def test_a_file_is_uploaded_to_the_bucket_whose_functions_take_it(gateway: Running, open_page: OpenPage) -> None:
    page = open_page("flow")
    page.set_input_files(
        "input[type=file]",
        [
            FilePayload(name="日本語 100%.csv", mimeType="text/csv", buffer=ROWS),
            FilePayload(name="song.mp3", mimeType="audio/mpeg", buffer=b"x"),
        ],
    )
    uploads = page.get_by_role("list", name="Uploads")
    expect(uploads).to_contain_text("stored")
    expect(uploads).to_contain_text("No function takes song.mp3. echo takes s3://upload/*.csv")
    assert gateway.store.stat(ObjectRef("upload", "日本語 100%.csv")) is not None

    page.get_by_label("into bucket").select_option("processed")
    uploads.get_by_role("button", name="Retry song.mp3").click()
    expect(uploads.get_by_role("link", name="song.mp3")).to_be_visible()
    accessible(page)


def test_an_upload_is_cancelled_and_retried_and_the_others_go_on(gateway: Running, open_page: OpenPage) -> None:
    page = open_page("objects?bucket=upload")
    expect(page.get_by_text("0 objects here")).to_be_visible()
    page.route("**/object?*", lambda route: None if "slow" in route.request.url else route.continue_())
    page.set_input_files(
        "input[type=file]",
        [FilePayload(name=name, mimeType="text/csv", buffer=ROWS) for name in ("slow.csv", "quick.csv")],
    )
    uploads = page.get_by_role("list", name="Uploads")
    expect(uploads.get_by_role("progressbar", name="Upload of slow.csv")).to_be_visible()
    expect(uploads.get_by_role("link", name="quick.csv")).to_be_visible()
    uploads.get_by_role("button", name="Cancel slow.csv").click()
    expect(uploads).to_contain_text("cancelled")
    page.unroute("**/object?*")
    uploads.get_by_role("button", name="Retry slow.csv").click()
    expect(uploads.get_by_role("link", name="slow.csv")).to_be_visible()
    assert gateway.store.stat(ObjectRef("upload", "slow.csv")) is not None


def test_objects_are_walked_filtered_and_deleted(gateway: Running, open_page: OpenPage) -> None:
    for key in ("donors/2026/a.csv", "donors/b.csv", "top.csv"):
        put(gateway, "upload", key)
    page = open_page("objects?bucket=upload")
    page.get_by_role("link", name="donors/", exact=True).click()
    expect(page.get_by_role("link", name="2026/", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="b.csv", exact=True)).to_be_visible()
    page.get_by_role("navigation", name="Folders").get_by_role("link", name="upload").click()
    moved(page)
    page.get_by_label("name has").fill("A.csv")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="donors/2026/a.csv", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="top.csv", exact=True)).to_have_count(0)
    accessible(page)

    page.get_by_role("button", name="Delete donors/2026/a.csv").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Keep it")).to_be_focused()
    accessible(page)
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("donors/2026/a.csv is deleted.")).to_be_visible()
    assert gateway.store.stat(ObjectRef("upload", "donors/2026/a.csv")) is None


def test_a_table_is_shown_before_and_after_with_what_was_saved(gateway: Running, open_page: OpenPage) -> None:
    put(gateway, "upload", "a.csv")
    put(gateway, "processed", "a.csv.gz", gzip.compress(ROWS), "application/gzip")
    event(gateway)
    page = open_page("object?bucket=upload&key=a.csv")

    sides = page.get_by_role("region", name="Before and after")
    expect(sides.get_by_role("columnheader", name="email")).to_have_count(2)
    expect(sides.get_by_text("Ann <b>bold</b>").first).to_be_visible()
    expect(sides.get_by_text(re.compile(r"\d+ % smaller"))).to_be_visible()
    attempts = page.get_by_role("region", name="Attempts")
    expect(attempts.get_by_text("Note: The encoding was guessed.")).to_be_visible()
    attempts.get_by_text(re.compile("Log lines")).click()
    expect(attempts.get_by_text(re.compile("hello from echo"))).to_be_visible()
    accessible(page)
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_text("Sent again to echo.")).to_be_visible()
    expect(attempts.get_by_role("listitem")).to_have_count(2)


def has_width(image: Locator, side: int) -> bool:
    return bool(image.evaluate("image => image.naturalWidth") == side)


def test_a_picture_is_shown_before_and_after(gateway: Running, open_page: OpenPage) -> None:
    put(gateway, "upload", "rose.csv", picture(800), "image/jpeg")
    put(gateway, "processed", "rose.csv.gz", picture(80), "image/jpeg")
    page = open_page("object?bucket=upload&key=rose.csv")

    for key, side in (("rose.csv", 800), ("rose.csv.gz", 80)):
        shown = page.get_by_role("img", name=f"Picture {key}", exact=True)
        expect(shown).to_be_visible()
        until(partial(has_width, shown, side))
    accessible(page)


# The page asks for a picture of each: one answer that never ends would hold up all others of its host.
PICTURES = [
    f"{word}の写真 {number}.csv" for number, word in enumerate(("猫", "犬", "鳥", "桜", "海", "山", "月", "雪", "花"))
]


def test_nine_pictures_with_japanese_names_are_stored_and_shown(gateway: Running, open_page: OpenPage) -> None:
    page = open_page("flow")
    page.set_input_files(
        "input[type=file]",
        [
            FilePayload(name=name, mimeType="image/jpeg", buffer=picture(40 + side))
            for side, name in enumerate(PICTURES)
        ],
    )
    uploads = page.get_by_role("list", name="Uploads")
    for name in PICTURES:
        expect(uploads.get_by_role("link", name=name)).to_be_visible()
    page.goto(f"{gateway.server.url}/ui/#/objects?bucket=upload")
    for side, name in enumerate(PICTURES):
        page.get_by_role("region", name="Objects, a table").get_by_role("link", name=name, exact=True).click()
        shown = page.get_by_role("img", name=f"Picture {name}", exact=True)
        until(partial(has_width, shown, 40 + side))
        page.go_back()
    with page.expect_download() as download:
        page.get_by_role("link", name=f"Download {PICTURES[0]}", exact=True).click()
    assert download.value.suggested_filename == PICTURES[0]
    assert download.value.path().read_bytes() == picture(40)


def test_a_crash_is_found_in_two_clicks(gateway: Running, open_page: OpenPage) -> None:
    put(gateway, "upload", "a.bad")
    page = open_page("flow")
    gateway.request("POST", "/ui/rerun", {"bucket": "upload", "key": "a.bad"})
    page.get_by_role("link", name="See why").click()
    group = page.get_by_role("region", name=re.compile("exited with code 78"))
    expect(group).to_be_visible()
    group.get_by_role("link", name="upload/a.bad").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("a.bad")
    expect(page.get_by_text(re.compile("hello from broken")).first).to_be_visible()
    accessible(page)


def test_a_request_as_curl_is_copied_so_that_a_shell_reads_it(gateway: Running, open_page: OpenPage) -> None:
    key = "it's $HOME.csv"
    put(gateway, "upload", key)
    page = open_page(
        "object?" + urlencode({"bucket": "upload", "key": key}), permissions=["clipboard-read", "clipboard-write"]
    )
    page.get_by_role("button", name="Copy as curl for echo").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.endswith(f"'{gateway.server.url}/function/echo/event'")
    quoted = copied.partition(" -d ")[2].partition(" 'http")[0]
    assert json.loads(quoted[1:-1].replace("'\\''", "'")) == {"bucket": "upload", "key": key}


def test_dead_letters_are_grouped_filtered_and_a_drop_is_taken_back(gateway: Running, open_page: OpenPage) -> None:
    letters(gateway, 3)
    letters(gateway, 2, "the store refuses", "other {n}.csv")
    page = open_page("dead")
    expect(page.get_by_role("region", name="…: expected a table")).to_be_visible()
    expect(page.get_by_text("5 dead letters in 2 groups, 0 chosen")).to_be_visible()
    page.get_by_label("function, object or reason has").fill("refuses")
    expect(page.get_by_text("2 dead letters in 1 group, 0 chosen")).to_be_visible()
    page.get_by_label("Choose upload/other 1.csv").check()
    accessible(page)

    page.get_by_role("button", name="Drop chosen").click()
    expect(page.get_by_text("1 dead letter dropped.")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert gateway.inbox.counts().dead == 4
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("1 dead letter back again.")).to_be_visible()
    assert gateway.inbox.counts().dead == 5
    page.get_by_label("function, object or reason has").fill("")
    replay = page.get_by_role("button", name="Replay all 5")
    # Said before the click, also to a screen reader, of each button that sends many.
    for button in (
        replay,
        page.get_by_role("button", name="Replay chosen"),
        page.get_by_role("button", name="Replay all with").first,
    ):
        expect(button).to_have_accessible_description(re.compile("cannot be undone. A drop can"))
    expect(page.get_by_text("it cannot be undone")).to_be_visible()
    replay.click()
    expect(page.get_by_text("5 events sent again.")).to_be_visible()
    until(lambda: gateway.inbox.counts().dead == 0)
    expect(page.get_by_text(re.compile("^None"))).to_be_visible()


def test_events_are_filtered_and_grow(gateway: Running, open_page: OpenPage) -> None:
    event(gateway)
    page = open_page("events")
    row = event_rows(page)
    expect(row).to_have_count(1)
    event(gateway)
    expect(row).to_have_count(2)
    page.get_by_label("result", exact=True).select_option("failed")
    expect(page.get_by_text("Nothing that matches.")).to_be_visible()
    event(gateway)
    page.get_by_label("result", exact=True).select_option("processed")
    expect(row).to_have_count(3)
    accessible(page)


DOCUMENTS: list[dict[str, Any]] = [
    {
        "bucket": "processed",
        "key": "donors.csv.gz",
        "kind": "csv",
        "type": "application/gzip",
        "size": 5000,
        "last_modified": "2026-11-01T10:00:00Z",
        "csv": {"columns": ["email", "name"], "rows": 7, "first_rows": [["ann@example.org", HOSTILE]]},
    },
    {
        "bucket": "processed",
        "key": "ann.jpg",
        "kind": "image",
        "type": "image/jpeg",
        "size": 2_000_000,
        "last_modified": "2026-11-02T10:00:00Z",
        "image": {"width": 40, "height": 30},
    },
]


def searching(page: Page) -> None:
    """Answer as a function that keeps an index: which functions are there is the gateway's state."""
    page.route("**/function/**", lambda route: route.fulfill(json={"documents": DOCUMENTS}))


def test_a_search_has_facets_and_shows_what_matched(gateway: Running, open_page: OpenPage, monkeypatch: Any) -> None:
    from penstock.sinks.bucket_address import BucketAddress

    monkeypatch.setattr(BucketAddress, "is_searchable", True)
    page = open_page("search")
    searching(page)
    page.get_by_label("words").fill("ann")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("2 objects", exact=True)).to_be_visible()
    expect(page.locator("mark").first).to_have_text("ann")
    expect(page.get_by_text("40 × 30")).to_be_visible()
    accessible(page)
    page.get_by_role("link", name="email 1").click()
    expect(page.get_by_text("1 object", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="processed/donors.csv.gz")).to_be_visible()
    page.get_by_role("link", name="email 1").click()
    expect(page.get_by_text("2 objects", exact=True)).to_be_visible()


def test_a_function_is_explained_and_asked(gateway: Running, open_page: OpenPage) -> None:
    page = open_page("functions")
    page.get_by_role("link", name="echo", exact=True).click()
    option = page.get_by_role("row", name="level 3 1 0 to 9 how hard to try")
    expect(option).to_be_visible()
    page.get_by_label("key", exact=True).fill("a.csv")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text(re.compile("Answered 200 in"))).to_be_visible()
    expect(page.get_by_text('"outcome": "processed"')).to_be_visible()
    expect(page.get_by_role("region", name="Log").get_by_text("hello from echo")).to_be_visible()
    expect(page.get_by_role("region", name="State").get_by_text("requests in ten minutes: 1")).to_be_visible()
    expect(page.get_by_text("s3://upload/*.csv → s3://processed/{key}.gz")).to_be_visible()
    accessible(page)


def test_savings_are_summed(gateway: Running, open_page: OpenPage) -> None:
    page = open_page("savings")
    expect(page.get_by_text(re.compile("^Nothing yet"))).to_be_visible()
    event(gateway)
    expect(page.get_by_text("8 B became 4 B")).to_be_visible()
    expect(page.get_by_text("50 % saved")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("Bytes in and out in each minute"))).to_be_visible()
    accessible(page)


VIEWS = ("flow", "objects?bucket=upload", "events", "dead", "search", "functions", "functions?name=echo", "savings")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_view_is_accessible_in_both_themes(gateway: Running, open_page: OpenPage, theme: str) -> None:
    put(gateway, "upload", "a.csv")
    event(gateway)
    letters(gateway, 2)
    page = open_page("flow", color_scheme=theme)
    for view in (*VIEWS, "object?bucket=upload&key=a.csv"):
        page.goto(f"{gateway.server.url}/ui/#/{view}")
        expect(page.get_by_text("reading …")).to_have_count(0)
        accessible(page)


# 640 pixels are what a window of 1280 has at a zoom of 200 %.
@pytest.mark.parametrize("width", [390, 640])
def test_every_view_fits_a_narrow_window(gateway: Running, open_page: OpenPage, width: int) -> None:
    long = "folder/" + "x" * 180 + ".csv"
    put(gateway, "upload", long)
    event(gateway)
    letters(gateway, 2, "y" * 300)
    page = open_page("flow", width=width)
    for view in (*VIEWS, "object?" + urlencode({"bucket": "upload", "key": long})):
        page.goto(f"{gateway.server.url}/ui/#/{view}")
        expect(page.get_by_text("reading …")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
        # A heading beside buttons must not become a column of syllables.
        headings = page.locator("h2:visible").evaluate_all(
            "all => all.map(each => [each.textContent, each.offsetWidth])"
        )
        assert [each for each in headings if each[1] < 140 < 7 * len(each[0])] == [], view


def test_names_that_are_markup_stay_text_in_every_view(gateway: Running, open_page: OpenPage) -> None:
    put(gateway, "upload", HOSTILE, f"{HOSTILE},b\n1,{HOSTILE}\n".encode())
    put(gateway, "upload", f"{HOSTILE}/inner.csv")
    letters(gateway, 1, "<script>alert(1)</script>{key}", HOSTILE.replace("{", "{{").replace("}", "}}"))
    page = open_page("flow")
    for view in (
        "objects?bucket=upload",
        "object?" + urlencode({"bucket": "upload", "key": HOSTILE}),
        "events",
        "dead",
        "flow",
    ):
        page.goto(f"{gateway.server.url}/ui/#/{view}")
        expect(page.get_by_text("reading …")).to_have_count(0)
        assert page.locator("[onerror], img[src=x], main script").count() == 0
    page.goto(f"{gateway.server.url}/ui/#/dead")
    expect(page.get_by_text("<script>alert(1)</script>").first).to_be_visible()


def test_text_cannot_become_markup_even_by_mistake(open_page: OpenPage) -> None:
    page = open_page("flow", strict=False)
    expect(page.get_by_role("heading", level=1)).to_have_text("Flow")
    named = "() => { try { %s; return 'done'; } catch (error) { return error.name; } }"
    assert page.evaluate(named % "document.body.innerHTML = '<b>x</b>'") == "TypeError"
    assert page.evaluate("document.querySelectorAll('script').length") == 1
    page.evaluate(
        "document.head.append(Object.assign(document.createElement('style'), {textContent: 'h1 {color: red}'}))"
    )
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).color") != "rgb(255, 0, 0)"


def test_a_field_that_is_entered_during_a_move_keeps_the_focus(gateway: Running, open_page: OpenPage) -> None:
    put(gateway, "upload", "donors/a.csv")
    page = open_page("objects?bucket=upload")
    expect(page.get_by_role("link", name="donors/", exact=True)).to_be_visible()
    left = page.evaluate(
        """async () => {
            const frame = () => new Promise(requestAnimationFrame);
            location.hash = "#/objects?bucket=upload&prefix=donors%2F";
            await new Promise(done => addEventListener("hashchange", done, {once: true}));
            document.getElementById("words").focus();
            for (let count = 0; count < 5; count++) await frame();
            return document.activeElement.id;
        }"""
    )
    assert left == "words"
    page.get_by_role("link", name="Flow", exact=True).click()
    moved(page)


def test_the_first_key_leads_past_the_navigation(gateway: Running, open_page: OpenPage) -> None:
    page = open_page("flow")
    expect(page.get_by_role("link", name="bucket upload, bucket")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()


# Everything that a mouse can use: one radio button of a group, and not what is hidden or switched off.
USABLE = """() => {
  const named = each => each.outerHTML.slice(0, 120);
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")];
  const seen = each => each.checkVisibility({visibilityProperty: true}) && !each.disabled && each.type !== "hidden"
    && !(each.type === "radio" && !each.checked);
  window.reached = new Set();
  document.addEventListener("focusin", focus => window.reached.add(focus.target));
  return all.filter(seen).map(named);
}"""
LEFT = """all => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
  .filter(each => all.includes(each.outerHTML.slice(0, 120)) && !window.reached.has(each))
  .map(each => each.outerHTML.slice(0, 120))"""


def test_the_keyboard_reaches_everything(gateway: Running, open_page: OpenPage) -> None:
    put(gateway, "upload", "a.csv")
    event(gateway)
    letters(gateway, 2)
    page = open_page("flow")
    for view in (*VIEWS, "object?bucket=upload&key=a.csv"):
        page.goto(f"{gateway.server.url}/ui/#/{view}")
        expect(page.get_by_text("reading …")).to_have_count(0)
        page.evaluate("document.activeElement.blur()")
        usable = page.evaluate(USABLE)
        assert len(usable) > 8, view
        for _ in range(len(usable) + 10):
            page.keyboard.press("Tab")
        assert page.evaluate(LEFT, usable) == [], view


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_nothing_moves_if_that_is_asked_for(gateway: Running, open_page: OpenPage, motion: str) -> None:
    page = open_page("flow", reduced_motion=motion)
    expect(page.get_by_role("link", name="bucket upload, bucket")).to_be_visible()
    style = page.evaluate(
        """() => { const path = document.querySelector(".step"); path.classList.add("passing");
        return getComputedStyle(path).animationName; }"""
    )
    assert style == ("none" if motion == "reduce" else "pass")


def test_a_stack_that_does_not_answer_is_said_in_words_and_what_was_missed_comes(
    gateway: Running, open_page: OpenPage
) -> None:
    page = open_page("events", strict=False)
    expect(page.get_by_text("2 functions running", exact=False)).to_be_visible()
    page.route("**/feed*", lambda route: route.abort())
    hide(page, hidden=True)
    event(gateway)
    hide(page, hidden=False)
    expect(page.get_by_text("The stack does not answer.", exact=False)).to_be_visible()
    expect(event_rows(page)).to_have_count(0)
    page.unroute("**/feed*")
    expect(event_rows(page)).to_have_count(1)
    expect(page.get_by_text("The stack does not answer.", exact=False)).to_have_count(0)


def hide(page: Page, *, hidden: bool) -> None:
    """As a browser tells a page that another tab is looked at, or this one again."""
    page.evaluate(
        """hidden => { Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
        document.dispatchEvent(new Event("visibilitychange")); }""",
        hidden,
    )
