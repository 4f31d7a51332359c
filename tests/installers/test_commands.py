"""The command itself: what it starts, and what it says on a machine that will not do."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from installers import commands, environment
from installers.terminal import InstallError

SCRIPT = commands.SCRIPT


def test_display_by_system():
    assert commands.has_display({"DISPLAY": ":0"}, "linux")
    assert commands.has_display({"WAYLAND_DISPLAY": "wayland-0"}, "linux")
    assert not commands.has_display({"DISPLAY": ""}, "linux")
    assert commands.has_display({}, "win32")
    assert commands.has_display({}, "darwin")


def test_run_opens_the_window_or_makes_the_tour(tmp_path: Path):
    reverie = str(tmp_path / ".venv" / "bin" / "reverie")
    assert commands.run_command(tmp_path, [], display=True, system_name="linux") == [reverie]
    tour = commands.run_command(tmp_path, [], display=False, system_name="linux")
    assert tour == [reverie, "tour", "--out", str(tmp_path / "tour")]
    assert commands.run_command(tmp_path, ["list"], display=False, system_name="linux") == [reverie, "list"]


def test_an_unsuitable_python_hands_over_to_a_suitable_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    started: list[list[str]] = []

    def record(command, **_more):
        started.append(command)
        return subprocess.CompletedProcess(command, 7)

    monkeypatch.setattr(environment, "is_supported", lambda _version: False)
    monkeypatch.setattr(environment, "find_python", lambda: ["python3.12"])
    monkeypatch.setattr(subprocess, "run", record)
    assert commands.main(["test", "-x"]) == 7
    assert started == [["python3.12", str(SCRIPT), "test", "-x"]]
    assert "going on with python3.12" in capsys.readouterr().out


def test_an_unsuitable_python_alone_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(environment, "is_supported", lambda _version: False)
    monkeypatch.setattr(environment, "find_python", lambda: None)
    assert commands.main(["run"]) == commands.EXIT_PYTHON
    assert "Reverie needs Python 3.11, 3.12 or 3.13" in capsys.readouterr().err


def test_handing_over_never_goes_in_circles(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(environment, "is_supported", lambda _version: False)
    monkeypatch.setattr(environment, "find_python", lambda: pytest.fail("looked again"))
    monkeypatch.setenv(commands.REENTRY_VARIABLE, "1")
    assert commands.main(["run"]) == commands.EXIT_PYTHON


def test_an_error_is_a_sentence_a_hint_and_a_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def stop(_rest: list[str]) -> int:
        raise InstallError("The disk is full.", "Free 2 GB.", code=9)

    monkeypatch.setattr(commands, "_setup", stop)
    assert commands.main(["setup"]) == 9
    assert capsys.readouterr().err == "\nThe disk is full.\nFree 2 GB.\n"


def test_the_script_runs_without_the_environment_and_changes_nothing():
    # -I -S: neither this environment's packages nor the current folder, as on a machine that has nothing yet.
    command = [sys.executable, "-I", "-S", str(SCRIPT), "doctor"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode in {0, 1}, answer.stderr
    assert "system packages" in answer.stdout
    assert "\x1b" not in answer.stdout


def test_the_first_file_holds_no_word_that_an_old_python_cannot_read():
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    newer = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AnnAssign | ast.JoinedStr)]
    assert not newer
    assert "from __future__" not in SCRIPT.read_text(encoding="utf-8")


def test_an_unknown_command_is_a_usage_error():
    answer = subprocess.run(
        [sys.executable, str(SCRIPT), "fly"], capture_output=True, text=True, check=False, timeout=60
    )
    assert answer.returncode == 2
    assert "invalid choice" in answer.stderr
