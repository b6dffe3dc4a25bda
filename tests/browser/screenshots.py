"""Remakes docs/console*.png and docs/console/ from a stack that runs: `make screenshots`."""

import io
import os
import shutil
import tempfile
from pathlib import Path

from penstock.local.demo.photos import read_photos
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from tests.e2e.test_stack import Up
from tests.paths import DOCS
from tests.waiting import wait_until

# The views by the names of their pictures, which are in docs/console in both themes.
VIEWS = {
    "flow": "flow",
    "objects": "objects?bucket=images&prefix=trip/",
    "object": "object?bucket=upload&key=donors/2026.csv",
    "events": "events",
    "dead": "dead",
    "search": "search?q=cat",
    "functions": "functions",
    "function": "functions?name=resize",
    "savings": "savings",
}
# Those that README and docs/console.md show.
SHOWN = (
    ("console.png", "flow", "light"),
    ("console-dark.png", "flow", "dark"),
    ("console-object.png", "object", "light"),
    ("console-dead.png", "dead", "dark"),
)
PHOTOGRAPHS = {"trip/rocket.jpg": "rocket.jpg", "trip/coffee.jpg": "coffee.jpg", "trip/cat.jpg": "chelsea.jpg"}
TYPES = ("A+", "O-", "B+", "AB-", "O+")


def fill(up: Up) -> None:
    """Objects of each kind, and some that no function can read."""
    rows = "".join(
        f"donor{n}@example.com,Donor {n},{TYPES[n % 5]},19{60 + n % 40}-{n % 12 + 1:02}-{n % 28 + 1:02}\n"
        for n in range(20_000)
    )
    up.put("upload", "donors/2026.csv", ("email,name,type,birthday\n" + rows).encode(), "text/csv")
    pictures = {photo.file: data for photo, data in read_photos()}
    for name, file in PHOTOGRAPHS.items():
        up.put("images", name, pictures[file], "image/jpeg")
    for number in range(3):
        up.put("images", f"scan {number}.jpg", b"no picture at all", "image/jpeg")
    wait_until(lambda: up.state()["dead"] == 3, "the dead letters", 180)
    wait_until(
        lambda: all(up.document("processed", name) for name in PHOTOGRAPHS), "the documents of the pictures", 180
    )
    wait_until(lambda: up.document("processed", "donors/2026.csv.gz"), "the document of the table", 180)
    wait_until(lambda: up.state()["pending"] == 0, "the end of all events", 180)


def shoot(up: Up) -> None:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        (DOCS / "console").mkdir(exist_ok=True)
        each = [(f"console/{name}-{theme}.png", name, theme) for name in VIEWS for theme in ("light", "dark")]
        for file, name, theme in (*SHOWN, *each):
            context = browser.new_context(
                viewport={"width": 1240, "height": 860},
                color_scheme="dark" if theme == "dark" else "light",
                extra_http_headers=up.login,
            )
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{up.port}/ui/#/{VIEWS[name]}")
            expect(page.get_by_text("functions running")).to_be_visible()
            expect(page.get_by_text("reading …")).to_have_count(0)
            page.wait_for_timeout(2000)  # the pictures of the page, and a line that moves
            picture = Image.open(io.BytesIO(page.screenshot()))
            # The page has few colours: a palette makes the file a third as large.
            picture.quantize(128).save(DOCS / file, optimize=True)
            context.close()
        browser.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        up = Up(Path(folder) / "data")
        try:
            fill(up)
            shoot(up)
        finally:
            up.stop()


if __name__ == "__main__":
    main()
