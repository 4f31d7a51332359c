"""The disposable child: loads a foreign package and runs it once, in a process that may crash without harm.

``python -m studio.runtime.disposable_child FOLDER [--sample] [--bundled]`` prints a `Report` as JSON on its last line.
"""

import ctypes
import hashlib
import math
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from studio.core.cancel import CancelToken
from studio.core.errors import PackageError, StudioError
from studio.core.events import Done, PictureMade
from studio.core.package import Package
from studio.core.quiet import silence
from studio.core.requests import ImageRequest
from studio.runtime.disposable import Report
from studio.runtime.packages import open_package, package_bytes

_GIB = 2**30
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_MAX_ELEMENTS = 2**26
_CPU_SECONDS = 120
_DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}


class _Network:
    """Keeps this process off the network and counts who tried."""

    def __init__(self) -> None:
        self.tried = 0
        self.how = "refused"

    def close(self) -> None:
        """Leave the network for good: by a namespace without one where the system allows, and by refusing sockets."""
        if sys.platform == "linux":
            unshare = ctypes.CDLL(None, use_errno=True).unshare
            if unshare(_CLONE_NEWNET) == 0 or unshare(_CLONE_NEWUSER | _CLONE_NEWNET) == 0:
                self.how = "namespace"
        sys.addaudithook(self._on_event)

    def _on_event(self, event: str, _args: tuple[Any, ...]) -> None:
        if event.startswith("socket."):
            self.tried += 1
            raise PermissionError("the network is closed here")


def main(arguments: list[str] | None = None) -> int:
    """Try out one package; 0 when it may be used."""
    silence()
    given = sys.argv[1:] if arguments is None else arguments
    folder, sample = Path(given[0]), "--sample" in given[1:]
    network = _Network()
    network.close()
    try:
        package = open_package(folder, bundled="--bundled" in given[1:])
        _limit(package_bytes(package.manifest))
        report = Report(True, graphs=run_graphs(package))
        if sample:
            report = _sampled(package, report)
    except StudioError as error:
        report = Report(False, error.message, error.hint)
    except MemoryError:
        report = Report(False, "The model needs more memory than it may have here.", "Use a smaller model.")
    report = msgspec.structs.replace(report, network=network.how, sockets=network.tried)
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    sys.stdout.flush()
    return 0 if report.ok else 1


def run_graphs(package: Package) -> dict[str, float]:
    """Load every graph on the CPU and run it once on a batch of one; milliseconds by role.

    Raises:
        PackageError: a graph cannot be loaded, cannot run, or gives other outputs than its manifest says.
    """
    import onnxruntime

    times: dict[str, float] = {}
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    for role in package.manifest.graphs:
        path = package.graph_path(role)
        # The runtime raises classes of its own below Exception; each only says that this graph does not work.
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            feeds = {given.name: _example(given.shape, given.type) for given in session.get_inputs()}
            begin = time.perf_counter()
            outputs = session.run(None, feeds)
        except StudioError:
            raise
        except Exception as error:
            words = str(error).splitlines() or [type(error).__name__]
            reason = words[0].rpartition("failed:")[2].strip()[:200]  # before it stand error codes and our own path
            raise PackageError(
                f"The graph {path.name} does not run: {reason}", "Ask for a fresh copy of the package."
            ) from error
        times[role] = round((time.perf_counter() - begin) * 1000, 3)
        if any(not np.isfinite(np.asarray(output, np.float32)).all() for output in outputs):
            raise PackageError(f"The graph {path.name} gives numbers that are not finite.", "Ask for a fresh copy.")
    return times


def _example(shape: list[int | str | None], kind: str) -> np.ndarray[Any, Any]:
    """A small input: dynamic axes 1, numbers 0.5 (a noise level and a class weight alike may be that)."""
    dtype = _DTYPES.get(kind)
    sizes = [size if isinstance(size, int) and size > 0 else 1 for size in shape]
    if dtype is None or math.prod(sizes) > _MAX_ELEMENTS:
        raise PackageError(f"A graph wants an input of {sizes} {kind}, which no pipeline gives.", "Export it again.")
    return np.full(sizes, 0.5 if dtype is np.float32 else 0, dtype)


def _sampled(package: Package, report: Report) -> Report:
    from studio.runtime.engine import Engine

    trusted = replace(package, trusted=True)
    names = {control.name for control in package.manifest.controls}
    request = ImageRequest(package.manifest.id, seed=1, controls={"steps": 2} if "steps" in names else {})
    engine = Engine(lambda _id: trusted, device="cpu")
    begin = time.perf_counter()
    for event in engine.run(request, CancelToken()):
        if isinstance(event, PictureMade):
            digest = hashlib.sha256(event.pixels.tobytes()).hexdigest()
            report = msgspec.structs.replace(report, pixels_sha256=digest)
        elif isinstance(event, Done):
            report = msgspec.structs.replace(report, provider=event.facts.provider)
    if not report.pixels_sha256:
        raise PackageError(f"The model {package.manifest.name!r} made no picture.", "Ask for a fresh copy.")
    return msgspec.structs.replace(report, sample_seconds=round(time.perf_counter() - begin, 3))


def _limit(size: int) -> None:
    """Bound memory, CPU time and files; a hostile graph then fails here instead of filling the machine."""
    if os.name == "nt":
        return
    import resource

    memory = 8 * _GIB + 4 * size
    wanted = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: _CPU_SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


if __name__ == "__main__":
    sys.exit(main())
