"""Executes examples/notebooks/local.ipynb on a local stack; `python -m tests.notebook_runs` renews its outputs."""

from __future__ import annotations

import sys

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from tests.paths import EXAMPLES

LOCAL = EXAMPLES / "notebooks" / "local.ipynb"


def execute() -> NotebookNode:
    """The notebook with the outputs of a run; a cell that fails is an error."""
    notebook: NotebookNode = nbformat.read(LOCAL, as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", record_timing=False, coalesce_streams=True)
    client.execute(cwd=str(LOCAL.parent))
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


if __name__ == "__main__":
    nbformat.write(execute(), LOCAL)  # type: ignore[no-untyped-call]
    sys.exit()
