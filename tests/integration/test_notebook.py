"""The notebook for the local stack runs as it is, and the outputs that are kept with it are of such a run."""

import ast
from typing import Any


def kinds(notebook: Any) -> list[list[str]]:
    """For each cell with code, what it shows: the kinds of its outputs, texts without their numbers."""
    return [
        [kind for output in cell.outputs for kind in sorted(output.get("data") or {"text": ""})]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def results(notebook: Any) -> list[str]:
    """The plain texts of all outputs."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output.get("text") or output["data"]["text/plain"] for output in outputs]


def test_notebook_runs_on_a_local_stack_and_shows_its_plots() -> None:
    # They take more than a second to load, and every worker of `make test` reads this module.
    import nbformat

    from tests import notebook_runs

    executed = notebook_runs.execute()
    kept = nbformat.read(notebook_runs.LOCAL, as_version=4)  # type: ignore[no-untyped-call]
    assert kinds(executed) == kinds(kept), "renew it: python -m tests.notebook_runs"
    assert sum("image/png" in shown for shown in kinds(executed)) == 3
    buckets, sizes, told, *_, job = results(executed)
    assert ast.literal_eval(buckets) == ["images", "processed", "upload"]
    before, after = ast.literal_eval(sizes)["donors.csv"]
    assert after < before / 2
    assert "compress  upload/donors.csv" in told
    assert job == "0"
