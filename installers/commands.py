"""The commands of ``bootstrap.py``: run, test, setup and doctor. Idempotent, and quick when all is in place."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from installers import checks, environment, system
from installers.environment import ROOT
from installers.terminal import InstallError, complain, say

SCRIPT = Path(__file__).with_name("bootstrap.py")
EXIT_PYTHON = 4
REENTRY_VARIABLE = "REVERIE_BOOTSTRAP_PYTHON"
RUN_EXTRAS = frozenset({"trainer"})
TEST_EXTRAS = frozenset({"trainer", "dev"})


def has_display(variables: dict[str, str], system_name: str = sys.platform) -> bool:
    """Whether a window can be shown."""
    if not system_name.startswith("linux"):
        return True
    return bool(variables.get("DISPLAY") or variables.get("WAYLAND_DISPLAY"))


def run_command(root: Path, arguments: list[str], *, display: bool, system_name: str = sys.platform) -> list[str]:
    """What ``run`` starts: the window, or the tour where nothing can show one."""
    reverie = str(environment.venv_tool(root, "reverie", system_name))
    return [reverie, *arguments] if display or arguments else [reverie, "tour", "--out", str(root / "tour")]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="bootstrap.py", description="From a fresh checkout to a running Reverie.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("run", help="install what is missing, then open Reverie (or make the tour without a display)")
    commands.add_parser("test", help="install what is missing, then run the checks and the tests")
    commands.add_parser("setup", help="only install what is missing")
    commands.add_parser("doctor", help="say what is here and what is missing; change nothing")
    return top


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    version = (sys.version_info.major, sys.version_info.minor)
    if not environment.is_supported(version):
        return _hand_over(arguments, version)
    options, rest = parser().parse_known_args(arguments)
    rest = [word for word in rest if word != "--"]
    commands = {"run": _run, "test": _test, "setup": _setup, "doctor": _doctor}
    try:
        return commands[options.command](rest)
    except InstallError as error:
        return complain(error)
    except KeyboardInterrupt:
        say("\nStopped. The same command goes on from here.")
        return 130


def _hand_over(arguments: list[str], version: tuple[int, int]) -> int:
    """Start again with a Python that Reverie runs on, or say which one to install."""
    other = None if os.environ.get(REENTRY_VARIABLE) else environment.find_python()
    if other is None:
        message = f"Reverie needs Python 3.11, 3.12 or 3.13; this is {version[0]}.{version[1]} and PATH holds no other."
        return complain(InstallError(message, "Install one of them, then start again with it.", code=EXIT_PYTHON))
    say(f"This is Python {version[0]}.{version[1]}; going on with {' '.join(other)}.")
    command = [*other, str(SCRIPT), *arguments]
    return subprocess.run(command, env={**os.environ, REENTRY_VARIABLE: "1"}, check=False).returncode


def _prepare(extras: frozenset[str], *, window: bool, tests: bool) -> None:
    make_venv = not environment.venv_tool(ROOT, "python").exists()
    system.ensure(window=window, tests=tests, make_venv=make_venv)
    environment.prepare(extras, root=ROOT)


def _run(rest: list[str]) -> int:
    display = has_display(dict(os.environ))
    _prepare(RUN_EXTRAS, window=display, tests=False)
    if not display and not rest:
        say(
            f"There is no display here (neither DISPLAY nor WAYLAND_DISPLAY), so the tour runs instead: {ROOT / 'tour'}"
        )
    return _become(run_command(ROOT, rest, display=display))


def _become(command: list[str]) -> int:
    """Start the program in this one's place, so that whoever stops this process stops Reverie; Windows has no such."""
    if sys.platform == "win32":
        return subprocess.run(command, check=False).returncode
    sys.stdout.flush()
    return os.execv(command[0], command)


def _test(rest: list[str]) -> int:
    _prepare(TEST_EXTRAS, window=True, tests=True)
    return checks.run_all(rest, root=ROOT)


def _setup(_rest: list[str]) -> int:
    _prepare(RUN_EXTRAS, window=False, tests=False)
    say(f"Ready: {environment.venv_tool(ROOT, 'reverie')}")
    return 0


def _doctor(_rest: list[str]) -> int:
    version = (sys.version_info.major, sys.version_info.minor)
    key = environment.environment_key(ROOT, version)
    ready = environment.is_ready(ROOT, key, RUN_EXTRAS)
    lacking = system.missing_libraries()
    tools = ", ".join(tool.command for tool in system.missing_tools())
    names = " ".join(system.package_name(library, system.read_os_release()) for library in lacking)
    say(f"system          {platform.platform()}, {os.cpu_count()} cores")
    say(f"python          {platform.python_version()} at {sys.executable}")
    say(f"environment     {'ready' if ready else 'not made yet, or out of date: the command run makes it'}")
    say(f"system packages {f'missing: {names}' if names else 'complete'}")
    say(f"test tools      {f'missing: {tools}' if tools else 'complete'}")
    say(f"display         {'yes' if has_display(dict(os.environ)) else 'none: run makes the tour'}")
    say(f"NVIDIA driver   {'found' if shutil.which('nvidia-smi') else 'none: everything runs on the processor'}")
    say(f"free disk       {shutil.disk_usage(ROOT).free / 1e9:.0f} GB")
    return 0 if ready and not any(library.needed for library in lacking) else 1
