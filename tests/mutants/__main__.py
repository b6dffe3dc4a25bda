"""`python -m tests.mutants [TEXT...]`: break each safety line in a copy of the tree, and see its tests fail.

A line that is not there exactly once is an error: then the list no longer says what protects what. Exits with 1 when a
mutant survives or a line is not found. TEXT picks mutants by name; `--seed` gives the order.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.lines import MUTANTS, Mutant
from tests.paths import ROOT

_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "build", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info", ".penstock"
)
_FAILED = 1  # pytest's exit code for tests that ran and failed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="TEXT", help="only mutants with one of these in their names")
    parser.add_argument("--seed", type=int, default=0, help="the order (default: %(default)s)")
    parser.add_argument(
        "--lines", action="store_true", help="only see that each line is there exactly once, and its tests"
    )
    arguments = parser.parse_args()
    chosen = [each for each in MUTANTS if not arguments.names or any(name in each.name for name in arguments.names)]
    random.Random(arguments.seed).shuffle(chosen)
    problems = [problem for each in chosen if (problem := missing(each))]
    if not arguments.lines and not problems:
        with tempfile.TemporaryDirectory(prefix="penstock-mutants-") as folder:
            copy = Path(folder) / "tree"
            shutil.copytree(ROOT, copy, ignore=_LEFT_OUT, symlinks=True)
            problems = try_all(chosen, copy)
    for problem in problems:
        print(f"WRONG {problem}", file=sys.stderr)
    print(f"mutants: {len(chosen)}, problems: {len(problems)}")
    return 1 if problems else 0


def missing(mutant: Mutant) -> str:
    """What is wrong with a mutant's line or the names of its tests, or ""."""
    for test in mutant.tests:
        if not (ROOT / test.partition("::")[0]).exists():
            return f"{mutant.name}: there is no {test}; renew tests/mutants/lines.py"
    found = (ROOT / "shared" / "penstock" / mutant.file).read_text(encoding="utf-8").count(mutant.old)
    return (
        ""
        if found == 1
        else f"{mutant.name}: its text stands {found} times in {mutant.file}; renew tests/mutants/lines.py"
    )


def try_all(mutants: Sequence[Mutant], copy: Path) -> list[str]:
    """Break one line after the other in the copy; tests that fail without a mutant prove nothing, so they go first."""
    every = sorted({test for mutant in mutants for test in mutant.tests})
    code, tail = run(every, copy)
    if code != 0:
        return [f"the tests fail without a mutant already (exit code {code}):\n{tail}"]
    problems = []
    for mutant in mutants:
        path = copy / "shared" / "penstock" / mutant.file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        try:
            code, tail = run(mutant.tests, copy)
        finally:
            path.write_text(text, encoding="utf-8")
        print(f"{'noticed ' if code == _FAILED else 'SURVIVED'} {mutant.name}", flush=True)
        if code != _FAILED:
            problems.append(f"{mutant.name}: {', '.join(mutant.tests)} ended with {code}:\n{tail}")
    return problems


def run(tests: Sequence[str], copy: Path) -> tuple[int, str]:
    """Run tests in the copy, whose package comes before the installed one; the exit code and the last lines."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-x",
        *tests,
    ]
    env = {**os.environ, "PYTHONPATH": str(copy / "shared"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, timeout=1800)
    return done.returncode, "\n".join(done.stdout.splitlines()[-15:])


if __name__ == "__main__":
    sys.exit(main())
