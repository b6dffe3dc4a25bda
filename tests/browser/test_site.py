"""The site that `make docs` builds, read from its folder without a server and without a network."""

from playwright.sync_api import Browser, expect

from tests.paths import ROOT


def test_search_of_the_site_works_without_a_network(browser: Browser) -> None:
    context = browser.new_context(offline=True)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("requestfailed", lambda request: errors.append(request.url))
    try:
        page.goto((ROOT / "build" / "site" / "adr" / "index.html").as_uri())
        page.locator("input.md-search__input").click()
        page.keyboard.type("tombstone")
        found = page.locator(".md-search-result__link").first
        expect(found).to_be_visible()
        expect(page.locator(".md-search-result__list")).to_contain_text("tombstone", ignore_case=True)
        found.click()
        expect(page.locator("h1").first).to_be_visible()
        assert "/adr/" not in page.url
        assert errors == []
    finally:
        context.close()
