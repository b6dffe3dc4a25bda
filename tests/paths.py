"""Where the repository's folders are, for tests at any depth."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EVENTS = ROOT / "tests" / "events"
DEPLOY = ROOT / "deploy"
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples"
FUNCTIONS = ROOT / "functions"
STACK_YML = ROOT / "stack.yml"
