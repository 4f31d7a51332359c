"""The virtual environment: which Python, which commands, and when it counts as ready."""

import subprocess
import sys
from pathlib import Path

import pytest

from installers import environment
from installers.terminal import InstallError

TRAINER = frozenset({"trainer"})


def make_checkout(folder: Path) -> Path:
    (folder / "installers").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("[project]\n")
    (folder / "installers" / "constraints.txt").write_text("a==1\n")
    return folder


def make_python(root: Path) -> None:
    python = environment.venv_tool(root, "python")
    python.parent.mkdir(parents=True)
    python.touch()


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_supported_versions(version: tuple[int, int]):
    assert environment.is_supported(version)


@pytest.mark.parametrize("version", [(2, 7), (3, 10), (3, 14), (4, 11)])
def test_other_versions_are_refused(version: tuple[int, int]):
    assert not environment.is_supported(version)


def test_newest_python_is_tried_first():
    assert environment.python_candidates("linux")[0] == ["python3.13"]
    assert environment.python_candidates("win32")[0] == ["py", "-3.13"]


def test_a_python_that_lies_about_its_version_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, words in (("python3.13", "3 9"), ("python3.12", "3 12")):
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\necho {words}\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    if sys.platform != "win32":
        assert environment.find_python("linux") == ["python3.12"]


def test_no_python_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.find_python("linux") is None


def test_commands_of_the_environment_by_platform(tmp_path: Path):
    assert environment.venv_tool(tmp_path, "ruff", "linux") == tmp_path / ".venv" / "bin" / "ruff"
    assert environment.venv_tool(tmp_path, "ruff", "darwin") == tmp_path / ".venv" / "bin" / "ruff"
    assert environment.venv_tool(tmp_path, "ruff", "win32") == tmp_path / ".venv" / "Scripts" / "ruff.exe"


def test_key_follows_everything_that_decides_the_contents(tmp_path: Path):
    first, second = make_checkout(tmp_path / "a"), make_checkout(tmp_path / "b")
    key = environment.environment_key(first, (3, 11))
    assert key == environment.environment_key(first, (3, 11))
    assert key != environment.environment_key(first, (3, 12))
    assert key != environment.environment_key(second, (3, 11))  # the commands inside name the folder they stand in
    (first / "installers" / "constraints.txt").write_text("a==2\n")
    changed = environment.environment_key(first, (3, 11))
    assert key != changed
    (first / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert environment.environment_key(first, (3, 11)) not in {key, changed}


def test_ready_only_with_stamp_extras_and_python(tmp_path: Path):
    root = make_checkout(tmp_path)
    make_python(root)
    assert not environment.is_ready(root, "k", TRAINER)
    environment.write_stamp(root, "k", TRAINER)
    assert environment.is_ready(root, "k", TRAINER)
    assert environment.is_ready(root, "k", frozenset())
    assert not environment.is_ready(root, "other", TRAINER)
    assert not environment.is_ready(root, "k", TRAINER | {"dev"})
    environment.venv_tool(root, "python").unlink()
    assert not environment.is_ready(root, "k", TRAINER)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": 1}', '{"key": "k", "extras": null}', "\x00"])
def test_a_damaged_stamp_counts_as_none(tmp_path: Path, text: str):
    make_python(tmp_path)
    (environment.venv_folder(tmp_path) / environment.STAMP_NAME).write_text(text)
    assert environment.read_stamp(tmp_path) == ("", frozenset())


def test_pip_installs_the_checkout_with_its_extras_and_constraints(tmp_path: Path):
    command = environment.pip_command(tmp_path, frozenset({"dev", "trainer"}), "linux")
    assert command[:4] == [str(tmp_path / ".venv" / "bin" / "python"), "-m", "pip", "install"]
    assert command[-2:] == ["-e", f"{tmp_path}[dev,trainer]"]
    assert str(tmp_path / "installers" / "constraints.txt") in command


def test_pip_keeps_what_the_machine_has_set_and_is_plain_without_a_terminal():
    chosen = environment.pip_environment({"PIP_RETRIES": "1"}, interactive=False)
    assert chosen["PIP_RETRIES"] == "1"
    assert chosen["NO_COLOR"] == "1"
    assert "NO_COLOR" not in environment.pip_environment({}, interactive=True)


def test_a_ready_environment_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = make_checkout(tmp_path)
    make_python(root)
    version = (sys.version_info.major, sys.version_info.minor)
    environment.write_stamp(root, environment.environment_key(root, version), TRAINER)
    monkeypatch.setattr(subprocess, "run", lambda *_a, **_k: pytest.fail("a process was started"))
    environment.prepare(TRAINER, root=root)


def test_pip_is_tried_again_and_then_given_up_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root, started = make_checkout(tmp_path), []

    def fail(command, **_more):
        started.append(command)
        return subprocess.CompletedProcess(command, 0 if "venv" in command else 1, "", "")

    monkeypatch.setattr(subprocess, "run", fail)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with pytest.raises(InstallError) as caught:
        environment.prepare(TRAINER, root=root)
    assert sum("pip" in command for command in started) == environment.PIP_ATTEMPTS
    assert caught.value.hint
    assert environment.read_stamp(root) == ("", frozenset())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    answer = subprocess.CompletedProcess([], 1, "", "Error: Permission denied\n")
    monkeypatch.setattr(subprocess, "run", lambda *_a, **_k: answer)
    with pytest.raises(InstallError, match="Permission denied"):
        environment.prepare(TRAINER, root=make_checkout(tmp_path))


def test_a_package_that_lost_files_is_installed_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root, started, mended = make_checkout(tmp_path), [], []
    make_python(root)

    def run(command, **_more):
        started.append(command)
        lost = "PySide6" in command and not mended
        mended.extend(word for word in command if word == "--force-reinstall")
        listed = "numpy==2.0\nPySide6==6.1\nshiboken6==6.1\n" if "list" in command else ""
        return subprocess.CompletedProcess(command, int(lost), listed, "")

    monkeypatch.setattr(subprocess, "run", run)
    environment.prepare(TRAINER, root=root)
    (again,) = [command for command in started if "--force-reinstall" in command]
    assert again[-2:] == ["PySide6==6.1", "shiboken6==6.1"]
    assert environment.read_stamp(root)[1] == TRAINER


def test_a_package_that_stays_damaged_leaves_no_stamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = make_checkout(tmp_path)
    make_python(root)

    def run(command, **_more):
        return subprocess.CompletedProcess(command, int("onnxruntime" in command), "", "")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(InstallError, match="onnxruntime"):
        environment.prepare(TRAINER, root=root)
    assert environment.read_stamp(root) == ("", frozenset())
