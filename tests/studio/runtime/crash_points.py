"""Kill a save, or fail it with a full disk or a broken drive, at every one of its system calls, as SQLite does."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CALLS = ("openat", "mkdir", "write", "fsync", "rename", "renameat2", "unlink", "unlinkat", "rmdir")
KILL, FULL, BROKEN = "signal=KILL", "error=ENOSPC", "error=EIO"
SAID = 3
_LONGEST = 60


class ForkServer:
    """Children of a process that imported everything already."""

    def __init__(self, *modules: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("fork_server.py")],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for module in modules:
            self._ask(f"import {module}")
            assert self.answer() == "ready"

    def start(self, target: str, *arguments: object) -> int:
        """Fork a child for ``MODULE:FUNCTION``; it waits for SIGUSR1. Its process id."""
        self._ask(f"call {target} {json.dumps(arguments)}")
        return int(self.answer())

    def ended(self) -> int:
        """Wait for the child; its wait status."""
        return int(self.answer())

    def run(self, target: str, *arguments: object) -> int:
        """A child from start to end."""
        os.kill(self.start(target, *arguments), signal.SIGUSR1)
        return self.ended()

    def answer(self) -> str:
        """The next line."""
        ready, _, _ = select.select([self._process.stdout], [], [], 90)
        assert ready, "the fork server does not answer"
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        """End the server."""
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _ask(self, line: str) -> None:
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


def crash(server: ForkServer, injection: str, target: str, *arguments: object) -> tuple[int, bool]:
    """Run a call with ``injection`` (strace's words); its wait status, and whether anything was injected."""
    pid = server.start(target, *arguments)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        try:
            with _traced(pid, injection, log):
                os.kill(pid, signal.SIGUSR1)
                status = server.ended()
        except AssertionError:  # the tracer did not attach: the child still waits
            os.kill(pid, signal.SIGKILL)
            raise
        return status, os.WIFSIGNALED(status) or "(INJECTED)" in log.read_text()


def crash_everywhere(
    server: ForkServer,
    failure: str,
    prepare: Callable[[], tuple],
    check: Callable[[int], None],
    target: str,
    *,
    calls: tuple[str, ...] = CALLS,
) -> int:
    """Run ``target`` with ``failure`` at the first, second, third ... of each of ``calls``; how many points there were.

    Args:
        server: where the children come from.
        failure: `KILL`, `FULL` or `BROKEN`.
        prepare: puts the old state there and gives the arguments; before every point.
        check: looks at what is left, given the wait status; after every point.
        target: ``MODULE:FUNCTION`` that saves.
        calls: system calls.
    """
    points = 0
    for call in calls:
        for count in range(1, _LONGEST + 1):
            status, hit = crash(server, f"{call}:{failure}:when={count}", target, *prepare())
            check(status)
            if not hit:
                break
            points += 1
    return points


def need_strace(server: ForkServer) -> None:
    """Skip, with the reason, where calls cannot be traced."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    try:
        status, _ = crash(server, "getppid:signal=KILL:when=1", "os:getppid")
    except AssertionError:
        status = 0
        server.ended()
    if not os.WIFSIGNALED(status):
        pytest.skip("strace may not attach to processes here")


@contextmanager
def _traced(pid: int, injection: str, log: Path) -> Iterator[None]:
    call = injection.partition(":")[0]
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(pid), "-o", log, "-e", f"trace={call}", "-e", f"inject={injection}"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        ready, _, _ = select.select([tracer.stderr], [], [], 10)
        line = tracer.stderr.readline() if ready else ""
        assert "attached" in line, line
        yield
    finally:
        if tracer.poll() is None:
            try:
                tracer.wait(5)
            except subprocess.TimeoutExpired:
                tracer.terminate()
                tracer.wait(5)
        tracer.stderr.close()
