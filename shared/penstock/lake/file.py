"""lake.yml: read with line numbers, checked against the functions of the stack that it names, all problems at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from penstock.errors import ConfigError
from penstock.lake import keys
from penstock.lake.graph import Graph, make_graph
from penstock.lake.model import (
    SAFE_EVENTS,
    Bucket,
    DeclaredLake,
    NotificationTarget,
    Rule,
    TargetRef,
    name_problems,
)
from penstock.settings.config import SourceRule, bucket_problem
from penstock.settings.stackfile import load_stack
from penstock.settings.yamlfile import YamlReader, compose, is_null

DEFAULT_FILE: Final = Path("lake.yml")
_TOP_KEYS: Final = frozenset({"name", "stack", "queue_dir", "sync_events", "buckets", "targets", "rules"})
_RULE_KEYS: Final = frozenset({"bucket", "prefix", "suffix", "events", "target", "function"})
_SECRET_KEYS: Final = frozenset({"file", "env"})
_SWITCH: Final = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


def load_lake(path: Path, env: Mapping[str, str]) -> DeclaredLake:
    """Read a lake file; `env` supplies `${NAME}` and the secrets named by `env:`.

    Raises `ConfigError` with every problem found, each with file, line and key.
    """
    root = compose(path, env, "name the lake file with --file")
    reader = _LakeReader(path, env)
    lake = reader.lake(root)
    if reader.problems:
        raise ConfigError(*reader.problems)
    lake.check()
    return lake


def load_owner(path: Path, env: Mapping[str, str]) -> DeclaredLake:
    """A lake with only the name, which marks its rules and targets, and the ARNs; no secret is read.

    Raises `ConfigError`.
    """
    reader = _LakeReader(path, env)
    top = reader.mapping(compose(path, env, "name the lake file with --file"), "the lake file")
    name, targets = reader.name(top), reader.targets_by_arn(top.get("targets"))
    if reader.problems:
        raise ConfigError(*reader.problems)
    return DeclaredLake(name, targets=targets, sync_events=False)


@dataclass(frozen=True, slots=True)
class _Declared:
    """A target and the nodes of its keys."""

    target: NotificationTarget
    nodes: Mapping[str, yaml.Node]


class _LakeReader(YamlReader):
    """Reads the parts of a lake file."""

    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        super().__init__(path)
        self._env = env
        self._graph = Graph()
        self._stack_path: Path | None = None

    def lake(self, root: yaml.Node | None) -> DeclaredLake:
        top = self.mapping(root, "the lake file")
        self.known(top, _TOP_KEYS, "")
        name = self.name(top)
        self._read_stack(top.get("stack"))
        buckets = self._buckets(top.get("buckets"))
        targets = self._targets(top.get("targets"), name, top.get("queue_dir"))
        rules = self._rules(top.get("rules"), targets, {bucket.name for bucket in buckets})
        sync_events = self._switch(top.get("sync_events"), "sync_events")
        lake = DeclaredLake(
            name,
            buckets,
            tuple(each.target for each in targets.values()),
            rules,
            sync_events is not False,
        )
        if lake.by_s3_alone and sync_events:
            self.problem(top["sync_events"], "sync_events: a setting of MinIO's admin API; leave it out beside an arn")
        return lake

    def targets_by_arn(self, node: yaml.Node | None) -> tuple[NotificationTarget, ...]:
        """The targets that are named by ARN, and no others."""
        found = []
        for name, options in self.mapping(node, "targets").items():
            nodes = self.mapping(options, f"targets.{name}")
            if "arn" in nodes:
                found.append(self._target_by_arn(f"targets.{name}", nodes))
        return tuple(found)

    def _target_by_arn(self, where: str, nodes: Mapping[str, yaml.Node]) -> NotificationTarget:
        self.known(nodes, {"arn", "external"}, f"{where}.")
        external = self._switch(nodes.get("external"), f"{where}.external") is not False
        return NotificationTarget(TargetRef("arn", self.text(nodes["arn"], f"{where}.arn")), external=external)

    def name(self, top: Mapping[str, yaml.Node]) -> str:
        node = top.get("name")
        name = self.text(node, "name")
        if not name:
            self.problem(node, "name: missing; it marks this lake's rules and targets on the server")
        for text in name_problems(name) if name else ():
            self.problem(node, f"name: {text}")
        return name

    def _read_stack(self, node: yaml.Node | None) -> None:
        """The functions, and the circles among them."""
        named = self.text(node, "stack")
        if not named:
            return
        path = self.place(node, "stack", named)
        if path is None:
            return
        self._stack_path = path
        if not path.is_file():
            self.problem(node, f"stack: no file {named}; paths are relative to {self.path.name}")
            return
        try:
            self._graph = make_graph(load_stack(self._stack_path, self._env).functions.values())
        except ConfigError as exc:
            self.problems += [
                problem if str(self._stack_path) in problem else f"{named}: {problem}" for problem in exc.problems
            ]
            return
        for loop in self._graph.loops():
            self.problem(node, f"stack: {loop}")

    def _buckets(self, node: yaml.Node | None) -> tuple[Bucket, ...]:
        found = []
        for name, options in self.mapping(node, "buckets").items():
            where = f"buckets.{name}"
            if problem := bucket_problem(name):
                self.problem(options, f"{where}: {problem}")
            given = self.mapping(options, where)
            self.known(given, {"versioning"}, f"{where}.")
            found.append(Bucket(name, self._switch(given.get("versioning"), f"{where}.versioning")))
        return tuple(found)

    def _targets(self, node: yaml.Node | None, lake: str, queue_dir: yaml.Node | None) -> dict[str, _Declared]:
        found: dict[str, _Declared] = {}
        for name, options in self.mapping(node, "targets").items():
            where = f"targets.{name}"
            nodes = self.mapping(options, where)
            target = self._target(where, nodes, options, f"penstock-{lake}-{name}", queue_dir)
            if target is None:
                continue
            for key, text in (*target.problems(), *self._graph.target_problems(target)):
                self.problem(nodes.get(key, options), f"{where}.{key}: {text}")
            twin = next((other for other, each in found.items() if each.target.ref == target.ref), None)
            if twin is not None:
                self.problem(
                    nodes.get("id", options), f"{where}.id: {target.ref} is also that of {twin}; give it its own"
                )
            found[name] = _Declared(target, nodes)
        return found

    def _target(
        self, where: str, nodes: Mapping[str, yaml.Node], at: yaml.Node, default_id: str, queue_dir: yaml.Node | None
    ) -> NotificationTarget | None:
        if "arn" in nodes:
            return self._target_by_arn(where, nodes)
        kind = next((kind for kind in keys.KINDS if kind == self.text(nodes.get("type"), f"{where}.type")), None)
        if kind is None:
            self.problem(nodes.get("type", at), f"{where}.type: expected one of {', '.join(keys.KINDS)}")
            return None
        self.known(nodes, {"type", "id", "external", *(key.name for key in keys.KEYS[kind])}, f"{where}.")
        names = [key.name for key in keys.KEYS[kind] if key.name in nodes]
        secrets = {name: self._secret(nodes[name], f"{where}.{name}") for name in names if _is_secret(nodes[name])}
        values = {name: self.text(nodes[name], f"{where}.{name}") for name in names if name not in secrets}
        external = self._switch(nodes.get("external"), f"{where}.external") is True
        # An empty secret may come from `${TOKEN}` without a value; an empty key counts as not declared.
        values = {name: value for name, value in values.items() if value}
        keeps = any(key.name == "queue_dir" for key in keys.KEYS[kind])
        if keeps and not external and "queue_dir" not in nodes and self.text(queue_dir, "queue_dir"):
            values["queue_dir"] = self.text(queue_dir, "queue_dir")
        ref = TargetRef(kind, self.text(nodes.get("id"), f"{where}.id") or default_id)
        return NotificationTarget(ref, values, {name: value for name, value in secrets.items() if value}, external)

    def _secret(self, node: yaml.Node, where: str) -> str:
        """`{file: PATH}`, relative to the lake file, or `{env: NAME}`."""
        given = self.strings(node, where)
        self.known(self.mapping(node, where), _SECRET_KEYS, f"{where}.")
        if len(given) != 1:
            self.problem(node, f"{where}: expected {{file: PATH}} or {{env: NAME}}")
            return ""
        if "env" in given:
            value = self._env.get(given["env"], "")
            if not value:
                self.problem(node, f"{where}: the environment variable {given['env']} is not set")
            return value
        path = self.place(node, where, given.get("file", ""))
        if path is None:
            return ""
        try:
            value = path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as exc:
            self.problem(node, f"{where}: cannot read {path}: {getattr(exc, 'strerror', None) or exc}")
            return ""
        if not value:
            self.problem(node, f"{where}: {path} is empty")
        return value

    def _rules(self, node: yaml.Node | None, targets: Mapping[str, _Declared], buckets: set[str]) -> tuple[Rule, ...]:
        if node is None or is_null(node):
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self.problem(node, "rules: expected a list")
            return ()
        found: list[Rule] = []
        for number, item in enumerate(node.value, 1):
            where = f"rules[{number}]"
            for rule in self._rule(item, where, targets):
                if rule in found:
                    self.problem(item, f"{where}: {rule} is given twice")
                if rule.bucket and rule.bucket not in buckets:
                    self.problem(item, f"{where}: bucket {rule.bucket} is not declared; add it under buckets")
                found.append(rule)
        return tuple(found)

    def _rule(self, item: yaml.Node, where: str, targets: Mapping[str, _Declared]) -> list[Rule]:
        """One rule, or one for each SOURCE of the function that it names."""
        nodes = self.mapping(item, where)
        self.known(nodes, _RULE_KEYS, f"{where}.")
        given = {name: self.text(nodes.get(name), f"{where}.{name}") for name in _RULE_KEYS - {"events"}}
        declared = targets.get(given["target"])
        if declared is None:
            hint = (
                f"{given['target']!r} is not a target; declared: {', '.join(targets)}" if given["target"] else "missing"
            )
            self.problem(nodes.get("target", item), f"{where}.target: {hint}")
            return []
        if not declared.target.enabled:
            self.problem(
                nodes["target"], f"{where}.target: {given['target']} has enable: off, so MinIO has no ARN for it"
            )
        events = self.texts(nodes.get("events"), f"{where}.events") if "events" in nodes else SAFE_EVENTS
        ref, rules = declared.target.ref, []
        if given["function"]:
            rules = [
                Rule(source.bucket, ref, source.prefix, source.suffix, events)
                for source in self._sources(given["function"], nodes, where)
            ]
        elif given["bucket"]:
            rules = [Rule(given["bucket"], ref, given["prefix"], given["suffix"], events)]
        else:
            self.problem(item, f"{where}: name a bucket, or a function whose SOURCE says what to report")
        for rule in rules:
            problems = (*rule.problems(), *self._graph.rule_problems(rule, declared.target, given["function"]))
            for key, text in problems:
                self.problem(nodes.get(key, item), f"{where}.{key}: {text}")
        return rules

    def _sources(self, function: str, nodes: Mapping[str, yaml.Node], where: str) -> tuple[SourceRule, ...]:
        for name in ("bucket", "prefix", "suffix"):
            if name in nodes:
                self.problem(nodes[name], f"{where}.{name}: the function's SOURCE says it; leave it out")
        node = nodes["function"]
        if self._stack_path is None:
            self.problem(node, f"{where}.function: this file names no stack; write stack: ./stack.yml at the top")
            return ()
        found = self._graph.functions.get(function)
        if found is None:
            known = ", ".join(self._graph.functions) or "none"
            self.problem(node, f"{where}.function: no function {function} in {self._stack_path.name}; there: {known}")
            return ()
        if not found.sources:
            self.problem(node, f"{where}.function: {function} has no SOURCE in {self._stack_path.name}")
        return tuple(dict.fromkeys(rule.keys for rule in found.sources))

    def _switch(self, node: yaml.Node | None, where: str) -> bool | None:
        text = self.text(node, where).lower()
        if text and text not in _SWITCH:
            self.problem(node, f"{where}: expected on or off, got {text!r}")
        return _SWITCH.get(text)


def _is_secret(node: yaml.Node) -> bool:
    """Whether a value is written as `{file: PATH}` or `{env: NAME}`."""
    return isinstance(node, yaml.MappingNode)
