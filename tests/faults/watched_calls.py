"""What a process and its children ask of the network and of the disk, counted by strace."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from studio.core.quiet import QUIET_ENVIRONMENT

ROOT = Path(__file__).parents[2]
_INTERNET = re.compile(r"AF_INET6?\b|AF_NETLINK|AF_PACKET")
_LOOK_UP = re.compile(r'"/etc/(resolv\.conf|hosts|gai\.conf)"')
_WRITTEN = re.compile(r'openat\([^"]*"([^"]+)", [^)]*O_(?:WRONLY|RDWR)[^)]*\) = \d')


@dataclass(frozen=True)
class Watched:
    """How a process ended, and the system calls that should not be there."""

    process: subprocess.CompletedProcess[str]
    internet: list[str]
    look_ups: list[str]
    written: set[Path]


def watched(folder: Path, *command: str, timeout_s: float = 100) -> Watched:
    """Run Python with ``command`` as a stranger would: nothing in the environment keeps a library quiet.

    Its home, its temporary files and its working folder lie in ``folder``, so that whatever it writes elsewhere shows.
    """
    if (strace := shutil.which("strace")) is None:
        pytest.skip("strace is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tmp").mkdir(exist_ok=True)
    log = folder / "strace.log"
    quiet = ("CI", "PYTEST_CURRENT_TEST", *QUIET_ENVIRONMENT)
    kept = {key: value for key, value in os.environ.items() if key not in quiet and not key.startswith("XDG_")}
    homes = {"HOME": str(folder), "TMPDIR": str(folder / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.run(
        [strace, "-f", "-qq", "--seccomp-bpf", "-e", "trace=%network,openat", "-o", str(log), sys.executable, *command],
        env=kept | homes | {"PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if "ptrace" in process.stderr and process.returncode:
        pytest.skip(f"strace may not trace here: {process.stderr.strip()[:200]}")
    lines = log.read_text(errors="replace").splitlines()
    return Watched(
        process,
        [line for line in lines if _INTERNET.search(line)],
        [line for line in lines if _LOOK_UP.search(line)],
        {Path(found[1]) for line in lines if (found := _WRITTEN.search(line))},
    )


def strangers(written: set[Path], *ours: Path) -> list[Path]:
    """Files written that lie in none of ``ours`` and are no devices."""
    devices = (Path("/dev"), Path("/proc"), Path("/sys"))
    return sorted(path for path in written if not any(path.is_relative_to(place) for place in (*ours, *devices)))
