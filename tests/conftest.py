"""What holds for every test: a home of its own, no screen, no network, and nothing left running.

The environment is set before anything imports Qt or onnxruntime, so it stands above the imports.
"""

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["REVERIE_HOME"] = tempfile.mkdtemp(prefix="reverie-tests-")  # for what runs outside a test; see `_own_home`
os.environ.pop("CI", None)  # onnxruntime is silent by itself when CI is set, which would hide a missing `silence()`

from studio.core.quiet import silence

silence()

import hypothesis  # noqa: E402
import psutil  # noqa: E402
import pytest  # noqa: E402

# The same examples every time; a slow machine is no failure.
hypothesis.settings.register_profile("reverie", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.load_profile("reverie")

GRACE_S = 5.0
THREADS_THAT_STAY = ("pytest_timeout", "asyncio_", "ThreadPoolExecutor-torch")
PROCESSES_THAT_STAY = ("resource_tracker", "forkserver", "compile_worker")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine has no data for."""
    folder = os.environ.get("REVERIE_DATA", "")
    if folder and Path(folder).is_dir():
        return
    reason = f"REVERIE_DATA names no folder with the development data sets (it is {folder!r})"
    for item in items:
        if item.get_closest_marker("data"):
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_sessionfinish() -> None:
    """Remove the home of what ran outside a test."""
    subprocess.run([sys.executable, "-c", _REMOVE, os.environ["REVERIE_HOME"]], check=False)


_REMOVE = "import shutil, sys; shutil.rmtree(sys.argv[1], ignore_errors=True)"


@pytest.fixture
def data_folder() -> Path:
    """The development data sets; only for tests marked ``data``."""
    return Path(os.environ["REVERIE_DATA"])


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test, and every process it starts, its own empty home."""
    monkeypatch.setenv("REVERIE_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Refuse every connection and look-up except local sockets; single-instance and Qt need those."""
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex"):
        patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    patch.setattr(socket, "getaddrinfo", _refuse_look_up)
    patch.setattr(socket, "gethostbyname", _refuse_look_up)
    yield
    patch.undo()


def _guarded(original):
    def connect(self: socket.socket, address):
        loopback = sys.platform == "win32" and address[0] in {"127.0.0.1", "::1"}  # socketpair() there is a connection
        if not loopback and self.family != getattr(socket, "AF_UNIX", None):
            raise AssertionError(f"a test tried to reach the network: {address}")
        return original(self, address)

    return connect


def _refuse_look_up(host, *_rest, **_more):
    raise AssertionError(f"a test tried to look up a host: {host}")


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    """Fail the test that leaves a thread or a child process behind, and end what it left."""
    threads, children = set(threading.enumerate()), _child_ids()
    yield
    _fail_on_threads(threads)
    _fail_on_children(children)


def _fail_on_threads(before: set[threading.Thread]) -> None:
    until = time.monotonic() + GRACE_S
    left = _new_threads(before)
    for thread in left:
        thread.join(timeout=max(0.0, until - time.monotonic()))
    left = _new_threads(before)
    if left:
        pytest.fail(f"threads left running: {', '.join(thread.name for thread in left)}", pytrace=False)


def _new_threads(before: set[threading.Thread]) -> list[threading.Thread]:
    # A dummy thread is a QThread that once ran Python; before 3.13 it never counts as ended.
    return [
        thread
        for thread in threading.enumerate()
        if thread not in before
        and not isinstance(thread, threading._DummyThread)
        and not thread.name.startswith(THREADS_THAT_STAY)
        and type(thread).__name__ != "TMonitor"  # tqdm's, once torch's exporter or diffusers drew a bar
    ]


def _fail_on_children(before: set[int]) -> None:
    started = [process for process in _processes(_child_ids() - before) if not _stays(process)]
    if not started:
        return
    _, left = psutil.wait_procs(started, timeout=GRACE_S)
    if not left:
        return
    names = [_command(process) for process in left]
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=GRACE_S)
    pytest.fail(f"child processes left running: {'; '.join(names)}", pytrace=False)


def _child_ids() -> set[int]:
    """Process ids of the direct children; from the kernel's own list where there is one, because psutil reads all."""
    lists = list(Path("/proc/self/task").glob("*/children"))
    if not lists:
        return {process.pid for process in psutil.Process().children()}
    found: set[int] = set()
    for path in lists:
        try:
            found.update(int(word) for word in path.read_text().split())
        except OSError:
            continue  # a thread that ended between the two look-ups
    return found


def _processes(ids: set[int]) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for pid in ids:
        try:
            found.append(psutil.Process(pid))
        except psutil.NoSuchProcess:
            continue
    return found


def _command(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())}"
    except psutil.Error:
        return str(process.pid)


def _stays(process: psutil.Process) -> bool:
    return any(word in _command(process) for word in PROCESSES_THAT_STAY)
