"""Files with credentials that others may read."""

from __future__ import annotations

from pathlib import Path

import pytest
from penstock.doctor.files import examine_files


@pytest.mark.parametrize(("mode", "grade"), [(0o600, "good"), (0o400, "good"), (0o640, "note"), (0o644, "problem")])
def test_mode_of_a_named_file_is_judged(mode: int, grade: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(mode)
    [found] = examine_files({"MINIO_SECRET_KEY_FILE": str(secret), "OTHER_FILE": "/none"}, tmp_path)
    assert found.grade.value == grade
    assert found.remedy == (f"chmod 600 {secret}" if grade == "problem" else "")


def test_missing_file_is_a_problem(tmp_path: Path) -> None:
    [found] = examine_files({"SINK_PASSWORD_FILE": str(tmp_path / "none")}, tmp_path)
    assert (found.grade.value, found.subject) == ("problem", "SINK_PASSWORD_FILE")


def test_files_of_the_local_stack_are_looked_at_without_being_named(tmp_path: Path) -> None:
    for name, mode in (("password", 0o600), ("store.json", 0o604)):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(mode)
    assert [(each.subject, each.grade.value) for each in examine_files({}, tmp_path)] == [
        ("store.json", "problem"),
        ("credentials", "good"),
    ]
