"""What manifests say of one function: read from its labels, annotations and settings in the stack file."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from penstock.errors import ConfigError
from penstock.settings.config import Config
from penstock.settings.durations import DEFAULT_IDLE
from penstock.settings.stackfile import SCALE_ANNOTATION, FunctionSpec
from penstock.sinks.address import parse_sink

T = TypeVar("T")

# Knative sets these itself and refuses a Service that does (the container runtime contract).
_RESERVED: Final = ("PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION")
_PREFIX: Final = "penstock.dev/"
_ANNOTATIONS: Final = ("penstock.dev/reconcile", "penstock.dev/timeout-seconds", "penstock.dev/volume")
_QUANTITY: Final = re.compile(r"[1-9][0-9]*(Mi|Gi|Ti|M|G|T)")
_CRON_FIELD: Final = re.compile(r"[0-9*,/-]+")
# Knative's default for max-revision-timeout-seconds: more is refused by its webhook.
_MAX_TIMEOUT_SECONDS: Final = 600
_OPENFAAS_ATTEMPTS: Final = 10
# Names of what is rendered beside the functions. A CronJob's name, which ends in -reconcile, has at most 52 characters.
_TAKEN_NAMES: Final = ("penstock-bridge", "kafka-connector", "default-deny", "allow-dns")
_MAX_NAME_LENGTH: Final = 42


@dataclass(frozen=True, slots=True)
class FunctionPlan:
    """A function, read and checked.

    `idle` is a Go duration for which the last pod stays, `schedule` a cron expression, empty for no reconcile job.
    `volume` is a quantity, empty for none; `volume_path` is where it is mounted.
    """

    spec: FunctionSpec
    config: Config
    topics: tuple[str, ...]
    min_scale: int
    max_scale: int
    concurrency: int
    target: int
    idle: str
    timeout_seconds: int
    attempts: int
    schedule: str
    volume: str
    volume_path: str

    @property
    def name(self) -> str:
        return self.spec.name

    def answering_to(self, url: str) -> "FunctionPlan":
        """The same function, whose Jobs send their outcome to `url` unless the stack file names another address."""
        jobs = self.config.jobs
        if jobs is None or jobs.answer_to:
            return self
        environment = {**self.spec.environment, "JOB_ANSWER_TO": url}
        return replace(
            self,
            spec=replace(self.spec, environment=environment),
            config=replace(self.config, jobs=jobs._replace(answer_to=url)),
        )


def make_plan(spec: FunctionSpec) -> FunctionPlan:
    """Read one function; raises `ConfigError` with every problem found."""
    return _Planner(spec).plan()


def make_plans(specs: Iterable[FunctionSpec]) -> list[FunctionPlan]:
    """Read all functions of a stack file; raises `ConfigError` with every problem of every one."""
    plans: list[FunctionPlan] = []
    problems: list[str] = []
    for spec in specs:
        try:
            plans.append(make_plan(spec))
        except ConfigError as exc:
            problems += exc.problems
    if problems:
        raise ConfigError(*problems)
    return plans


class _Planner:
    """Reads values and collects problems instead of stopping at the first."""

    def __init__(self, spec: FunctionSpec) -> None:
        self.spec = spec
        self.problems: list[str] = []

    def plan(self) -> FunctionPlan:
        spec = self.spec
        if not spec.image:
            self.problem("image: missing; Knative pulls it by this name")
        if spec.name in _TAKEN_NAMES or len(spec.name) > _MAX_NAME_LENGTH:
            self.problem(f"name: at most {_MAX_NAME_LENGTH} characters, and none of {', '.join(_TAKEN_NAMES)}")
        for name in _RESERVED:
            if name in spec.environment:
                self.problem(f"environment.{name}: Knative sets it itself; leave it out")
        for name in spec.annotations:
            if name.startswith(_PREFIX) and not name.startswith(SCALE_ANNOTATION) and name not in _ANNOTATIONS:
                self.problem(f"annotations: {name} is unknown; known: {', '.join(_ANNOTATIONS)}")
        config = self.config()
        concurrency = config.threads * config.workers if config else 1
        min_scale = self.scale("min", 1, 0, 1000)
        if spec.zero_after_seconds is not None:
            min_scale = 0
        max_scale = self.scale("max", 20, 1, 1000)
        target = concurrency
        # OpenFaaS's `capacity` counts requests under way, as Knative's concurrency does; rps and cpu do not.
        if spec.scaling.get("type") == "capacity":
            target = min(concurrency, self.scale("target", concurrency, 1, 100_000))
        volume, volume_path = self.volume(config, max_scale)
        made = {
            "topics": spec.topics,
            "min_scale": min_scale,
            "max_scale": max_scale,
            "concurrency": concurrency,
            "target": target,
            "idle": spec.scaling.get("zero-duration", DEFAULT_IDLE) if min_scale == 0 else "",
            "timeout_seconds": self.number(
                spec.annotations, "penstock.dev/timeout-seconds", _MAX_TIMEOUT_SECONDS, 1, _MAX_TIMEOUT_SECONDS
            ),
            "attempts": self.number(spec.annotations, "com.openfaas.retry.attempts", _OPENFAAS_ATTEMPTS, 0, 100),
            "schedule": self.schedule(),
            "volume": volume,
            "volume_path": volume_path,
        }
        if self.problems or config is None:
            raise ConfigError(*self.problems)
        return FunctionPlan(spec, config, **made)  # type: ignore[arg-type]

    def config(self) -> Config | None:
        """The function's settings, which must say what it reads and where results go."""
        config = self.collect(self.spec.config)
        if config is None:
            return None
        if not config.sources:
            self.problem("environment.SOURCE: missing; a Trigger's filters are made from it")
        if not config.sink:
            self.problem("environment.SINK: missing; say where results go")
        return config

    def volume(self, config: Config | None, max_scale: int) -> tuple[str, str]:
        """The quantity and the path of the function's volume, which a sink in a file on its disk must have."""
        given = self.spec.annotations.get("penstock.dev/volume", "")
        if given and not _QUANTITY.fullmatch(given):
            self.problem(f"annotations: penstock.dev/volume={given!r}: expected a size such as 1Gi")
        address = self.collect(lambda: parse_sink(config.sink)) if config and config.sink else None
        path = address.file if address else None
        if path is None:
            if given:
                self.problem(
                    "annotations: penstock.dev/volume: only an index in a SQLite file (SINK=sqlite:///...) uses it"
                )
            return "", ""
        if not path.is_absolute() or len(path.parts) < 3:
            self.problem(
                f"SINK={config.sink if config else ''!r}: name a file in a folder of its own, such as sqlite:///data/index.db"
            )
        if not given:
            self.problem(
                "SINK is a file in the pod, and a pod without a volume loses it when it ends:"
                ' add the annotation penstock.dev/volume: "1Gi", or use a search server'
            )
        if max_scale != 1:
            self.problem(
                f"SINK is a file in the pod, and up to {max_scale} pods would each have their own:"
                ' set the annotation penstock.dev/scale.max: "1", or use a search server'
            )
        return given, str(path.parent)

    def schedule(self) -> str:
        text = self.spec.annotations.get("penstock.dev/reconcile", "")
        fields = text.split()
        if text and (len(fields) != 5 or not all(map(_CRON_FIELD.fullmatch, fields))):
            self.problem(
                f"annotations: penstock.dev/reconcile={text!r}: expected five cron fields, such as '7 * * * *'"
            )
        return text

    def scale(self, name: str, default: int, minimum: int, maximum: int) -> int:
        key = self.spec.scale_key(name).rpartition(" ")[2]
        given = {key: text} if (text := self.spec.scaling.get(name)) is not None else {}
        return self.number(given, key, default, minimum, maximum)

    def number(self, given: Mapping[str, str], name: str, default: int, minimum: int, maximum: int) -> int:
        text = given.get(name, "")
        if not text:
            return default
        value = int(text) if text.isascii() and text.isdecimal() else -1
        if not minimum <= value <= maximum:
            self.problem(f"{name}={text!r}: expected a whole number from {minimum} to {maximum}")
            return default
        return value

    def collect(self, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except ConfigError as exc:
            for problem in exc.problems:
                self.problem(problem)
            return None

    def problem(self, text: str) -> None:
        self.problems.append(f"functions.{self.spec.name}: {text}")
