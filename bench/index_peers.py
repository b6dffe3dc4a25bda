"""The table of functions/index/README.md beside DuckDB and pandas, made anew from its first column.

    .venv/bin/python -m pip install duckdb pandas
    .venv/bin/python -m bench.index_peers

DuckDB is not among the tools that `make setup` installs. Without it, its column stays and the other two are made.
"""

import importlib.util
import io
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from penstock.testing import run

from functions.index.handler import handle

README: Final = Path(__file__).parent.parent / "functions" / "index" / "README.md"
ROW: Final = re.compile(
    r"^\| `(?P<file>.+?)` \| (?P<here>.*?) \| (?P<duckdb>.*?) \| (?P<pandas>.*?) \| (?P<why>.*?) \|$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table: a file with its escapes as in Python, what each reads from it, and why they differ."""

    file: str
    here: str
    duckdb: str
    pandas: str
    why: str

    @property
    def data(self) -> bytes:
        return self.file.encode().decode("unicode_escape").encode()

    def __str__(self) -> str:
        return f"| `{self.file}` | {self.here} | {self.duckdb} | {self.pandas} | {self.why} |"


def lines(readme: str) -> list[Line]:
    """The table's lines; its files end in a line feed, so nothing else of the page is meant."""
    return [
        Line(*found.group("file", "here", "duckdb", "pandas", "why"))
        for found in ROW.finditer(readme)
        if "\\n" in found["file"]
    ]


def here(data: bytes) -> str:
    document: Any = run(handle, data, name="t.csv").document
    if document["kind"] != "csv":
        return str(document["kind"])
    return _shown(document["csv"]["columns"], document["csv"]["rows"])


def by_pandas(data: bytes) -> str:
    import pandas

    try:
        frame = pandas.read_csv(io.BytesIO(data))
    except (pandas.errors.ParserError, UnicodeDecodeError):
        return "error"
    return _shown(list(map(str, frame.columns)), len(frame))


def by_duckdb(data: bytes) -> str:
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_bytes(data)
        try:
            table = duckdb.connect().execute("SELECT * FROM read_csv(?)", [str(path)])
            return _shown([column[0] for column in table.description], len(table.fetchall()))
        except duckdb.Error:
            return "error"


def _shown(names: list[str], rows: int) -> str:
    shown = [name.strip().encode("unicode_escape").decode() for name in names]
    return ", ".join(f"`{name}`" if name else "no name" for name in shown) + f"; {rows}"


def main() -> None:
    page = README.read_text(encoding="utf-8")
    has_duckdb = importlib.util.find_spec("duckdb") is not None
    for line in lines(page):
        made = replace(
            line,
            here=here(line.data),
            duckdb=by_duckdb(line.data) if has_duckdb else line.duckdb,
            pandas=by_pandas(line.data),
        )
        page = page.replace(str(line), str(made))
    README.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
