"""Whether this machine allows a cluster: `python -m tests.components.cluster` prints why not, and ends with 3 then."""

from __future__ import annotations

import sys

from tests.components.cluster.machine import cluster_problem

NOT_ALLOWED = 3


def main() -> int:
    if problem := cluster_problem():
        print(problem)
        return NOT_ALLOWED
    return 0


if __name__ == "__main__":
    sys.exit(main())
