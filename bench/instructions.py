"""Instructions of a start, from exec to ready: the same number in each run, also on a machine that others use.

valgrind's callgrind counts them, in the first process and in its worker (https://valgrind.org/docs/manual/cl-manual.html).
Other programs' work and the system's own are not counted.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.cold_start import wait_for_ready
from bench.peers import process_tree
from tests.waiting import wait_until

TOTAL = re.compile(r"^totals: (\d+)$", re.MULTILINE)


def can_count() -> bool:
    """Whether valgrind is installed."""
    return shutil.which("valgrind") is not None and shutil.which("callgrind_control") is not None


def instructions_to_ready(command: Sequence[str], port: int, settings: Mapping[str, str]) -> int:
    """Start under callgrind, wait until it is ready, add up what each process has run, and end it."""
    with tempfile.TemporaryDirectory() as folder:
        counted = ["valgrind", "-q", "--tool=callgrind", "--trace-children=yes", f"--callgrind-out-file={folder}/%p"]
        # Without a seed of its own each process would fill its dictionaries in another order.
        env = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0", **settings}
        process = subprocess.Popen([*counted, *command], env=env, stderr=subprocess.DEVNULL)
        try:
            wait_for_ready(port)
            return sum(_count_of(pid, Path(folder)) for pid in process_tree(process.pid))
        finally:
            for pid in reversed(process_tree(process.pid)):
                os.kill(pid, signal.SIGKILL)
            process.wait(60)


def _count_of(pid: int, folder: Path) -> int:
    """What one process has run so far: callgrind writes it to a file when it is asked."""
    subprocess.run(["callgrind_control", "--dump", str(pid)], check=True, capture_output=True)
    written = folder / f"{pid}.1"
    found = wait_until(lambda: TOTAL.search(written.read_text()) if written.is_file() else None, "callgrind's count")
    return int(found[1])
