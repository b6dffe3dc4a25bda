"""Deploying to the local stack: a name stands for a folder of the stack file, because no image is ever run."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from penstock.connect.edition import MAX_FUNCTIONS, TOO_MANY_FUNCTIONS, Edition, annotation_refusal, label_refusal
from penstock.errors import ConfigError, EventError
from penstock.local.functions.functions import LocalFunctions
from penstock.local.functions.secret_files import SecretFiles
from penstock.local.reload import Reloaded
from penstock.settings.stackfile import FunctionSpec, Resources, load_stack

NAMESPACE: Final = "openfaas-fn"
# What a deployment may say beside what the stack file names for the function. All else, such as PATH, LD_PRELOAD or
# PYTHONPATH, would decide which programs run on this machine.
SETTABLE: Final = frozenset(
    {
        *(
            "FUNCTION_NAME",
            "SOURCE",
            "SINK",
            "ON_SOURCE_REMOVED",
            "TARGET_ENCRYPTION",
            "RENDITIONS",
            "MAX_INPUT_BYTES",
            "MAX_BODY_BYTES",
        ),
        *("THREADS", "WORKERS", "DRAIN_SECONDS", "GRACE_SECONDS", "LOG_LEVEL"),
    }
)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NEVER: Final = re.compile(
    r"PATH|HOME|SHELL|IFS|ENV|BASH_.*|LD_.*|DYLD_.*|PYTHON.*|GUNICORN_.*|.*_PROXY", re.IGNORECASE
)


class Deployments:
    """Adds, replaces and removes functions. `changed` is called with all specs before a change takes effect."""

    def __init__(
        self,
        stack_file: Path,
        functions: LocalFunctions,
        overrides: Mapping[str, str],
        changed: Callable[[list[FunctionSpec]], None],
        edition: Edition = Edition.CE,
        secrets: SecretFiles | None = None,
    ) -> None:
        self.stack_file = stack_file.resolve()
        self._stack_file = stack_file
        self._functions = functions
        self._overrides = overrides
        self._changed = changed
        self.edition = edition
        self._secrets = secrets
        # What was asked for: this stack runs some functions with a store and an index of its own.
        self._declared = {name: spec.environment for name, spec in load_stack(stack_file, os.environ).functions.items()}
        self._in_file = self._read()

    def deploy(self, document: Mapping[str, Any], *, must_exist: bool) -> str:
        """Take faas-cli's deployment JSON and say what was done.

        Raises `NoSuchFunction` for an update of nothing, `EventError` and `ConfigError` for one that cannot work.
        """
        name = _text(document, "service")
        if not name:
            raise EventError("service: missing; it names the function")
        self._refuse(document)
        if must_exist:
            self._functions.get(name)
        elif self.edition is Edition.CE and sum(1 for _ in self._functions) >= MAX_FUNCTIONS:
            raise EventError(TOO_MANY_FUNCTIONS)
        spec = self._spec(name, document)
        self._changed([*(function.spec for function in self._functions if function.spec.name != name), spec])
        self._functions.deploy(spec)
        self._declared[name] = {**self._declared.get(name, {}), **_texts(document, "envVars")}
        # As the platform: one replica runs after a deployment, and goes when it is idle.
        self._functions.get(name).start_aside()
        image = spec.image or "no image"
        return f"{name}: runs from {spec.handler}; the image {image} is not pulled, since this stack runs folders"

    def declared(self, name: str) -> Mapping[str, str]:
        """The settings of a function as they were asked for, by a deployment or by the stack file."""
        return self._declared.get(name, {})

    def remove(self, name: str) -> None:
        """Raises `NoSuchFunction`."""
        self._functions.remove(name)
        self._declared.pop(name, None)
        self._changed([function.spec for function in self._functions])

    def specs(self) -> list[FunctionSpec]:
        """What is deployed now."""
        return [function.spec for function in self._functions]

    def reload(self, touched: frozenset[str]) -> list[Reloaded]:
        """Take the stack file as it is now, and start the functions anew whose entry or code (`touched`) has changed.

        A function whose new code cannot start goes on as it was; so do all with a stack file that cannot be read.
        """
        try:
            in_file = self._read()
        except ConfigError as exc:
            return [Reloaded(self._stack_file.name, problem) for problem in exc.problems]
        present = {spec.name: spec for spec in self.specs()}
        entries = {
            name for name in in_file.keys() | self._in_file.keys() if in_file.get(name) != self._in_file.get(name)
        }
        wanted = {name: in_file[name] for name in entries if name in in_file}
        wanted |= {name: present[name] for name in touched - entries if name in present}
        done, failed = list[str](), list[Reloaded]()
        for name, spec in sorted(wanted.items()):
            if problems := self._functions.problems(spec):
                failed += [Reloaded(name, problem) for problem in problems]
            else:
                done.append(name)
        gone = sorted(name for name in entries - in_file.keys() if name in present)
        kept = {name: spec for name, spec in present.items() if name not in gone}
        self._changed(list((kept | {name: wanted[name] for name in done}).values()))
        for name in done:
            self._functions.deploy(wanted[name])
        for name in gone:
            self._functions.remove(name)
        # An entry that failed is looked at again with the next change.
        self._in_file = {name: spec for name, spec in in_file.items() if name not in {each.name for each in failed}}
        self._declared = {
            name: spec.environment for name, spec in load_stack(self._stack_file, os.environ).functions.items()
        }
        return [*map(Reloaded, done), *(Reloaded(name, gone=True) for name in gone), *failed]

    def _read(self) -> Mapping[str, FunctionSpec]:
        return load_stack(self._stack_file, {**os.environ, **self._overrides}).functions

    def _refuse(self, document: Mapping[str, Any]) -> None:
        """Raise `EventError` as the edition does, in its words, so that what works here works there."""
        if _text(document, "namespace") not in ("", NAMESPACE):
            raise EventError(f"namespace must be: {NAMESPACE}")
        if self.edition is not Edition.CE:
            return
        if refusal := label_refusal(_texts(document, "labels")):
            raise EventError(f"validation failed: {refusal}")
        if refusal := annotation_refusal(_texts(document, "annotations")):
            raise EventError(refusal)

    def _spec(self, name: str, document: Mapping[str, Any]) -> FunctionSpec:
        # Read anew each time, so that a function added to the file a moment ago can be deployed.
        ours = load_stack(self._stack_file, {**os.environ, **self._overrides}).functions
        plain = load_stack(self._stack_file, os.environ).functions
        image = _text(document, "image")
        folder_name = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
        known = name if name in ours else next((n for n in ours if folder_name in (n, f"penstock-{n}")), None)
        if known is None:
            listed = ", ".join(ours)
            raise EventError(
                f"{name}: neither the name nor the image {image!r} is in {self._stack_file} (it has: {listed}); "
                "this stack runs folders, so add the function there and deploy again"
            )
        asked = _texts(document, "envVars")
        malformed = sorted(key for key in asked if not _NAME.fullmatch(key))
        if malformed:
            raise EventError(f"envVars: {', '.join(map(repr, malformed))}: a name has letters, digits and _")
        refused = sorted(key for key in asked if not _may_set(key, plain[known].environment))
        if refused:
            raise EventError(
                f"envVars: {', '.join(refused)}: a deployment may set OPTION_..., {', '.join(sorted(SETTABLE))}, "
                f"and what {self._stack_file} sets for {known}"
            )
        # faas-cli fills in the stack file without knowing where this stack keeps its store and its index.
        kept = {key: value for key, value in asked.items() if value != plain[known].environment.get(key)}
        return replace(
            ours[known],
            name=name,
            image=image or ours[known].image,
            environment={**ours[known].environment, **kept, **({} if name == known else {"FUNCTION_NAME": name})},
            labels=_texts(document, "labels") or ours[known].labels,
            annotations=_texts(document, "annotations") or ours[known].annotations,
            secrets=self._listed_secrets(document, ours[known]),
            constraints=_names(document, "constraints", ours[known].constraints),
            limits=_resources(document, "limits") or ours[known].limits,
            requests=_resources(document, "requests") or ours[known].requests,
            readonly_root_filesystem=document.get("readOnlyRootFilesystem", ours[known].readonly_root_filesystem)
            is True,
        )

    def _listed_secrets(self, document: Mapping[str, Any], ours: FunctionSpec) -> tuple[str, ...]:
        """Raises `EventError` for one that is not there: a pod would wait for it for ever."""
        listed = _names(document, "secrets", ours.secrets)
        if self._secrets and "secrets" in document and (missing := self._secrets.missing(listed)):
            raise EventError(
                f"unable to fetch secrets: there is no secret {', '.join(map(repr, missing))}; "
                f"make it with: faas-cli secret create {missing[0]}"
            )
        return listed


def _may_set(name: str, declared: Mapping[str, str]) -> bool:
    return not _NEVER.fullmatch(name) and (name in SETTABLE or name.startswith("OPTION_") or name in declared)


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name) or ""
    if not isinstance(value, str):
        raise EventError(f"{name}: expected text, got {type(value).__name__}")
    _check_text(name, value)
    return value


def _names(document: Mapping[str, Any], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    value = document.get(name)
    if value is None:
        return default
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise EventError(f"{name}: expected a list of texts")
    return tuple(value)


def _resources(document: Mapping[str, Any], name: str) -> Resources | None:
    value = _texts(document, name)
    return Resources(value.get("memory", ""), value.get("cpu", "")) if value else None


def _texts(document: Mapping[str, Any], name: str) -> dict[str, str]:
    value = document.get(name) or {}
    if not isinstance(value, dict) or not all(isinstance(inner, str) for inner in value.values()):
        raise EventError(f"{name}: expected an object whose values are text")
    for text in (part for pair in value.items() for part in pair):
        _check_text(name, text)
    return value


def _check_text(name: str, text: str) -> None:
    """Raise `EventError` for what no environment and no answer can hold: a NUL, or half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EventError(f"{name}: {text[:40]!r} is not Unicode text") from None
    if "\0" in text:
        raise EventError(f"{name}: {text[:40]!r} has a NUL in it")
