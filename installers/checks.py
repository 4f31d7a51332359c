"""The test command: style, walls and types first because they take seconds, then the tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from installers.environment import ROOT, venv_tool
from installers.terminal import say, step


class Check(NamedTuple):
    """A named command of the test run."""

    name: str
    command: list[str]


class Outcome(NamedTuple):
    """How a check ended."""

    name: str
    passed: bool
    seconds: float


def static_checks(root: Path, platform: str = sys.platform) -> list[Check]:
    """The checks that read the code without running it."""
    ruff = str(venv_tool(root, "ruff", platform))
    return [
        Check("style", [ruff, "check", "."]),
        Check("format", [ruff, "format", "--check", "."]),
        Check("import contracts", [str(venv_tool(root, "lint-imports", platform)), "--no-logo"]),
        Check("types", [str(venv_tool(root, "basedpyright", platform))]),
    ]


def pytest_command(root: Path, arguments: list[str], platform: str = sys.platform) -> list[str]:
    """The command that runs the tests."""
    return [str(venv_tool(root, "python", platform)), "-m", "pytest", *arguments]


def closing_line(outcomes: list[Outcome]) -> str:
    """The last line of a run in which pytest did not get to write its own."""
    passed = sum(outcome.passed for outcome in outcomes)
    return f"{passed} passed, {len(outcomes) - passed} failed"


def summary(outcomes: list[Outcome]) -> str:
    """One line per check."""
    rows = (f"  {'ok    ' if each.passed else 'FAILED'}  {each.name} ({each.seconds:.1f} s)" for each in outcomes)
    return "\n".join(rows)


def run_all(arguments: list[str], *, root: Path = ROOT) -> int:
    """Run the checks, then the tests when all of them passed; with arguments, only pytest with these arguments.

    Returns:
        the exit status: 0 only when everything passed.
    """
    environment = dict(os.environ)
    if not sys.stdout.isatty():
        environment.update(NO_COLOR="1", PY_COLORS="0")
    outcomes = [] if arguments else [_run(check, root, environment) for check in static_checks(root)]
    if outcomes:
        say(f"\nChecks:\n{summary(outcomes)}\n")
    if not all(outcome.passed for outcome in outcomes):
        say("The tests were not started, because a check failed.")
        say(closing_line(outcomes))
        return 1
    step("Tests")
    status = subprocess.run(pytest_command(root, arguments), cwd=root, env=environment, check=False).returncode
    if status < 0 or status > 5:  # killed or crashed: pytest wrote no closing line of its own
        say(f"pytest ended with status {status} before it could say how many tests passed.")
        say(closing_line([*outcomes, Outcome("tests", passed=False, seconds=0.0)]))
    return 1 if status else 0


def _run(check: Check, root: Path, environment: dict[str, str]) -> Outcome:
    step(check.name.capitalize())
    started = time.monotonic()
    status = subprocess.run(check.command, cwd=root, env=environment, check=False).returncode
    return Outcome(check.name, passed=status == 0, seconds=time.monotonic() - started)
