"""The system libraries that Qt's wheels expect from the machine, found by opening them as Qt would."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from installers.terminal import InstallError, say, step

EXIT_SYSTEM = 3


class Library(NamedTuple):
    """A shared library and where Debian and Ubuntu keep it.

    Attributes:
        soname: what the loader looks for.
        package: its package up to Debian 12 and Ubuntu 22.04.
        package_t64: its package since Debian 13 and Ubuntu 24.04, when the name changed with 64-bit time.
        needed: False for what the window can do without.
    """

    soname: str
    package: str
    package_t64: str = ""
    needed: bool = True


class Tool(NamedTuple):
    """A command that some tests use, and its package."""

    command: str
    package: str


QT_LIBRARIES = (
    Library("libglib-2.0.so.0", "libglib2.0-0", "libglib2.0-0t64"),
    Library("libGL.so.1", "libgl1"),
    Library("libEGL.so.1", "libegl1"),
    Library("libxkbcommon.so.0", "libxkbcommon0"),
    Library("libfontconfig.so.1", "libfontconfig1"),
    Library("libdbus-1.so.3", "libdbus-1-3"),
    Library("libgssapi_krb5.so.2", "libgssapi-krb5-2"),
    Library("libxcb-cursor.so.0", "libxcb-cursor0"),
    Library("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
    Library("libxcb-icccm.so.4", "libxcb-icccm4"),
    Library("libxcb-keysyms.so.1", "libxcb-keysyms1"),
    Library("libxcb-shape.so.0", "libxcb-shape0"),
    Library("libXrandr.so.2", "libxrandr2"),
    Library("libpulse.so.0", "libpulse0", needed=False),
)
TEST_TOOLS = (Tool("xvfb-run", "xvfb"), Tool("xauth", "xauth"), Tool("strace", "strace"))


def read_os_release(path: Path = Path("/etc/os-release")) -> dict[str, str]:
    """Fields of os-release; empty where there is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def uses_t64_names(os_release: dict[str, str]) -> bool:
    """Whether this system has the package names that came with 64-bit time.

    Derivatives count by their own number only when they are Debian or Ubuntu; for all others the old name is right,
    because the new package provides it.
    """
    first_with_t64 = {"debian": 13.0, "ubuntu": 24.04}.get(os_release.get("ID", ""))
    if first_with_t64 is None:
        return False
    try:
        return float(os_release.get("VERSION_ID", "")) >= first_with_t64
    except ValueError:
        return os_release.get("ID") == "debian"  # testing and unstable carry no number


def package_name(library: Library, os_release: dict[str, str]) -> str:
    """Package of a library on this system."""
    return library.package_t64 if library.package_t64 and uses_t64_names(os_release) else library.package


def venv_package(version: tuple[int, int]) -> str:
    """The Debian package that completes a system Python so that it can make virtual environments."""
    return f"python{version[0]}.{version[1]}-venv"


def can_open(soname: str) -> bool:
    """Whether the loader finds a shared library."""
    try:
        ctypes.CDLL(soname)
    except OSError:
        return False
    return True


def missing_libraries() -> list[Library]:
    """Qt's libraries that this Linux machine lacks; empty on Windows and macOS, whose wheels are complete."""
    if not sys.platform.startswith("linux"):
        return []
    return [library for library in QT_LIBRARIES if not can_open(library.soname)]


def missing_tools() -> list[Tool]:
    """Commands that the window and silence tests use and this Linux machine lacks."""
    if not sys.platform.startswith("linux"):
        return []
    return [tool for tool in TEST_TOOLS if shutil.which(tool.command) is None]


def lacks_venv() -> bool:
    """Whether this Python cannot make a virtual environment with pip in it, as Debian's without its -venv package."""
    return importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None


def paste_line(packages: list[str]) -> str:
    """The one line that installs packages by hand."""
    return f"sudo apt-get update && sudo apt-get install -y {' '.join(packages)}"


def apt_commands(packages: list[str], *, is_root: bool) -> list[list[str]]:
    """Commands that install packages without a question."""
    prefix = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    if not is_root:
        prefix = ["sudo", "-n", *prefix]
    return [[*prefix, "update", "-qq"], [*prefix, "install", "-y", "-qq", "--no-install-recommends", *packages]]


def ensure(*, window: bool, tests: bool, make_venv: bool) -> None:
    """Install what the machine lacks where that is allowed; otherwise print the line to paste.

    Args:
        window: the Qt window has to open, so its libraries are needed and not only welcome.
        tests: the tests will run.
        make_venv: a virtual environment is about to be made.

    Raises:
        InstallError: when something is missing that the command cannot do without.
    """
    version = (sys.version_info.major, sys.version_info.minor)
    os_release = read_os_release()
    packages = [venv_package(version)] if make_venv and lacks_venv() else []
    packages += [package_name(library, os_release) for library in missing_libraries()]
    packages += [tool.package for tool in missing_tools()] if tests else []
    if not packages:
        return
    if shutil.which("apt-get") and _may_install():
        step(f"Installing system packages: {' '.join(packages)}")
        _apt_install(packages)
    _complain_about_what_is_left(packages, window=window, make_venv=make_venv)


def _may_install() -> bool:
    if os.geteuid() == 0:
        return True
    if shutil.which("sudo") is None:
        return False
    return subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0


def _apt_install(packages: list[str]) -> None:
    for command in apt_commands(packages, is_root=os.geteuid() == 0):
        if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode != 0:
            say(f"This did not work: {' '.join(command)}")


def _complain_about_what_is_left(packages: list[str], *, window: bool, make_venv: bool) -> None:
    importlib.invalidate_caches()
    stops_venv = make_venv and lacks_venv()
    stops_window = window and any(library.needed for library in missing_libraries())
    left = bool(stops_venv or missing_libraries())
    if not left:
        return
    if shutil.which("apt-get"):
        hint = f"Paste this line, then start the same command again:\n\n    {paste_line(packages)}\n"
    else:
        names = ", ".join(library.soname for library in missing_libraries())
        hint = f"Install the packages of your system that hold {names or 'venv and ensurepip'}, then start again."
    if stops_venv:
        raise InstallError(
            "This Python cannot make virtual environments: ensurepip is missing.", hint, code=EXIT_SYSTEM
        )
    if stops_window:
        raise InstallError("Qt needs system libraries that are missing here.", hint, code=EXIT_SYSTEM)
    say(f"Some system libraries are missing; Reverie goes on without them.\n{hint}")
