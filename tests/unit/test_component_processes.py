"""A server that a test kills is gone with the processes that it started: nothing of it answers a client any more."""

from pathlib import Path

from tests.components.process import Child
from tests.waiting import wait_until


def test_killed_child_takes_what_it_started_with_it(tmp_path: Path) -> None:
    script = f"sh -c 'echo $$ > {tmp_path}/below; exec sleep 600' & wait"
    child = Child("server", ["sh", "-c", script], tmp_path)
    child.start()
    written = tmp_path / "below"
    wait_until(lambda: written.is_file() and written.read_text().endswith("\n"))
    child.kill()
    wait_until(lambda: not runs(written.read_text().strip()))


def runs(pid: str) -> bool:
    try:
        return "sleep" in Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
