"""No command sends a terminal what a key, a reason or a header holds: a table over the commands that print them.

`penstock lake` has its own test in test_lake.py, against a server in memory.
"""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from penstock import Result, UnsupportedInput
from penstock.cli import main
from penstock.commands.up import invocation_line
from penstock.delivery.deliverer import Message
from penstock.delivery.inbox import Inbox
from penstock.jobs.manifest import job_manifest
from penstock.local.demo.report import DemoReport, Row
from penstock.local.gateway.invocations import Invocation
from penstock.settings.environment import load_config
from penstock.terminal import columns, json_text, one_line, printable, set_up_log_lines
from penstock.types import ObjectRef, ObjectState

from tests.lake import Lake
from tests.paths import EVENTS
from tests.unit.jobs.cluster import MemoryCluster

# ESC [ 2 J clears a screen, U+009B is ESC [ in one character, U+202E turns what follows around.
FORGED = "00:00:00  compress  forged"
KEY = f"bad\x1b[2J\n{FORGED}\x9b2J\u202e\x7f.txt"
REF = ObjectRef("upload", KEY)
REASON = f"{KEY}: no image\n{FORGED}"


def use(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let reconcile and run work on a lake in memory."""
    monkeypatch.setattr("penstock.commands.reconcile.function_config", lambda *_: lake.config)
    monkeypatch.setattr("penstock.commands.reconcile.make_runtime", lambda *_: lake.runtime)
    monkeypatch.setattr("penstock.commands.run.oneshot_config", lambda *_, **__: lake.config)
    monkeypatch.setattr("penstock.commands.run.make_runtime", lambda *_: lake.runtime)


def reconcile(monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    lake = Lake()
    use(lake, monkeypatch)
    lake.put(b"bad", REF)
    assert main(["reconcile", "upper", "--check"]) == 1
    assert main(["reconcile", "upper"]) == 0


def run(monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    lake = Lake()
    use(lake, monkeypatch)
    lake.put(b"bad", REF)
    assert main(["run", "upper", "-f", "upload", "-k", KEY]) == 65
    assert main(["run", "upper", "-f", "upload", "-k", f"gone{KEY}"]) == 65
    assert main(["run", "upper", "-f", f"other{KEY}", "-k", KEY]) == 65


def dlq(_monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    inbox = Inbox(folder / "inbox.db")
    message = Message(KEY, KEY.encode(), {"ce-subject": KEY, KEY: "x"}, f"webhook {KEY}", f"target{KEY}")
    inbox.store_dead_letter(message, 415, REASON, REASON.encode())
    inbox.close()
    where = ["--inbox", str(folder / "inbox.db")]
    assert main(["dlq", "list", *where]) == 0
    assert main(["dlq", "list", "--json", *where]) == 0
    assert main(["dlq", "drop", KEY, *where]) == 65


def listen(monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    line = json.loads((EVENTS / "listen_line.json").read_bytes())
    line["Records"][0]["s3"]["object"]["key"] = KEY
    bodies = [json.dumps(line).encode(), KEY.encode()]
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.setenv(f"MINIO_{name}", "http://minio")
    monkeypatch.setattr("penstock.connect.minio.listen.minio_lines", lambda *_, **__: iter(bodies))
    assert main(["listen", "minio", "upload"]) == 0


def up(_monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    answer = {"outcome": "refused", "reason": REASON, "source": {"bucket": "upload", "key": KEY, "size": 3}}
    print(invocation_line(Invocation("resize", "POST", "/event", 415, False, 0.1, 9, 3, "id", answer, finished=0)))
    print(invocation_line(Invocation("resize", "POST", f"/{KEY}", 200, False, 0.1, 9, 3, "id", finished=0)))
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        set_up_log_lines("WARNING")
        try:
            raise ValueError(KEY)
        except ValueError:
            logging.getLogger("penstock.local").warning("%s: %s", REF, REASON, exc_info=True)
    finally:
        logging.basicConfig(handlers=before[0] or [logging.NullHandler()], level=before[1], force=True)


def demo(_monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    report = DemoReport(sys.stdout)
    report.uploaded(REF, 3, 0.1, "")
    report.table([Row(REF, "resize", True, 0.1, 3, 3)], "")
    report.checked(REF, "resize", REASON, "")
    report.verdict([REASON])


def jobs(monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    cluster = MemoryCluster()
    cluster.log = f"{KEY}\r\n"
    settings = {"SINK": "s3://processed/{key}", "OFFLOAD_ABOVE_BYTES": "1", "JOB_IMAGE": "i", "SECRETS_DIR": "/none"}
    config = load_config(settings, function="upper")
    assert config.jobs is not None
    state = ObjectState(REF, size=9, etag="e")
    cluster.create_job(job_manifest("upper-1", state, config, config.jobs, now=datetime(2026, 1, 1, tzinfo=UTC)))
    failed: dict[str, Any] = {"type": "Failed", "status": "True", "reason": "PodFailurePolicy", "message": REASON}
    cluster.stored["upper-1"]["status"] = {"conditions": [failed | {"lastTransitionTime": "2026-01-01T00:00:00Z"}]}
    monkeypatch.setattr("penstock.commands.jobs.KubernetesApi", lambda _access: cluster)
    where = ["--server=http://127.0.0.1:9", "--namespace=lake"]
    assert main(["jobs", "list", *where]) == 0
    assert main(["jobs", "list", "--json", *where]) == 0
    assert main(["jobs", "clean", KEY, *where]) == 65


def unknown(_monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    assert main([KEY]) == 2


def surplus(_monkeypatch: pytest.MonkeyPatch, _folder: Path) -> None:
    for words in (["ls", "upload", KEY], ["ls", "upload", f"--{KEY}"], ["dlq", KEY]):
        with pytest.raises(SystemExit, match="2"):
            main(words)


COMMANDS = (reconcile, run, dlq, listen, up, demo, jobs, unknown, surplus)


def bad_characters(text: str, keep: str = "\n") -> str:
    return "".join(sorted({char for char in text if not char.isprintable() and char not in keep}))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)
def test_a_key_that_would_clear_the_screen_and_forge_a_line_does_neither(
    command: Callable[[pytest.MonkeyPatch, Path], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command(monkeypatch, tmp_path)
    captured = capsys.readouterr()
    shown = captured.out + captured.err
    assert bad_characters(shown) == ""
    assert [line for line in shown.splitlines() if line.startswith(FORGED)] == []
    # The key is there, escaped, or as JSON escapes it.
    assert "\\x1b[2J\\x0a" in shown or "\\u001b[2J\\n" in shown


@pytest.mark.parametrize("words", [["show", "1"]])
def test_a_body_and_a_log_keep_their_lines_and_nothing_else(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dlq(pytest.MonkeyPatch(), tmp_path)
    inbox = Inbox(tmp_path / "inbox.db")
    inbox.store_dead_letter(Message("k", b"a\tb\nc\x1b[2J\r\n", {"h": KEY}, KEY, "t"), 422, REASON)
    inbox.close()
    capsys.readouterr()
    assert main(["dlq", *words, "--inbox", str(tmp_path / "inbox.db")]) == 0
    assert bad_characters(capsys.readouterr().out, "\n\t") == ""


def test_a_reason_of_several_lines_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_event: object, _context: object) -> Result:
        raise UnsupportedInput("no image:\n  line 2\x1b[2J\n\tline 3")

    def broken(_event: object, _context: object) -> Result:
        raise ValueError("no image:\n  line 2\x1b[2J\n\tline 3")

    wanted = "no image: line 2\\x1b[2J line 3"
    lake = Lake(refuse)
    use(lake, monkeypatch)
    lake.put(b"bad")
    assert main(["run", "upper", "-f", "upload", "-k", "a.txt"]) == 65
    assert wanted in capsys.readouterr().err
    lake = Lake(broken)
    use(lake, monkeypatch)
    lake.put(b"bad")
    assert main(["reconcile", "upper"]) == 75
    assert wanted in capsys.readouterr().err
    (tmp_path / "shout").mkdir()
    (tmp_path / "shout" / "handler.py").write_text(
        "from penstock import UnsupportedInput\n\n\ndef handle(event, context):\n"
        "    raise UnsupportedInput('no image:\\n  line 2\\x1b[2J\\n\\tline 3')\n"
    )
    (tmp_path / "a.txt").write_text("bad")
    assert main(["test", str(tmp_path / "shout"), str(tmp_path / "a.txt")]) == 65
    assert wanted in capsys.readouterr().out
    DemoReport(sys.stdout).verdict(["no image:\n  line 2\x1b[2J\n\tline 3"])
    assert wanted in capsys.readouterr().out


def test_escapes_name_the_character() -> None:
    assert printable("a\x1b\x9b\u202e\U000e0001\ud800猫") == "a\\x1b\\x9b\\u202e\\U000e0001\\ud800猫"
    assert one_line("one\n\t two\x1b") == "one two\\x1b"
    assert json.loads(json_text({"key": KEY})) == {"key": KEY}
    assert bad_characters(json_text({"key": KEY}, indent=2)) == ""
    assert columns([]) == []
    assert columns([("a\n", "b"), ("c", "\x1b")]) == ["a\\x0a  b", "c      \\x1b"]


def test_a_log_line_of_a_stack_trace_is_indented(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    up(pytest.MonkeyPatch(), Path())
    out.write(capsys.readouterr().err)
    first, *trace = out.getvalue().splitlines()
    assert "WARNING" in first
    assert all(line.startswith("  ") for line in trace)
    assert len(trace) >= 3
