"""Prometheus's own reader and evaluator of alert rules, as a command: go/rule-check/main.go."""

from tests.components.install import HERE, GoModule

RULE_CHECK = GoModule("rule-check", HERE / "go" / "rule-check", {"rule-check": "."})
