"""Whether a function's code as it is saved now can start: tried in a process of its own, before the old one goes.

`python -m penstock.local.functions.trial FOLDER` prints what is wrong, one problem a line.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_SECONDS: Final = 60.0
_PROBLEMS: Final = 78


def problems_of_code(folder: Path, env: Mapping[str, str]) -> list[str]:
    """What keeps the handler in `folder` from starting with these settings; nothing when it would start."""
    # As it is served: `-P` keeps the working directory off the path.
    command = [sys.executable, "-P", "-m", "penstock.local.functions.trial", str(folder)]
    readable, writable = os.pipe()  # its other end closes with this process
    try:
        done = subprocess.run(
            command, env=dict(env), stdin=readable, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return [f"{folder}: its imports take more than {_SECONDS:g} s"]
    finally:
        os.close(readable)
        os.close(writable)
    if done.returncode == 0:
        return []
    if done.returncode == _PROBLEMS:
        return done.stdout.splitlines()
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return [f"{folder}: its imports end Python: {last}"]


def end_with_parent() -> None:
    """End this process when the other end of its standard input closes; code that is tried reads an empty one."""
    parent = os.dup(0)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)

    def wait() -> None:
        os.read(parent, 1)
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def main() -> int:
    end_with_parent()
    from penstock.serving.wiring import problems_of_handler
    from penstock.settings.environment import read_config
    from penstock.terminal import printable

    folder = Path(sys.argv[1])
    config, problems = read_config(os.environ, function=folder.name)
    # What a module prints while it is imported is not a problem.
    out, sys.stdout = sys.stdout, sys.stderr
    problems = [*problems, *problems_of_handler(folder, config)]
    for problem in problems:
        print(printable(problem.replace("\n", "; ")), file=out)
    return _PROBLEMS if problems else 0


if __name__ == "__main__":
    sys.exit(main())
