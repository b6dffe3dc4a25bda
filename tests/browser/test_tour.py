"""The first five minutes in a browser: the demo's objects before and after, a broken picture, and why it failed."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, expect

from tests.paths import ROOT


@pytest.fixture(name="address")
def address_fixture(tmp_path: Path) -> Iterator[str]:
    """The address that `penstock demo --open` prints; the command runs until the test has ended."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MINIO_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock.cli", "demo", "--rows", "1000", "--open"],
        cwd=ROOT,
        env=env | {"BROWSER": "true", "PYTHONUNBUFFERED": "1", "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield console_of(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def console_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    shown = ""
    for line in process.stdout:
        shown += line
        if "Ctrl+C stops the stack" in line:
            break
    found = re.search(r"The objects, before and after: +(http\S+)", shown)
    assert found, shown
    return found[1]


def test_the_demo_is_looked_at_and_a_broken_picture_is_explained_in_two_clicks(address: str, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(address)
    page.get_by_role("link", name="Objects", exact=True).click()
    page.get_by_role("link", name="images", exact=True).click()
    page.get_by_role("link", name="space/", exact=True).click()
    page.get_by_role("link", name="rocket.jpg", exact=True).click()
    expect(page.get_by_role("heading", name="After resize")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^\d+ % smaller$")).first).to_be_visible()
    expect(page.locator("img.preview")).to_have_count(2)

    page.get_by_role("link", name="Flow", exact=True).click()
    broken = FilePayload(name="holiday.jpg", mimeType="image/jpeg", buffer=b"no picture at all")
    page.locator("input[type=file]").set_input_files([broken])
    page.get_by_role("link", name="See why").click()
    page.get_by_role("link", name="images/holiday.jpg", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("holiday.jpg")
    expect(page.get_by_text("expected JPEG, PNG, WebP, AVIF, GIF or TIFF, got text").first).to_be_visible()
    context.close()
