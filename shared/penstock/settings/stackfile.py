"""stack.yml as OpenFaaS's faas-cli reads it, as frozen values; every problem is reported at once, with its line.

The schema is that of faas-cli's `stack` package: `provider`, `functions.<name>` and `configuration`. Before the
YAML is read, `${NAME}` and `${NAME:-default}` are replaced from the environment, as faas-cli does it; `$$` is a `$`.
Scalars stay the text that was written, because every setting becomes an environment variable.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from penstock.errors import ConfigError
from penstock.settings.config import Config
from penstock.settings.durations import DEFAULT_IDLE, parse_go_duration
from penstock.settings.environment import load_config
from penstock.settings.names import is_dns_label, stack_path
from penstock.settings.yamlfile import YamlReader, compose

_FUNCTION_KEYS: Final = frozenset(
    {
        *("lang", "handler", "image", "registry_auth", "fprocess", "namespace", "platforms", "skip_build"),
        *("environment", "environment_file", "secrets", "labels", "annotations", "constraints"),
        *("limits", "requests", "readonly_root_filesystem", "build_options", "build_args", "build_secrets"),
    }
)
# How a function scales, on every platform and edition. A paid edition of OpenFaaS reads the labels, which its free
# edition refuses, so stack.yml has the annotations and `penstock render openfaas-pro` makes the labels of them.
SCALE_ANNOTATION: Final = "penstock.dev/scale."
SCALE_LABEL: Final = "com.openfaas.scale."
SCALE_NAMES: Final = ("zero", "zero-duration", "min", "max", "type", "target", "target-proportion")
_TOP_KEYS: Final = frozenset({"version", "provider", "functions", "configuration"})


@dataclass(frozen=True, slots=True)
class Resources:
    """Memory and CPU in Kubernetes quantities, such as `128Mi` and `100m`; empty where not given."""

    memory: str = ""
    cpu: str = ""


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """One entry under `functions`. `handler` is the absolute folder; `environment` has its files merged in."""

    name: str
    handler: Path
    lang: str = ""
    image: str = ""
    fprocess: str = ""
    namespace: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    constraints: tuple[str, ...] = ()
    build_args: Mapping[str, str] = field(default_factory=dict)
    build_options: tuple[str, ...] = ()
    limits: Resources | None = None
    requests: Resources | None = None
    readonly_root_filesystem: bool = False
    skip_build: bool = False

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics whose events it wants: the annotation `topic`, names separated by commas."""
        return tuple(topic for text in self.annotations.get("topic", "").split(",") if (topic := text.strip()))

    def config(self) -> Config:
        """The function's settings as the stack file has them; raises `ConfigError` with every problem.

        The store is left out: its credentials are not in a stack file, and where it is does not change what goes where.
        So are the files of the sink's credentials, which are in the function's pod.
        """
        given = {
            name: value
            for name, value in self.environment.items()
            if not name.startswith("MINIO_") and not (name.startswith("SINK_") and name.endswith("_FILE"))
        }
        return load_config(given, function=self.name)

    @contextlib.contextmanager
    def named_in_problems(self) -> Iterator[None]:
        """Let each problem of a `ConfigError` from this block begin with the function's name."""
        try:
            yield
        except ConfigError as exc:
            raise ConfigError(*(f"function {self.name}: {problem}" for problem in exc.problems)) from exc

    @property
    def scaling(self) -> Mapping[str, str]:
        """How it scales, by the names in `SCALE_NAMES`: from annotations, and from the labels of a paid edition."""
        given = ((self.labels, SCALE_LABEL), (self.annotations, SCALE_ANNOTATION))
        return {name: texts[prefix + name] for texts, prefix in given for name in SCALE_NAMES if prefix + name in texts}

    def scale_key(self, name: str) -> str:
        """What the stack file calls the setting `name` of `scaling`, for an error."""
        is_label = SCALE_LABEL + name in self.labels and SCALE_ANNOTATION + name not in self.annotations
        return f"label {SCALE_LABEL}{name}" if is_label else f"annotation {SCALE_ANNOTATION}{name}"

    @property
    def zero_after_seconds(self) -> float | None:
        """How long it may be idle before it is stopped, or None when it always runs; raises `ConfigError`."""
        if self.scaling.get("zero", "false").lower() != "true":
            return None
        try:
            return parse_go_duration(self.scaling.get("zero-duration", DEFAULT_IDLE))
        except ValueError as exc:
            raise ConfigError(f"{self.name}: {self.scale_key('zero-duration')}: {exc}") from exc


@dataclass(frozen=True, slots=True)
class StackFile:
    """A whole stack.yml; `copy` lists the folders that faas-cli copies into every build context."""

    path: Path
    functions: Mapping[str, FunctionSpec]
    provider: str = "openfaas"
    gateway: str = "http://127.0.0.1:8080"
    copy: tuple[str, ...] = ()


def load_stack(path: Path, env: Mapping[str, str]) -> StackFile:
    """Read a stack file, as `stack_path` finds it; `env` supplies `${NAME}`.

    Raises `ConfigError` with every problem found.
    """
    path = stack_path(path)
    root = compose(path, env, "name the stack file with --stack, or write a project with penstock init")
    reader = _StackReader(path)
    stack = reader.stack(root)
    if reader.problems:
        raise ConfigError(*reader.problems)
    return stack


class _StackReader(YamlReader):
    """Reads the parts of a stack file."""

    def stack(self, root: yaml.Node | None) -> StackFile:
        top = self.mapping(root, "the stack file")
        self.known(top, _TOP_KEYS, "")
        provider = self.strings(top.get("provider"), "provider")
        if provider.get("name", "openfaas") != "openfaas":
            self.problem(top["provider"], f"provider.name: expected openfaas, got {provider['name']!r}")
        configuration = self.mapping(top.get("configuration"), "configuration")
        functions = self.mapping(top.get("functions"), "functions")
        if not functions:
            self.problem(root, "functions: at least one function is needed")
        return StackFile(
            path=self.path,
            functions={name: self.function(name, node) for name, node in functions.items()},
            provider=provider.get("name", "openfaas"),
            gateway=provider.get("gateway", "http://127.0.0.1:8080"),
            copy=self.texts(configuration.get("copy"), "configuration.copy"),
        )

    def function(self, name: str, node: yaml.Node) -> FunctionSpec:
        where = f"functions.{name}"
        keys = self.mapping(node, where)
        self.known(keys, _FUNCTION_KEYS, f"{where}.")
        if not is_dns_label(name):
            self.problem(node, f"{where}: a function's name is lower-case letters, digits and -, at most 63 of them")
        handler = self.text(keys.get("handler"), f"{where}.handler")
        folder = self.place(keys.get("handler"), f"{where}.handler", handler)
        if not handler:
            self.problem(keys.get("handler", node), f"{where}.handler: missing; name the folder that holds handler.py")
        elif folder is not None and not folder.is_dir():
            self.problem(
                keys["handler"], f"{where}.handler: no folder {handler}; paths are relative to {self.path.name}"
            )
        environment = self.strings(keys.get("environment"), f"{where}.environment")
        spec = FunctionSpec(
            name=name,
            handler=folder or self.path.parent,
            lang=self.text(keys.get("lang"), f"{where}.lang"),
            image=self.text(keys.get("image"), f"{where}.image"),
            fprocess=self.text(keys.get("fprocess"), f"{where}.fprocess"),
            namespace=self.text(keys.get("namespace"), f"{where}.namespace"),
            environment={**environment, **self.environment_files(keys.get("environment_file"), where)},
            secrets=self.texts(keys.get("secrets"), f"{where}.secrets"),
            labels=self.strings(keys.get("labels"), f"{where}.labels"),
            annotations=self.strings(keys.get("annotations"), f"{where}.annotations"),
            constraints=self.texts(keys.get("constraints"), f"{where}.constraints"),
            build_args=self.strings(keys.get("build_args"), f"{where}.build_args"),
            build_options=self.texts(keys.get("build_options"), f"{where}.build_options"),
            limits=self.resources(keys.get("limits"), f"{where}.limits"),
            requests=self.resources(keys.get("requests"), f"{where}.requests"),
            readonly_root_filesystem=self.flag(
                keys.get("readonly_root_filesystem"), f"{where}.readonly_root_filesystem"
            ),
            skip_build=self.flag(keys.get("skip_build"), f"{where}.skip_build"),
        )
        self.scaling(spec, keys)
        return spec

    def scaling(self, spec: FunctionSpec, keys: Mapping[str, yaml.Node]) -> None:
        """Check what says how it scales."""
        given = keys.get("annotations") or keys.get("labels")
        for name in spec.annotations:
            if name.startswith(SCALE_ANNOTATION) and name.removeprefix(SCALE_ANNOTATION) not in SCALE_NAMES:
                known = ", ".join(SCALE_ANNOTATION + each for each in SCALE_NAMES)
                self.problem(given, f"functions.{spec.name}: annotation {name} is unknown; known: {known}")
        for name in SCALE_NAMES:
            label, annotation = spec.labels.get(SCALE_LABEL + name), spec.annotations.get(SCALE_ANNOTATION + name)
            if label is not None and annotation is not None and label != annotation:
                self.problem(
                    given,
                    f"functions.{spec.name}: label {SCALE_LABEL}{name} is {label!r} and annotation "
                    f"{SCALE_ANNOTATION}{name} is {annotation!r}: keep the annotation",
                )
        try:
            _ = spec.zero_after_seconds
        except ConfigError as exc:
            is_label = SCALE_LABEL + "zero-duration" in spec.labels
            self.problem(keys["labels"] if is_label else given, f"functions.{exc}")

    def environment_files(self, node: yaml.Node | None, where: str) -> dict[str, str]:
        """The `environment` of each file, later files first; faas-cli lets them override `environment`."""
        merged: dict[str, str] = {}
        for name in self.texts(node, f"{where}.environment_file"):
            path = self.place(node, f"{where}.environment_file", name)
            if path is None:
                continue
            try:
                root = yaml.compose(path.read_text(encoding="utf-8"), yaml.SafeLoader)
            except UnicodeDecodeError as exc:
                self.problem(node, f"{where}.environment_file: {name}: not UTF-8 at byte {exc.start}; save it as UTF-8")
                continue
            except RecursionError:
                self.problem(node, f"{where}.environment_file: {name}: it is nested too deep to be read")
                continue
            except OSError as exc:
                self.problem(node, f"{where}.environment_file: {name}: {exc.strerror}")
                continue
            except yaml.YAMLError as exc:
                self.problem(node, f"{where}.environment_file: {name}: not YAML: {getattr(exc, 'problem', exc)}")
                continue
            inner = _StackReader(path)
            merged.update(inner.strings(inner.mapping(root, name).get("environment"), "environment"))
            self.problems += inner.problems
        return merged

    def resources(self, node: yaml.Node | None, where: str) -> Resources | None:
        given = self.mapping(node, where)
        self.known(given, {"memory", "cpu"}, f"{where}.")
        if not given:
            return None
        return Resources(self.text(given.get("memory"), f"{where}.memory"), self.text(given.get("cpu"), f"{where}.cpu"))
