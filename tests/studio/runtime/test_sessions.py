"""Sessions check what they are given, stop when asked, and fail with a sentence."""

import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from studio.core.cancel import CancelToken
from studio.core.errors import CancelledError, DeviceError, PackageError
from studio.runtime import sessions
from studio.runtime.devices import CPU, DEVICES
from studio.runtime.sessions import DeviceMemoryError, Session, SessionCache, open_session
from tests.engine_kit import PACKAGES

GRAPH = PACKAGES / "tiny-map" / "decode.onnx"
Z = np.array([[0.3, -1.0]], np.float32)


def test_a_graph_runs_and_says_what_it_is():
    session = open_session(GRAPH, threads=1)
    assert session.provider == "CPUExecutionProvider"
    assert session.inputs == {"z": (np.float32, ("batch", 2))}
    assert session.outputs == ("image",)
    assert session.run({"z": Z})["image"].shape == (1, 1, 16, 16)


def test_threads_batches_and_repeats_give_the_same_bytes():
    many = np.linspace(-2, 2, 14, dtype=np.float32).reshape(7, 2)
    rows = [
        open_session(GRAPH, threads=threads, spin=spin).run({"z": many})["image"]
        for threads in (1, 2)
        for spin in (True, False)
    ]
    assert all(np.array_equal(rows[0], other) for other in rows[1:])
    session = open_session(GRAPH, threads=1)
    for batch in (1, 2, 3, 5):
        assert np.array_equal(session.run({"z": many[:batch]})["image"], rows[0][:batch])


@pytest.mark.parametrize(
    ("feeds", "words"),
    [
        ({}, "takes z, but was given"),
        ({"z": Z, "y": Z}, "takes z, but was given z, y"),
        ({"z": Z[:, :1]}, "axes batch x 2, but was given 1 x 1 of float32"),
        ({"z": Z[0]}, "axes batch x 2, but was given 2 of float32"),
        ({"z": Z.astype(np.float64)}, "of float64"),
    ],
)
def test_wrong_feeds_are_refused_before_they_run(feeds, words):
    with pytest.raises(PackageError, match=words):
        open_session(GRAPH, threads=1).run(feeds)


def test_missing_and_damaged_graphs_are_package_errors(tmp_path):
    with pytest.raises(PackageError, match="is gone"):
        open_session(tmp_path / "missing.onnx")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(GRAPH.read_bytes()[:200])
    with pytest.raises(PackageError, match=r"damaged\.onnx cannot be loaded"):
        open_session(damaged)


def test_devices_that_are_not_there_are_device_errors():
    with pytest.raises(DeviceError, match="no device called 'abacus'"):
        open_session(GRAPH, device="abacus")
    with pytest.raises(DeviceError):
        open_session(GRAPH, device="directml")


class Scripted:
    """Stands where ONNX Runtime's session stands."""

    def __init__(self, run):
        self._run = run

    def get_providers(self):
        return ["CPUExecutionProvider"]

    def get_inputs(self):
        return []

    def get_outputs(self):
        return []

    def run(self, names, feeds, options):
        return self._run(options)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(
            "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer of size 9"
        ),
        RuntimeError("std::bad_alloc"),
        RuntimeError("CUDA failure 2: out of memory"),
    ],
)
def test_too_little_memory_suggests_less(error):
    def fail(_options):
        raise error

    with pytest.raises(DeviceMemoryError, match="not enough memory") as caught:
        Session(Scripted(fail), name="g.onnx", device=DEVICES[0]).run({})
    assert "fewer pictures" in caught.value.hint


def test_a_device_that_fails_says_why():
    def fail(_options):
        raise RuntimeError("CUDA error 719: device lost\n at line 3")

    with pytest.raises(
        DeviceError, match=r"NVIDIA GPU \(CUDA\): the model could not be run: CUDA error 719: device lost\."
    ) as c:
        Session(Scripted(fail), name="g.onnx", device=DEVICES[0]).run({})
    assert not isinstance(c.value, DeviceMemoryError)


def test_cancel_ends_a_run_in_its_middle():
    cancel = CancelToken()
    started, stopped = threading.Event(), threading.Event()

    def run(options):
        started.set()
        while not options.terminate:
            stopped.wait(0.001)
        raise RuntimeError("Exiting due to terminate flag being set to true.")

    def press_stop():
        started.wait(10)
        cancel.cancel()

    presser = threading.Thread(target=press_stop)
    presser.start()
    with pytest.raises(CancelledError):
        Session(Scripted(run), name="g.onnx", device=CPU).run({}, cancel=cancel)
    presser.join()


def test_a_real_session_is_fine_after_a_cancel():
    session = open_session(GRAPH, threads=1)
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(CancelledError):
        session.run({"z": Z}, cancel=cancel)
    assert session.run({"z": Z}, cancel=CancelToken())["image"].shape == (1, 1, 16, 16)


def test_tokens_are_let_go_after_each_run():
    session = open_session(GRAPH, threads=1)
    cancel = CancelToken()
    for _ in range(3):
        session.run({"z": Z}, cancel=cancel)
    assert cancel._callbacks == []


def copies(folder, count):
    made = []
    for index in range(count):
        path = folder / f"{index}.onnx"
        shutil.copy(GRAPH, path)
        made.append(path)
    return made


def test_the_cache_keeps_the_last_ones_used(tmp_path):
    opened = []

    def open_one(path, **settings):
        opened.append(path.name)
        return object()

    cache = SessionCache(open_one, limit=2)
    a, b, c = copies(tmp_path, 3)

    def get(path, **changes):
        return cache.get(path, **({"device": "cpu", "threads": 1, "spin": True} | changes))

    first = get(a)
    assert get(a) is first
    get(b)
    get(a)
    get(c)  # drops b, which was not used for longest
    assert get(a) is first
    get(b)
    assert opened == ["0.onnx", "1.onnx", "2.onnx", "1.onnx"]
    assert get(b, threads=2) is not None
    assert len(cache) == 2  # other settings replace the session of a graph
    cache.unload()
    assert len(cache) == 0


def test_the_cache_has_a_budget_and_notices_replaced_files(tmp_path):
    a, b = copies(tmp_path, 2)
    size = a.stat().st_size
    cache = SessionCache(lambda *_a, **_k: object(), limit_bytes=int(size * 1.5))
    settings = {"device": "cpu", "threads": 1, "spin": True}
    first = cache.get(a, **settings)
    cache.get(b, **settings)
    assert len(cache) == 1
    second = cache.get(a, **settings)
    assert second is not first
    os.utime(a, ns=(1, 1))
    assert cache.get(a, **settings) is not second
    a.unlink()
    with pytest.raises(PackageError, match="is gone"):
        cache.get(a, **settings)


def test_onnxruntime_is_not_imported_before_the_first_session():
    code = (
        "import sys, os; os.environ.pop('ORT_DISABLE_TELEMETRY', None);"
        "import studio.runtime.engine as engine;"
        "engine.Engine(lambda _: None);"
        "assert 'onnxruntime' not in sys.modules;"
        "from studio.runtime.sessions import open_session; from pathlib import Path;"
        f"open_session(Path({str(GRAPH)!r}), threads=1);"
        "assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'; assert 'onnxruntime' in sys.modules"
    )
    root = sessions.__file__.partition("studio")[0]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, timeout=60)


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_a_real_shortage_of_memory_is_recognised_and_the_next_run_works():
    code = f"""
import resource, numpy as np
from pathlib import Path
from studio.runtime.sessions import DeviceMemoryError, open_session
session = open_session(Path({str(GRAPH)!r}), threads=1)
session.run({{"z": np.zeros((1, 2), np.float32)}})
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
try:
    session.run({{"z": np.zeros((2_000_000, 2), np.float32)}})
except DeviceMemoryError as error:
    print(error)
print(session.run({{"z": np.zeros((3, 2), np.float32)}})["image"].shape)
"""
    root = sessions.__file__.partition("studio")[0]
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=60, check=False
    )
    said = ended.stdout.splitlines()
    assert said == [
        "Processor: there is not enough memory for this. Make fewer pictures at once, or use a smaller model.",
        "(3, 1, 16, 16)",
    ], ended.stderr
