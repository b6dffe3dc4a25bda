"""Executes examples/notebooks against the chapter's servers; `python -m tests.integration.notebooks` renews them.

The committed outputs are those of such a run, and a test compares them with its own.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from tests.components import ElasticsearchServer, MosquittoServer, OpenSearchServer
from tests.integration.chapter import Chapter
from tests.paths import ROOT

FOLDER = ROOT / "examples" / "notebooks"
NAMES = ("listen", "read_back")


def read(name: str) -> NotebookNode:
    notebook: NotebookNode = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    return notebook


def execute(name: str, chapter: Chapter) -> NotebookNode:
    """The notebook with the outputs of a run; a cell that fails is an error."""
    notebook = read(name)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(chapter.folder),
        "PYTHONPATH": str(ROOT / "shared"),
        "INDEX_URL": f"http://{chapter.functions['sqlite']}",
        **chapter.env,
    }
    # A wall-clock time in every cell would make each run another.
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", record_timing=False, coalesce_streams=True)
    client.execute(env=env, cwd=str(ROOT))
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def outputs(notebook: NotebookNode) -> list[tuple[str, list[str]]]:
    """Each cell's source and what it showed."""
    return [
        (cell.source, [output.get("text") or output["data"]["text/plain"] for output in cell.get("outputs", ())])
        for cell in notebook.cells
    ]


def main() -> int:
    """Run both notebooks and keep them as they then are."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as held:
        mosquitto = held.enter_context(MosquittoServer())
        opensearch = held.enter_context(OpenSearchServer())
        elasticsearch = held.enter_context(ElasticsearchServer())
        chapter = Chapter(Path(folder), held, mosquitto, opensearch, elasticsearch)
        chapter.upload_donors()
        for name in NAMES:
            nbformat.write(execute(name, chapter), FOLDER / f"{name}.ipynb")  # type: ignore[no-untyped-call]
    return 0


if __name__ == "__main__":
    sys.exit(main())
