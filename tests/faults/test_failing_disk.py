"""The real window while one kind of system call fails from some moment on: it opens, tells and closes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from studio.core.paths import default_paths
from tests.package_kit import copy_fixture

ROOT = Path(__file__).parents[2]
TROUBLES = [
    "pwrite64:error=ENOSPC:when=1+",
    "pwrite64:error=ENOSPC:when=40+",
    "pwrite64:error=EIO:when=9+",
    "fdatasync:error=EIO:when=1+",
    "fsync:error=EIO:when=1+",
    "rename:error=EIO:when=1+",
    "mkdir:error=EROFS:when=1+",
    "unlink:error=EIO:when=1+",
    "ftruncate:error=ENOSPC:when=1+",
]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_window_works_or_tells_while_the_disk_fails(tmp_path: Path, trouble: str) -> None:
    copy_fixture(default_paths().packages, "tiny-diffusion")
    call = trouble.partition(":")[0]
    log = tmp_path / "strace.log"
    strace = ["strace", "-f", "--seccomp-bpf", "-qq", "-o", str(log), "-e", f"trace={call}", "-e", f"inject={trouble}"]
    rooms = "paint,train,gallery,models,settings"
    window = [sys.executable, "-m", "tests.faults.window_child", "tiny-diffusion", rooms]
    done = subprocess.run(
        [*strace, *window], cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=100, check=False
    )
    if "ptrace" in done.stderr and done.returncode:
        pytest.skip(f"strace may not trace here: {done.stderr.strip()[:200]}")
    assert "(INJECTED)" in log.read_text()
    report = json.loads(done.stdout)
    assert "error" not in report, report
    assert report["notices"], "nothing was told"
    assert not any("unexpected" in notice for notice in report["notices"]), report
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 0
