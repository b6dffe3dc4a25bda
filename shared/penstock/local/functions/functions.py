"""Every deployed function by name, and the thread that stops the idle ones."""

import threading
from collections.abc import Iterator, Mapping
from http import HTTPStatus

from penstock.errors import PermanentError
from penstock.local.functions.function import LocalFunction, Settings, function_environment
from penstock.local.functions.process import Spawner
from penstock.local.functions.trial import problems_of_code
from penstock.settings.stackfile import FunctionSpec


class NoSuchFunction(PermanentError):
    """The local gateway has no function of that name.

    To do: `faas-cli list` says which there are.
    """

    status = HTTPStatus.NOT_FOUND


class LocalFunctions:
    """The deployed functions. A thread of its own stops the idle ones."""

    def __init__(self, specs: Mapping[str, FunctionSpec], settings: Settings) -> None:
        settings.data.mkdir(parents=True, exist_ok=True)
        self._settings = settings
        self._spawner = Spawner()
        self._lock = threading.Lock()
        self._functions = {name: LocalFunction(spec, settings, self._spawner) for name, spec in specs.items()}
        self._stopping = threading.Event()
        self._idle = threading.Condition()
        self._thread = threading.Thread(target=self._watch, name="idle", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[LocalFunction]:
        with self._lock:
            return iter(list(self._functions.values()))

    def get(self, name: str) -> LocalFunction:
        """Raises `NoSuchFunction`."""
        with self._lock:
            function = self._functions.get(name)
        if function is None:
            known = ", ".join(sorted(self._functions)) or "none"
            raise NoSuchFunction(f"function {name!r} is not deployed; deployed: {known}")
        return function

    def problems(self, spec: FunctionSpec) -> list[str]:
        """What keeps its code, as it is now, from starting; a process of its own tries it."""
        return problems_of_code(spec.handler, function_environment(spec, self._settings))

    def deploy(self, spec: FunctionSpec) -> bool:
        """Add a function or replace it; says whether it is new. The old process ends in the background."""
        with self._lock:
            old = self._functions.get(spec.name)
            self._functions[spec.name] = new = LocalFunction(spec, self._settings, self._spawner)
        if old is not None:
            new.created, new.invocations = old.created, old.invocations
            threading.Thread(target=old.close, name=f"retire-{spec.name}", daemon=True).start()
        return old is None

    def remove(self, name: str) -> None:
        """Raises `NoSuchFunction`."""
        function = self.get(name)
        with self._lock:
            self._functions.pop(name, None)
        function.close()

    def wait_until_zero(self, timeout_seconds: float) -> bool:
        """Wait until no function runs; False when one still does in the end."""
        with self._idle:
            return self._idle.wait_for(lambda: not any(f.replicas or f.starting for f in self), timeout_seconds)

    def stop(self, grace_seconds: float = 5.0) -> None:
        """Stop all of them at once, within `grace_seconds`; none starts from now on."""
        self._stopping.set()
        self._thread.join(timeout=0.5)
        stops = [threading.Thread(target=function.close, args=(grace_seconds,)) for function in self]
        stops.append(threading.Thread(target=self._spawner.close, args=(grace_seconds,)))
        for thread in stops:
            thread.start()
        for thread in stops:
            thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(0.1):
            for function in self:
                function.stop_if_idle()
            with self._idle:
                self._idle.notify_all()
