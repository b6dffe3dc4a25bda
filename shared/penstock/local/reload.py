"""`penstock up --reload`: what is saved counts for the next event, and what cannot start leaves the old one running."""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from penstock.errors import PenstockError
from penstock.settings.stackfile import FunctionSpec

# Looking at some hundred files takes a millisecond, so a library for the system's own notices would gain nothing.
_LOOK_SECONDS: Final = 0.3
_STOP_SECONDS: Final = 2.0
_log = logging.getLogger("penstock.local")


class Reloaded(NamedTuple):
    """What became of a saved function, or of the stack file: `problem` is "" where the new one counts.

    `gone` is a function whose entry was taken out of the stack file.
    """

    name: str
    problem: str = ""
    gone: bool = False


class Reloadable(Protocol):
    """What takes the stack file and the code as they are now: `Deployments`."""

    @property
    def stack_file(self) -> Path: ...

    def specs(self) -> Iterable[FunctionSpec]: ...

    def reload(self, touched: frozenset[str]) -> list[Reloaded]: ...


Seen = Mapping[Path, tuple[int, int]]


class Reloader:
    """Looks at the files of every function and at the stack file, and tells `say` what became of each change."""

    def __init__(self, deployed: Reloadable, say: Callable[[Reloaded], None]) -> None:
        self._deployed, self._say = deployed, say
        self._stopping = threading.Event()
        self._seen = self._look()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Take up nothing more. Code that is being tried may take a minute to import, so that is not waited for."""
        self._stopping.set()
        self._thread.join(_STOP_SECONDS)

    def step(self) -> None:
        """Look once, and act on what has changed since the last look."""
        now = self._look()
        changed = {path for path in now.keys() | self._seen.keys() if now.get(path) != self._seen.get(path)}
        self._seen = now
        if not changed:
            return
        touched = {spec.name for spec in self._deployed.specs() if any(_is_in(path, spec) for path in changed)}
        if touched or self._deployed.stack_file in changed:
            for change in self._deployed.reload(frozenset(touched)):
                if not self._stopping.is_set():
                    self._say(change)
            # Files of a function that came with the change are known from now on; what was saved meanwhile is not.
            self._seen = {**self._look(), **now}

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                self.step()
            except Exception as exc:  # what is stopping refuses in many ways
                if self._stopping.is_set():
                    return
                if not isinstance(exc, PenstockError | OSError):
                    raise
                _log.exception("reload: what was saved is not taken up; save it again")

    def _look(self) -> Seen:
        files = {self._deployed.stack_file}
        for spec in self._deployed.specs():
            for folder, names, inner in os.walk(spec.handler):
                names[:] = [name for name in names if not _is_left_out(name)]
                files.update(Path(folder, name) for name in inner if not _is_left_out(name))
        return {path: stamp for path in files if (stamp := _stamp(path))}


def _is_in(path: Path, spec: FunctionSpec) -> bool:
    return path.is_relative_to(spec.handler)


def _is_left_out(name: str) -> bool:
    """Files of editors and of Python, and tests, which are not a part of what runs."""
    return name.startswith(".") or name == "__pycache__" or name.endswith(("~", ".pyc", "_test.py"))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
