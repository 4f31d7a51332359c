"""Sessions: one ONNX graph, ready to run on one device.

Graph optimisation is always ``all``, and said so in results, since levels differ in the last bits. On one level the
processor gives the same bytes whatever the threads and the batch. onnxruntime is imported here, at the first session,
so that a window opens without it.

Inputs and outputs are plain arrays: on the processor, bound buffers were not faster (six 64-channel convolutions at
32 px, fastest of 60 interleaved runs: 3.5 against 3.4 ms on one thread, 2.0 against 2.0 ms on two).
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from studio.core.cancel import CancelToken
from studio.core.errors import CancelledError, DeviceError, PackageError
from studio.core.quiet import silence
from studio.runtime.devices import CPU, DEVICES, Device

OPTIMISATION = "all"
Tensor = NDArray[Any]
_DTYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(bool)": np.bool_}
_MEMORY_WORDS = (
    "failed to allocate", "bad allocation", "bad_alloc",
    "out of memory", "not enough memory", "bfcarena", "alloc_failed",
)  # fmt: skip


class DeviceMemoryError(DeviceError):
    """The device has too little memory for this run; a smaller one may fit."""


class Runner(Protocol):
    """What pipelines need of a session."""

    def run(self, feeds: Mapping[str, Tensor], *, cancel: CancelToken | None = None) -> dict[str, Tensor]:
        """Outputs by name."""
        ...


class Session:
    """One graph on one device. Made by `open_session`.

    Attributes:
        provider: the live provider that does the work.
        device: the device it belongs to.
        inputs: name to ``(dtype, axes)``; a dynamic axis is a string.
        outputs: names in order.
    """

    def __init__(self, session: Any, *, name: str, device: Device) -> None:
        self._session = session
        self._name = name
        self.device = device
        self.provider: str = session.get_providers()[0]
        self.inputs: dict[str, tuple[Any, tuple[int | str, ...]]] = {
            value.name: (_DTYPES.get(value.type), tuple(value.shape)) for value in session.get_inputs()
        }
        self.outputs: tuple[str, ...] = tuple(value.name for value in session.get_outputs())

    def run(self, feeds: Mapping[str, Tensor], *, cancel: CancelToken | None = None) -> dict[str, Tensor]:
        """Run the graph once.

        Args:
            feeds: every input by name, in the graph's dtype.
            cancel: stops the run in its middle.

        Raises:
            CancelledError: ``cancel`` was set.
            DeviceMemoryError: too little memory.
            DeviceError: the device failed.
            PackageError: an input is missing, unknown or of another shape: graph and manifest disagree.
        """
        import onnxruntime

        self._check(feeds)
        options: Any = onnxruntime.RunOptions()

        def terminate() -> None:
            options.terminate = True

        forget = cancel.on_cancel(terminate) if cancel is not None else None
        try:
            values = self._session.run(list(self.outputs), dict(feeds), options)
        except Exception as error:
            if cancel is not None and cancel.cancelled:
                raise CancelledError from None
            raise _run_error(error, self.device) from error
        finally:
            if forget is not None:
                forget()
        return dict(zip(self.outputs, values, strict=True))

    def _check(self, feeds: Mapping[str, Tensor]) -> None:
        if feeds.keys() != self.inputs.keys():
            raise PackageError(
                f"The graph {self._name} takes {', '.join(self.inputs)}, but was given {', '.join(feeds)}.",
                "The package does not fit its pipeline; ask for a fresh copy.",
            )
        for name, value in feeds.items():
            dtype, axes = self.inputs[name]
            fits = len(axes) == value.ndim and all(
                not isinstance(axis, int) or axis == size for axis, size in zip(axes, value.shape, strict=True)
            )
            if not fits or value.dtype != dtype:
                raise PackageError(
                    f"The input {name!r} of the graph {self._name} has axes {_words(axes)}, "
                    f"but was given {_words(value.shape)} of {value.dtype}.",
                    "The package does not fit its manifest; ask for a fresh copy.",
                )


def open_session(path: Path, *, device: str = "cpu", threads: int = 0, spin: bool = True) -> Session:
    """Load a graph.

    Args:
        path: the ``.onnx`` file.
        device: id of `studio.runtime.devices`; ``auto`` is decided there, not here.
        threads: threads of the processor; 0 takes one per physical core, measured fastest on a free machine.
        spin: idle threads wait busily: fastest alone, slower and jerkier when training runs beside it.

    Raises:
        PackageError: the file is missing or no graph that this runtime can load.
        DeviceMemoryError: too little memory.
        DeviceError: the device cannot be used.
    """
    silence()
    import onnxruntime

    chosen = next((known for known in DEVICES if known.id == device), None)
    if chosen is None:
        raise DeviceError(f"There is no device called {device!r}.", "Choose another one in the settings.")
    onnxruntime.set_default_logger_severity(4)  # what fails comes as an exception
    try:
        if chosen.id == "cuda":
            with redirect_stdout(StringIO()):  # it prints what it misses, which would break `--json`
                onnxruntime.preload_dlls()
        session = onnxruntime.InferenceSession(
            str(path), _session_options(onnxruntime, threads=threads, spin=spin), providers=_providers(chosen)
        )
    except Exception as error:
        if not path.is_file():
            raise PackageError(f"The file {path.name} of the model is gone.", "Import the model again.") from error
        if _is_memory(error) or chosen != CPU:
            raise _run_error(error, chosen) from error
        raise PackageError(
            f"The graph {path.name} cannot be loaded: {_first_line(error)}", "Ask for a fresh copy of the package."
        ) from error
    if session.get_providers()[0] != chosen.provider:
        raise DeviceError(f"{chosen.name} could not be started.", "Choose the processor in the settings.")
    return Session(session, name=path.name, device=chosen)


class SessionCache:
    """Keeps the sessions used last, so that the next picture starts at once.

    Args:
        open_one: how to load a graph; `open_session`.
        limit: sessions kept.
        limit_bytes: size of all their graph files together; the newest is kept whatever its size.
    """

    def __init__(
        self, open_one: Callable[..., Session] = open_session, *, limit: int = 8, limit_bytes: int = 2 * 2**30
    ) -> None:
        self._open = open_one
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[tuple[Any, ...], tuple[Session, int]] = OrderedDict()

    def get(self, path: Path, *, device: str, threads: int, spin: bool) -> Session:
        """The session for a graph, loaded when it is not kept; raises what `open_session` raises."""
        try:
            stat = path.stat()
        except OSError as error:
            raise PackageError(f"The file {path.name} of the model is gone.", "Import the model again.") from error
        key = (path, stat.st_size, stat.st_mtime_ns, device, threads, spin)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key][0]
        size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))  # external data counts
        for other in [other for other in self._kept if other[0] == path]:
            del self._kept[other]  # a replaced file or other settings: never used again
        self._make_room(size)
        session = self._open(path, device=device, threads=threads, spin=spin)
        self._kept[key] = (session, size)
        return session

    def unload(self) -> None:
        """Let go of every session and its memory."""
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

    def _make_room(self, size: int) -> None:
        while self._kept and (
            len(self._kept) >= self._limit or sum(kept for _, kept in self._kept.values()) + size > self._limit_bytes
        ):
            self._kept.popitem(last=False)


def _session_options(onnxruntime: Any, *, threads: int, spin: bool) -> Any:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # errors come as exceptions; warnings are for whoever made the graph
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spin else "0")
    return options


def _providers(device: Device) -> list[Any]:
    if device == CPU:
        return [CPU.provider]
    if device.id == "cuda":
        # Without TF32 a GPU keeps float32's 24 bits, which the parity checks promise.
        settings = {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}
        return [(device.provider, settings), CPU.provider]
    return [device.provider, CPU.provider]


def _run_error(error: Exception, device: Device) -> DeviceError:
    if _is_memory(error):
        return DeviceMemoryError(
            f"{device.name}: there is not enough memory for this.",
            "Make fewer pictures at once, or use a smaller model.",
        )
    return DeviceError(
        f"{device.name}: the model could not be run: {_first_line(error)}", "Choose another device in the settings."
    )


def _is_memory(error: Exception) -> bool:
    said = str(error).lower()
    return isinstance(error, MemoryError) or any(words in said for words in _MEMORY_WORDS)


def _first_line(error: Exception) -> str:
    said = str(error).strip().splitlines()
    return f"{(said[0] if said else type(error).__name__)[:300].rstrip('.')}."


def _words(axes: tuple[int | str, ...]) -> str:
    return " x ".join(str(axis) for axis in axes) or "none"
