"""Child processes for real servers: start, wait until ready, stop, and never outlive the tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from tests.components.errors import ComponentError
from tests.components.install import require
from tests.ports import LOOPBACK, free_ports
from tests.waiting import Wait

__all__ = ["LOOPBACK", "Child", "Server", "free_ports", "log_tail"]

_PORT_ATTEMPTS = 3
# Nothing else of the caller's environment reaches a server: neither its MINIO_* or JAVA_TOOL_OPTIONS nor its proxies.
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "JAVA_HOME")
# How the servers of this package say that somebody else took the port between our choice and their bind.
_PORT_TAKEN = ("address already in use", "port is already in use", "specified port is already in use", "bindexception")

Endpoint = TypeVar("Endpoint")

# PR_SET_PDEATHSIG fires when the *thread* that started the child ends (prctl(2)), so every child is started from one
# thread that lives as long as the process; a fixture that runs in a short-lived thread would otherwise kill its server.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="components-starter")


def log_tail(log: Path, lines: int = 30) -> str:
    """The last lines of a log file, indented for an error message."""
    if not log.exists():
        return f"    ({log} was never written)"
    text = log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    return "\n".join(f"    {line}" for line in text) or "    (the log is empty)"


def _listening_inodes(port: int) -> set[str]:
    """Listening sockets on a port, named as /proc/PID/fd links name them (proc(5): state 0A is LISTEN)."""
    tables = [table for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")) if table.exists()]  # IPv6 may be off
    rows = [row.split() for table in tables for row in table.read_text(encoding="ascii").splitlines()[1:]]
    return {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}


def _descendants(pid: int) -> list[int]:
    """The processes that one started, and that those started; none for a process that has ended."""
    try:
        found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [*found, *(below for child in found for below in _descendants(child))]


class Child:
    """One child process with its log file; the kernel kills it when this process dies."""

    def __init__(
        self, name: str, argv: Sequence[str | Path], folder: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.argv = [str(part) for part in argv]
        self.folder = folder
        self.log = folder / f"{name}.log"
        self._env = {key: os.environ[key] for key in _INHERITED if key in os.environ} | dict(env or {})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # setpriv (util-linux, essential in Debian) sets the signal and execs, so the pid is the server's own and no
        # Python code runs between fork and exec in a process with threads.
        argv = [require("setpriv", "util-linux"), "--pdeathsig", "KILL", "--", *self.argv]
        with self.log.open("ab") as log:
            self._process = _starter.submit(
                subprocess.Popen,
                argv,
                cwd=self.folder,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl+C in the terminal reaches us, and we stop the servers in order
            ).result()

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ComponentError(f"{self.name}: not started")
        return self._process.pid

    def returncode(self) -> int | None:
        """The exit status, or None while it runs (negative: killed by that signal)."""
        return self._process.poll() if self._process else 0

    def wait(self, timeout_seconds: float) -> int:
        """The exit status; a process that does not end in time is killed (status -9)."""
        if self._process is None:
            raise ComponentError(f"{self.name}: not started")
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)  # does nothing for a process that was already waited for

    def stop(self, timeout_seconds: float = 30) -> None:
        """SIGTERM, then SIGKILL for a process that does not end in time."""
        if self._process is not None:
            self.signal(signal.SIGTERM)
            self.wait(timeout_seconds)

    def kill(self) -> None:
        """SIGKILL, as a crash of the server would look to its clients: to it, and to the processes that it started.

        One of these may answer on for a moment: PostgreSQL's hold the connections.
        """
        if self._process is not None:
            started = _descendants(self.pid)
            self.signal(signal.SIGKILL)
            for pid in started:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait()

    def listens_on(self, port: int) -> bool:
        """Tell whether this very process listens on a TCP port; an answer alone may be another server's."""
        inodes = _listening_inodes(port)
        if not inodes or self.returncode() is not None:
            return False
        descriptors = Path(f"/proc/{self.pid}/fd")
        try:
            return any(str(each.readlink()) in inodes for each in descriptors.iterdir())
        except OSError:  # a descriptor, or the process, ended while we looked
            return False

    def resident_bytes(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii", errors="replace")
        return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:")), 0)


class Server(ABC, Generic[Endpoint]):
    """A real server on loopback: a context manager with stop, kill and restart.

    Subclasses choose ports in `prepare`, start processes in `launch` and answer `is_ready`. The working folder
    keeps data, configuration and logs; a folder given by the caller stays, the default one goes when the server stops.
    """

    name: str
    ready_timeout_seconds: float = 60

    def __init__(self, folder: Path | None = None) -> None:
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix=f"penstock-{self.name}-"))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.children: list[Child] = []
        self.started_in_seconds = 0.0
        self._endpoint: Endpoint | None = None

    @property
    def endpoint(self) -> Endpoint:
        """What clients need to know: addresses and credentials, as a frozen dataclass."""
        if self._endpoint is None:
            raise ComponentError(f"{self.name}: not started yet; use it as a context manager or call start()")
        return self._endpoint

    @abstractmethod
    def install(self) -> None:
        """Make sure the programs are in the cache."""

    @abstractmethod
    def prepare(self) -> Endpoint:
        """Choose ports and write configuration; called again when somebody else took a port meanwhile."""

    @abstractmethod
    def launch(self) -> None:
        """Start the processes, each through `run`; called by start and restart."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Tell whether clients can work with the server now."""

    def start(self) -> Self:
        self.install()
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            self._endpoint = self.prepare()
            try:
                self._launch_and_wait()
                break
            except BaseException as error:
                self.kill()
                if attempt == _PORT_ATTEMPTS or not any(sign in str(error).lower() for sign in _PORT_TAKEN):
                    raise  # the folder stays: the logs in it tell why
                for child in self.children:
                    child.log.unlink(missing_ok=True)
        return self

    def run(self, name: str, argv: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Child:
        """Start one of this server's processes."""
        child = Child(name, argv, self.folder, env)
        self.children.append(child)
        child.start()
        return child

    def run_to_end(self, name: str, argv: Sequence[str | Path]) -> None:
        """Run a set-up step of this server; a status other than 0 is an error with the log's tail."""
        step = Child(name, argv, self.folder)
        step.start()
        if (code := step.wait(self.ready_timeout_seconds)) != 0:
            raise ComponentError(f"{self.name}: {name} ended with status {code}:\n{log_tail(step.log)}")

    def listens_on(self, port: int) -> bool:
        """Tell whether one of this server's processes listens on a port."""
        return any(child.listens_on(port) for child in self.children)

    def wait_until(self, check: Callable[[], bool], what: str, timeout_seconds: float | None = None) -> None:
        """Poll until the check holds; a process that ended or a passed deadline is an error with the log's tail."""
        wait = Wait(timeout_seconds or self.ready_timeout_seconds)
        while not wait.holds(check):
            for child in self.children:
                if (code := child.returncode()) is not None:
                    raise ComponentError(
                        f"{self.name}: {child.name} ended with status {code} before {what}; {child.log} ends with\n"
                        f"{log_tail(child.log)}"
                    )
            if wait.is_over():
                tails = "\n".join(f"  {child.log} ends with\n{log_tail(child.log)}" for child in self.children)
                raise ComponentError(f"{self.name}: gave up waiting: not {what} in time\n{tails}") from wait.error
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the processes, last started first, and remove the folder unless the caller gave it."""
        self._stop_children()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """SIGKILL every process; data and ports stay for `restart`."""
        for child in reversed(self.children):
            child.kill()

    def restart(self) -> None:
        """Stop what still runs and start again with the same ports, data and options."""
        self._stop_children()
        self._launch_and_wait()

    def resident_bytes(self) -> int:
        return sum(child.resident_bytes() for child in self.children)

    def _launch_and_wait(self) -> None:
        begin = time.monotonic()
        self.children = []
        self.launch()
        self.wait_until(self.is_ready, "ready")
        self.started_in_seconds = time.monotonic() - begin

    def _stop_children(self) -> None:
        for child in reversed(self.children):
            child.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
