"""One process of a function: started, awaited, stopped."""

import contextlib
import http.client
import os
import queue
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from penstock.errors import TemporaryError
from penstock.local.functions.crashes import in_words
from penstock.local.functions.logs import LogBuffer

READY_PATH: Final = "/_/ready"
_POLL_SECONDS: Final = 0.02
_ANSWER_SECONDS: Final = 5.0


# A parent that was killed before the signal was asked for sends none: the child looks for itself, once, after asking.
_IF_PARENT_LIVES: Final = ("/bin/sh", "-c", '[ "$PPID" -eq "$0" ] && exec "$@"')


class StartFailed(TemporaryError):
    """A function of the local stack did not start.

    To do: read its log, which the message names.
    """


class Spawner:
    """Starts processes that end with this one, even after a kill.

    Linux sends the signal set by PR_SET_PDEATHSIG when the *thread* that started the child ends, so one thread that
    lives as long as the stack starts all of them. `setpriv` (util-linux) sets it without running Python code between
    fork and exec, which is unsafe with threads. Elsewhere children are stopped by a regular shutdown only.
    """

    def __init__(self) -> None:
        setpriv = shutil.which("setpriv")
        self._prefix = (setpriv, "--pdeathsig", "TERM", "--", *_IF_PARENT_LIVES, str(os.getpid())) if setpriv else ()
        self._jobs: queue.SimpleQueue[tuple[Sequence[str], Mapping[str, str], Path, Future[subprocess.Popen[bytes]]]]
        self._jobs = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running: list[subprocess.Popen[bytes]] = []
        self._closed = False
        threading.Thread(target=self._work, name="spawner", daemon=True).start()

    def spawn(self, command: Sequence[str], env: Mapping[str, str], folder: Path) -> subprocess.Popen[bytes]:
        """Raises `StartFailed`, also once it is closed."""
        made: Future[subprocess.Popen[bytes]] = Future()
        self._jobs.put((command, env, folder, made))
        return made.result()

    def close(self, grace_seconds: float) -> None:
        """Start no more, and end all that still runs: a function in its start, or one that was replaced or removed."""
        with self._lock:
            self._closed = True
            running = [process for process in self._running if process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + grace_seconds
        for process in running:
            _end_within(process, deadline - time.monotonic())

    def _work(self) -> None:
        while True:
            command, env, folder, made = self._jobs.get()
            with self._lock:
                self._start(command, env, folder, made)

    def _start(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        folder: Path,
        made: Future[subprocess.Popen[bytes]],
    ) -> None:
        if self._closed:
            made.set_exception(StartFailed(f"{command[0]}: not started, because the stack is stopping"))
            return
        self._running = [process for process in self._running if process.poll() is None]
        try:
            process = subprocess.Popen(
                [*self._prefix, *command],
                env=dict(env),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl+C is for the stack, which then stops its functions in order
            )
        except OSError as exc:
            made.set_exception(StartFailed(f"{command[0]}: {exc.strerror}"))
        except Exception as exc:  # noqa: BLE001 - this thread starts every function, so it must not end
            made.set_exception(StartFailed(f"{command[0]}: cannot be started: {exc}"))
        else:
            self._running.append(process)
            made.set_result(process)


def _end_within(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the end of a process, and end it with its workers after `seconds`; says whether it ended of itself."""
    try:
        process.wait(max(seconds, 0))
    except subprocess.TimeoutExpired:
        # Its workers too: one that is stuck in a call would outlive the process that started it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False
    return True


class FunctionProcess:
    """A running function on `port` of loopback; `instance` names it in logs."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes], port: int, logs: LogBuffer) -> None:
        self.instance = f"{name}-{popen.pid}"
        self.port = port
        self._name = name
        self._popen = popen
        self._logs = logs
        self._reader = threading.Thread(target=self._read, name=f"log-{self.instance}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def wait_ready(self, timeout_seconds: float) -> None:
        """Return once it says that it is ready; raises `StartFailed` with the end of its log, and stops it then."""
        deadline = time.monotonic() + timeout_seconds
        answer = "nothing listens yet"
        while time.monotonic() < deadline:
            if not self.alive:
                self._reader.join(timeout=1)
                raise StartFailed(self._failure(f"exited with code {self._popen.returncode} instead of starting"))
            try:
                status, answer = self._ask(min(_ANSWER_SECONDS, max(deadline - time.monotonic(), _POLL_SECONDS)))
            except TimeoutError:
                status, answer = 0, f"GET {READY_PATH} has no answer; look at ready() of its handler"
            except OSError:
                status = 0
            if status == http.HTTPStatus.OK:
                return
            time.sleep(_POLL_SECONDS)
        # Before it is stopped: how it is stopped does not belong to the end of its log.
        failure = self._failure(f"was not ready after {timeout_seconds:g} s: {answer}")
        self.stop(grace_seconds=1)
        raise StartFailed(failure)

    def stop(self, grace_seconds: float) -> None:
        """Ask it to end, and end it after `grace_seconds`."""
        if self.alive:
            self._popen.terminate()
            if not _end_within(self._popen, grace_seconds):
                self._logs.add(f"penstock: killed after {grace_seconds:g} s", self.instance)
        self._reader.join(timeout=1)

    def _ask(self, timeout_seconds: float) -> tuple[int, str]:
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_seconds)
        ) as connection:
            connection.request("GET", READY_PATH)
            try:
                response = connection.getresponse()
                return response.status, response.read(500).decode(errors="replace").strip()
            except http.client.HTTPException as exc:
                raise OSError(str(exc)) from exc

    def _failure(self, what: str) -> str:
        tail = [in_words(line.text) for line in self._logs.tail(10) if line.instance == self.instance]
        said = "\n".join(tail) or "it printed nothing"
        return f"{self._name}: the function {what}; its log ({self._logs.path}) ends with:\n{said}"

    def _read(self) -> None:
        stream = self._popen.stdout
        if stream is None:
            return
        with stream:
            for line in stream:
                self._logs.add(line.decode(errors="replace").rstrip("\r\n"), self.instance)


def free_port() -> int:
    """A port that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
