"""The virtual environment: where it is, whether it is still the right one, and how it is filled."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from installers.terminal import InstallError, say, step

ROOT = Path(__file__).resolve().parents[1]
SUPPORTED = ((3, 13), (3, 12), (3, 11))
STAMP_NAME = "reverie-stamp.json"
PIP_ATTEMPTS = 3
PROBED = {
    "PySide6.__version__": ("PySide6", "PySide6_Essentials", "PySide6_Addons", "shiboken6"),
    "onnxruntime.InferenceSession": ("onnxruntime-gpu", "onnxruntime"),
}
"""What must be there after an installation, and the distributions that bring it. Nothing here needs a system library:
where one is missing, installing again would not help."""
NEEDED_DISK_GB = 8.0


def is_supported(version: tuple[int, int]) -> bool:
    """Whether Reverie runs on this ``(major, minor)`` of Python."""
    return version in SUPPORTED


def python_candidates(platform: str) -> list[list[str]]:
    """Command lines that may start a suitable Python, best first."""
    names = [f"{major}.{minor}" for major, minor in SUPPORTED]
    if platform == "win32":
        return [["py", f"-{name}"] for name in names] + [["python"]]
    return [[f"python{name}"] for name in names] + [["python3"]]


def find_python(platform: str = sys.platform) -> list[str] | None:
    """The first suitable Python on PATH, asked for its version because names lie; None when there is none."""
    for command in python_candidates(platform):
        if shutil.which(command[0]) is None:
            continue
        probe = [*command, "-c", "import sys; print('%d %d' % sys.version_info[:2])"]
        answer = subprocess.run(probe, capture_output=True, text=True, check=False)
        words = answer.stdout.split()
        if answer.returncode == 0 and len(words) == 2 and is_supported((int(words[0]), int(words[1]))):
            return command
    return None


def venv_folder(root: Path) -> Path:
    """The virtual environment of a checkout."""
    return root / ".venv"


def venv_tool(root: Path, name: str, platform: str = sys.platform) -> Path:
    """Path of a command inside the virtual environment (``python``, ``reverie``, ``ruff`` ...)."""
    if platform == "win32":
        return venv_folder(root) / "Scripts" / f"{name}.exe"
    return venv_folder(root) / "bin" / name


def environment_key(root: Path, version: tuple[int, int]) -> str:
    """Hash of all that decides what belongs into the environment; a moved checkout changes it too."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "installers/constraints.txt"):
        path = root / name
        digest.update(path.read_bytes() if path.is_file() else b"")
        digest.update(b"\0")
    digest.update(f"{root}\0{version[0]}.{version[1]}".encode())
    return digest.hexdigest()


def read_stamp(root: Path) -> tuple[str, frozenset[str]]:
    """Key and extras of the last complete installation; empty when there was none or the stamp is damaged."""
    try:
        stamp = json.loads((venv_folder(root) / STAMP_NAME).read_text(encoding="utf-8"))
        return str(stamp["key"]), frozenset(str(extra) for extra in stamp["extras"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", frozenset()


def write_stamp(root: Path, key: str, extras: frozenset[str]) -> None:
    """Record a complete installation. The very last thing done, so that an interrupted one is done again."""
    path = venv_folder(root) / STAMP_NAME
    staged = path.with_suffix(".tmp")
    staged.write_text(json.dumps({"key": key, "extras": sorted(extras)}) + "\n", encoding="utf-8")
    staged.replace(path)


def is_ready(root: Path, key: str, extras: frozenset[str]) -> bool:
    """Whether the environment already holds what is asked for."""
    stamped_key, stamped_extras = read_stamp(root)
    return stamped_key == key and extras <= stamped_extras and venv_tool(root, "python").exists()


def venv_command(python: str, folder: Path) -> list[str]:
    """Command that makes the environment anew."""
    return [python, "-m", "venv", "--clear", str(folder)]


def pip_command(root: Path, extras: frozenset[str], platform: str = sys.platform) -> list[str]:
    """Command that fills the environment: the checkout itself, editable, with every version pinned."""
    target = f"{root}[{','.join(sorted(extras))}]" if extras else str(root)
    return [
        *(str(venv_tool(root, "python", platform)), "-m", "pip", "install", "--no-input"),
        *("--disable-pip-version-check", "-c", str(root / "installers" / "constraints.txt"), "-e", target),
    ]


def pip_environment(base: dict[str, str], *, interactive: bool) -> dict[str, str]:
    """Environment of pip: patient with a slow line, and plain text when nobody watches."""
    chosen = dict(base)
    chosen.setdefault("PIP_RETRIES", "6")
    chosen.setdefault("PIP_DEFAULT_TIMEOUT", "60")
    if not interactive:
        chosen.update(NO_COLOR="1", PIP_PROGRESS_BAR="off")
    return chosen


def prepare(extras: frozenset[str], *, root: Path = ROOT) -> None:
    """Make the environment and fill it; returns at once when that was done before.

    Raises:
        InstallError: when the environment cannot be made or a package cannot be installed.
    """
    version = (sys.version_info.major, sys.version_info.minor)
    key = environment_key(root, version)
    if is_ready(root, key, extras):
        return
    _check_disk(root)
    if not _venv_runs(root, version):
        step(f"Making the virtual environment {venv_folder(root)}")
        _make_venv(root)
    # What was installed before stays: asking for the window alone must not make the next test run install again.
    wanted = extras | (read_stamp(root)[1] if read_stamp(root)[0] == key else frozenset())
    step(f"Installing the pinned packages ({', '.join(['window', *sorted(wanted)])}); the first time takes minutes")
    _pip_install(root, wanted)
    _mend(root)
    write_stamp(root, key, wanted)


def _venv_runs(root: Path, version: tuple[int, int]) -> bool:
    python = venv_tool(root, "python")
    if not python.exists():
        return False
    probe = [str(python), "-c", "import pip, sys; print('%d.%d' % sys.version_info[:2], sys.prefix)"]
    answer = subprocess.run(probe, capture_output=True, text=True, check=False)
    said_version, _, said_prefix = answer.stdout.strip().partition(" ")
    same_place = bool(said_prefix) and Path(said_prefix).resolve() == venv_folder(root).resolve()
    return answer.returncode == 0 and same_place and said_version == f"{version[0]}.{version[1]}"


def _make_venv(root: Path) -> None:
    answer = subprocess.run(
        venv_command(sys.executable, venv_folder(root)), capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        said = (answer.stderr or answer.stdout).strip().splitlines()
        raise InstallError(
            f"The virtual environment could not be made: {said[-1] if said else 'no reason given'}",
            "Check that the folder is writable and that this Python has the modules venv and ensurepip.",
        )


def _pip_install(root: Path, extras: frozenset[str]) -> None:
    command = pip_command(root, extras)
    environment = pip_environment(dict(os.environ), interactive=sys.stdout.isatty())
    for attempt in range(1, PIP_ATTEMPTS + 1):
        if subprocess.run(command, env=environment, check=False).returncode == 0:
            return
        if attempt < PIP_ATTEMPTS:
            say(f"pip stopped; what it has fetched is kept. Attempt {attempt + 1} of {PIP_ATTEMPTS} in 5 seconds.")
            time.sleep(5)
    raise InstallError(
        "The packages could not be installed; pip's own reason stands above.",
        "Check the network connection and the free disk space, then start again: it goes on from there.",
    )


def broken_imports(root: Path) -> list[str]:
    """Names of `PROBED` that the environment's Python does not find.

    Upgraded in place, distributions that share a folder can lose files: the old one takes the new one's along.
    """
    probe = "import importlib, sys; getattr(importlib.import_module(sys.argv[1]), sys.argv[2])"
    quiet = {**os.environ, "ORT_DISABLE_TELEMETRY": "1"}
    return [
        name
        for name in PROBED
        if subprocess.run(
            [str(venv_tool(root, "python")), "-c", probe, *name.split(".")], env=quiet, capture_output=True, check=False
        ).returncode
    ]


def _mend(root: Path) -> None:
    """Install once more, from nothing, the distributions of what cannot be imported."""
    broken = broken_imports(root)
    if not broken:
        return
    say(f"{' and '.join(broken)} is damaged; installing it once more.")
    python = str(venv_tool(root, "python"))
    list_command = [python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"]
    listed = subprocess.run(list_command, capture_output=True, text=True, check=False).stdout.split()
    names = {distribution.lower() for name in broken for distribution in PROBED[name]}
    again = [pinned for pinned in listed if pinned.partition("==")[0].lower() in names]
    command = [python, "-m", "pip", "install", "--no-input", "--force-reinstall", "--no-deps", *again]
    environment = pip_environment(dict(os.environ), interactive=sys.stdout.isatty())
    subprocess.run(command, env=environment, check=False)
    left = broken_imports(root)
    if left:
        raise InstallError(
            f"The environment stays damaged: {' and '.join(left)} cannot be imported.",
            f"Remove the folder {venv_folder(root)} and start again.",
        )


def _check_disk(root: Path) -> None:
    free_gb = shutil.disk_usage(root).free / 1e9
    if free_gb < NEEDED_DISK_GB:
        say(
            f"Only {free_gb:.1f} GB are free on the disk of {root}; the window and the trainer need about "
            f"{NEEDED_DISK_GB:.0f} GB. Trying anyway."
        )
