"""Kill a save, or fail it with a full disk or a broken drive, at every one of its system calls, as SQLite does."""

import json
import os
import re
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

ROOT = Path(__file__).parents[2]
CALLS = (
    "openat", "mkdir", "mkdirat", "write", "pwrite64", "ftruncate", "fsync", "fdatasync",
    "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "rmdir",
)  # fmt: skip
KILL, FULL, BROKEN = "signal=KILL", "error=ENOSPC", "error=EIO"
STAYS_FULL = "error=ENOSPC+"
SAID = 3
_CALL = re.compile(r"(?:\d+ +)?(\w+)\(")


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
    call = injection.partition(":")[0]
    status, log = _watched(server, ("-e", f"trace={call}", "-e", f"inject={injection}"), target, *arguments)
    return status, os.WIFSIGNALED(status) or "(INJECTED)" in log


def points_of(server: ForkServer, calls: tuple[str, ...], target: str, *arguments: object) -> list[tuple[str, int]]:
    """Every system call of ``calls`` that ``target`` makes, in order, as (name, which of that name)."""
    # "?": a system call that this processor's kernel does not know is no error.
    status, log = _watched(server, ("-e", "trace=" + ",".join(f"?{call}" for call in calls)), target, *arguments)
    assert status == 0, f"{target} fails by itself"
    counts: dict[str, int] = {}
    points: list[tuple[str, int]] = []
    for line in log.splitlines():
        if found := _CALL.match(line):
            counts[found[1]] = counts.get(found[1], 0) + 1
            points.append((found[1], counts[found[1]]))
    return points


def spread(points: list[tuple[str, int]], most: int) -> list[tuple[str, int]]:
    """About ``most`` of ``points``: the last of each system call, and others evenly between."""
    ends = {(name, max(count for other, count in points if other == name)) for name in dict(points)}
    stride = max(1, len(points) // max(1, most - len(ends)))
    return [point for at, point in enumerate(points) if point in ends or at % stride == 0]


def crash_everywhere(
    server: ForkServer,
    failure: str,
    prepare: Callable[[], tuple],
    check: Callable[[int], None],
    target: str,
    *,
    calls: tuple[str, ...] = CALLS,
    most: int = 0,
) -> int:
    """Run ``target`` with ``failure`` at each of its system calls; how many were hit.

    Args:
        server: where the children come from.
        failure: `KILL`, `FULL`, `BROKEN`, or `STAYS_FULL`: every later call of that name fails too.
        prepare: puts the old state there and gives the arguments; before every point.
        check: looks at what is left, given the wait status; after every point. What it raises becomes an
            `AssertionError` that names the point.
        target: ``MODULE:FUNCTION`` that saves; of a generator function, what comes after its ``yield``.
        calls: system calls.
        most: 0 for every point; else about so many, see `spread`.
    """
    points = points_of(server, calls, target, *prepare())
    hits = 0
    for call, count in spread(points, most) if most else points:
        lasting = "+" if failure.endswith("+") else ""
        status, hit = crash(server, f"{call}:{failure.rstrip('+')}:when={count}{lasting}", target, *prepare())
        try:
            check(status)
        except Exception as error:
            raise AssertionError(f"after {failure} at {call} number {count}: {error}") from error
        hits += hit
    return hits


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


def _watched(server: ForkServer, options: tuple[str, ...], target: str, *arguments: object) -> tuple[int, str]:
    """Run a call below strace; its wait status and what strace wrote."""
    pid = server.start(target, *arguments)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        try:
            with _traced(pid, options, log):
                os.kill(pid, signal.SIGUSR1)
                status = server.ended()
        except AssertionError:  # the tracer did not attach: the child still waits
            os.kill(pid, signal.SIGKILL)
            raise
        return status, log.read_text()


@contextmanager
def _traced(pid: int, options: tuple[str, ...], log: Path) -> Iterator[None]:
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(pid), "-o", log, *options],
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
