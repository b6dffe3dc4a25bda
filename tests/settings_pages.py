"""The tables of settings in docs, made from `penstock.settings`: `make docs-reference` renews them.

Each program has a table of its own: a page has a line that begins with `| setting |` and, in the line after next, the
first setting of that program.
"""

import re
from typing import Any, Final

from penstock.settings.every_setting import SETTINGS
from penstock.settings.setting import Component, Setting

from tests.paths import DOCS

# Each table of a page, and the program or the group of programs whose settings it has.
PAGES: Final[tuple[tuple[str, Component], ...]] = (
    ("settings.md", "function"),
    ("settings.md", "run"),
    ("settings.md", "delivery"),
    ("settings.md", "gateway"),
    ("settings.md", "kafka"),
    ("settings.md", "mqtt"),
    ("settings.md", "nats"),
    ("settings.md", "redis"),
    ("settings.md", "amqp"),
    ("settings.md", "sqs"),
    ("settings.md", "bridge"),
    ("settings.md", "console"),
    ("jobs.md", "job"),
    ("jobs.md", "watcher"),
)
HEAD: Final = "| setting | default | values | meaning |\n|---|---|---|---|\n"


def default_of(setting: Setting[Any]) -> str:
    """The default as the table shows it."""
    if setting.shown:
        return setting.shown
    if isinstance(setting.default, str):
        return f"`{setting.default}`" if setting.default else ""
    return f"{setting.default:g}" if isinstance(setting.default, float) else str(setting.default)


def table_of(component: Component) -> str:
    """The table of one program, as a page has it."""
    lines = []
    for setting in SETTINGS:
        if setting.component == component:
            meaning = f"{setting.doc} (secret)" if setting.is_secret else setting.doc
            cells = [f"`{setting.name}`", default_of(setting), setting.takes, meaning]
            lines.append("| " + " | ".join(cells) + " |\n")
    return HEAD + re.sub(r"\|  (?=\|)", "| ", "".join(lines))


def renewed(page: str, component: Component) -> str:
    """The text of a page with this table as it is now; raises `ValueError` where the page has no such table."""
    table = table_of(component)
    first = table[len(HEAD) :].split(" |", 1)[0]
    place = re.compile(re.escape(HEAD + first + " |") + r".*\n(?:\|.*\n)*")
    text, count = place.subn(lambda _: table, page)
    if count != 1:
        raise ValueError(f"{component}: expected one table that begins with {first!r}, found {count}")
    return text


def main() -> None:
    for page, component in PAGES:
        path = DOCS / page
        path.write_text(renewed(path.read_text(), component))


if __name__ == "__main__":
    main()
