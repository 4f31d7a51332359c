"""The test command: its parts, when it stops, and the line it ends with."""

import sys
from pathlib import Path

import pytest

from installers import checks
from installers.checks import Check, Outcome

PASSES = Check("passes", [sys.executable, "-c", ""])
FAILS = Check("fails", [sys.executable, "-c", "raise SystemExit(1)"])


def give(monkeypatch: pytest.MonkeyPatch, *, static: list[Check], tests: Check) -> None:
    monkeypatch.setattr(checks, "static_checks", lambda _root: static)
    monkeypatch.setattr(checks, "pytest_command", lambda _root, _arguments: tests.command)


def last_line(capfd: pytest.CaptureFixture[str]) -> str:
    return capfd.readouterr().out.strip().splitlines()[-1]


def test_every_wall_is_checked(tmp_path: Path):
    tools = [Path(check.command[0]).stem for check in checks.static_checks(tmp_path, "linux")]
    assert tools == ["ruff", "ruff", "lint-imports", "basedpyright"]


def test_pytest_runs_in_the_environment(tmp_path: Path):
    command = checks.pytest_command(tmp_path, ["-x"], "win32")
    assert command == [str(tmp_path / ".venv" / "Scripts" / "python.exe"), "-m", "pytest", "-x"]


def test_closing_line_and_summary_count_alike():
    outcomes = [Outcome("style", passed=True, seconds=1.0), Outcome("types", passed=False, seconds=2.0)]
    assert checks.closing_line(outcomes) == "1 passed, 1 failed"
    assert "FAILED  types (2.0 s)" in checks.summary(outcomes)


def test_a_failed_check_stops_before_the_tests_but_not_before_the_other_checks(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
):
    never = Check("tests", [sys.executable, "-c", "print('the tests ran')"])
    give(monkeypatch, static=[FAILS, PASSES], tests=never)
    assert checks.run_all([], root=tmp_path) == 1
    said = capfd.readouterr().out
    assert "the tests ran" not in said
    assert said.strip().splitlines()[-1] == "1 passed, 1 failed"


def test_the_last_word_is_pytests_own(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
):
    tests = Check("tests", [sys.executable, "-c", "print('=== 7 passed in 0.1s ===')"])
    give(monkeypatch, static=[PASSES], tests=tests)
    assert checks.run_all([], root=tmp_path) == 0
    assert last_line(capfd) == "=== 7 passed in 0.1s ==="


def test_a_crash_of_pytest_is_counted_as_a_failure(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
):
    give(monkeypatch, static=[PASSES], tests=Check("tests", [sys.executable, "-c", "import os; os._exit(134)"]))
    assert checks.run_all([], root=tmp_path) == 1
    assert last_line(capfd) == "1 passed, 1 failed"


def test_no_test_collected_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    give(monkeypatch, static=[], tests=Check("tests", [sys.executable, "-c", "raise SystemExit(5)"]))
    assert checks.run_all([], root=tmp_path) == 1


def test_arguments_go_straight_to_pytest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    give(monkeypatch, static=[FAILS], tests=PASSES)
    assert checks.run_all(["tests/installers"], root=tmp_path) == 0
