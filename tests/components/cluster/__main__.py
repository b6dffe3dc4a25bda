"""Why a CI run that began some seconds ago leaves the cluster out: `python -m tests.components.cluster SECONDS`.

Prints one line, or nothing when the cluster's tests are to run.
"""

from __future__ import annotations

import sys

from tests.components.cluster.machine import cluster_problem
from tests.components.cluster.programs import are_built

_COLD_LIMIT_SECONDS = 45 * 60


def why_left_out(seconds: int) -> str:
    if problem := cluster_problem():
        return problem
    if seconds > _COLD_LIMIT_SECONDS and not are_built():
        return (
            f"its programs are not built yet and {seconds // 60} minutes have gone by; "
            "run `python -m tests.components install cluster` once on this machine"
        )
    return ""


if __name__ == "__main__":
    print(why_left_out(int(sys.argv[1])), end="")
