"""Which devices are real: built in, with a driver, and right on a small graph in a child process.

ONNX Runtime lists CUDA on machines without a GPU, and a broken driver can take the process along. So a GPU counts
only after a three-node graph gave the right numbers in a child; the verdict is kept until driver or runtime change.
When the wanted device is not real, the processor takes over and the reason is a sentence.

``python -m studio.runtime.devices PROVIDER`` is that child.
"""

import base64
import ctypes
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from studio.core.errors import StorageError
from studio.core.quiet import silence
from studio.runtime.atomic import write_bytes
from studio.runtime.disposable import runtime_version

SMOKE_TIMEOUT_S = 20.0
CPU_PROVIDER = "CPUExecutionProvider"

# Convolution (cuDNN), Relu and MatMul (cuBLAS) on a 4 x 4 picture: small whole numbers, so any device must be exact.
SMOKE_GRAPH = base64.b64decode(
    "CAo68gEKIgoBeAoBaxIBYyIEQ29udioRCgRwYWRzQAFAAUABQAGgAQcKDAoBYxIBciIEUmVsdQoRCgFyCgFtEgF5IgZNYXRNdWwSBXNtb2tl"
    "KjMIAQgBCAMIAxABQgFrSiQAAIA/AACAPwAAgD8AAIA/AACAPwAAgD8AAIA/AACAPwAAgD8qKwgECAIQAUIBbUogAAAAAAAAgD8AAABAAABA"
    "QAAAgEAAAKBAAADAQAAA4EBaIAoBeBIbChkIARIVCgcSBWJhdGNoCgIIAQoCCAQKAggEYiAKAXkSGwoZCAESFQoHEgViYXRjaAoCCAEKAggE"
    "CgIIAkIECgAQFA=="
)
SMOKE_INPUT = np.arange(-4, 12, dtype=np.float32).reshape(1, 1, 4, 4)
SMOKE_OUTPUT = np.array([12, 14, 180, 225, 540, 705, 480, 630], np.float32).reshape(1, 1, 4, 2)


@dataclass(frozen=True)
class Device:
    """Something that can run a graph.

    Attributes:
        id: word of the settings, such as ``cuda``.
        name: for people.
        provider: ONNX Runtime's name.
        automatic: ``auto`` may choose it; the others only run when asked for by name.
    """

    id: str
    name: str
    provider: str
    automatic: bool = False


CPU = Device("cpu", "Processor", CPU_PROVIDER)
# In order of preference. CoreML and OpenVINO round differently, so they are never chosen silently.
DEVICES = (
    Device("cuda", "NVIDIA GPU (CUDA)", "CUDAExecutionProvider", automatic=True),
    Device("directml", "GPU (DirectML)", "DmlExecutionProvider", automatic=True),
    Device("coreml", "Apple GPU and Neural Engine (CoreML)", "CoreMLExecutionProvider"),
    Device("openvino", "Intel GPU and processor (OpenVINO)", "OpenVINOExecutionProvider"),
    CPU,
)


@dataclass(frozen=True)
class Choice:
    """The device to use, and why it is not the wanted one (empty when it is)."""

    device: Device
    reason: str = ""


class Runtime(Protocol):
    """What must be known of the installed runtime; tests script it."""

    def providers(self) -> Sequence[str]:
        """Providers that were built in."""
        ...

    def driver(self, provider: str) -> str:
        """Version of the driver, or empty when there is none."""
        ...

    def smoke(self, provider: str) -> str:
        """Run the smoke graph in a child: empty when right, else what went wrong."""
        ...


class InstalledRuntime:
    """The ONNX Runtime of this Python."""

    def providers(self) -> Sequence[str]:
        """Providers that were built in."""
        silence()
        import onnxruntime

        return onnxruntime.get_available_providers()

    def driver(self, provider: str) -> str:
        """Version of the driver, or empty when there is none."""
        return _cuda_driver() if provider == "CUDAExecutionProvider" else platform.version()

    def smoke(self, provider: str) -> str:
        """Run the smoke graph in a child: empty when right, else what went wrong."""
        return run_smoke([sys.executable, "-m", "studio.runtime.devices", provider])


class _Verdict(msgspec.Struct, frozen=True):
    provider: str
    runtime: str
    driver: str
    problem: str


class Devices:
    """Answers which device to use. Asks the runtime once per device, and not again while driver and runtime stay.

    Args:
        runtime: what is installed.
        verdicts_file: keeps verdicts between starts; None keeps them for this object's life.
    """

    def __init__(self, runtime: Runtime | None = None, *, verdicts_file: Path | None = None) -> None:
        self._runtime = InstalledRuntime() if runtime is None else runtime
        self._file = verdicts_file
        self._version = runtime_version()
        self._failed: dict[str, str] = {}
        self._verdicts = {verdict.provider: verdict for verdict in self._read()}

    def installed(self) -> tuple[Device, ...]:
        """Devices whose provider is built in, best first; the processor is always last."""
        built = set(self._runtime.providers()) | {CPU_PROVIDER}
        return tuple(device for device in DEVICES if device.provider in built)

    def problem(self, device: Device) -> str:
        """Why ``device`` cannot be used, as a sentence; empty when it can."""
        if device == CPU:
            return ""
        if device.id in self._failed:
            return self._failed[device.id]
        if device not in self.installed():
            return f"{device.name} is not part of this installation of ONNX Runtime."
        driver = self._runtime.driver(device.provider)
        if not driver:
            return f"{device.name} cannot be used: no driver for it was found."
        verdict = self._verdicts.get(device.provider)
        if verdict is None or (verdict.runtime, verdict.driver) != (self._version, driver):
            verdict = _Verdict(device.provider, self._version, driver, self._runtime.smoke(device.provider))
            self._verdicts[device.provider] = verdict
            self._write()
        return f"{device.name} cannot be used: {verdict.problem}" if verdict.problem else ""

    def fail(self, device: Device, reason: str) -> None:
        """Do not choose ``device`` again while this object lives: it failed in real work."""
        self._failed[device.id] = reason

    def choose(self, wanted: str) -> Choice:
        """The device for ``wanted``: a device id or ``auto``. Falls back to the processor with the reason."""
        if wanted == "auto":
            return self._automatic()
        named = next((device for device in DEVICES if device.id == wanted), None)
        if named is None:
            return Choice(CPU, f"There is no device called {wanted!r}; the processor is used instead.")
        problem = self.problem(named)
        return Choice(CPU, f"{problem} The processor is used instead.") if problem else Choice(named)

    def _automatic(self) -> Choice:
        reasons: list[str] = []
        for device in self.installed():
            if not device.automatic or not self._runtime.driver(device.provider):
                continue  # a machine without a GPU lacks nothing
            problem = self.problem(device)
            if not problem:
                return Choice(device)
            reasons.append(f"{problem} The processor is used instead.")
        return Choice(CPU, reasons[0] if reasons else "")

    def _read(self) -> list[_Verdict]:
        if self._file is None:
            return []
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=list[_Verdict])
        except (OSError, msgspec.MsgspecError, ValueError):
            return []

    def _write(self) -> None:
        if self._file is None:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(self._file, msgspec.json.encode(list(self._verdicts.values())))
        except (OSError, StorageError):
            return  # a cache that cannot be written only costs the next start a second


def run_smoke(command: list[str], *, timeout_s: float = SMOKE_TIMEOUT_S) -> str:
    """Run the child ``command``: empty when it ended well, else what went wrong as a sentence."""
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=timeout_s, check=False,
            stdin=subprocess.DEVNULL, env=environment, creationflags=flags,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"its test did not end within {timeout_s:g} seconds."
    except OSError as error:
        return f"its test could not be started ({error})."
    if ended.returncode == 0:
        return ""
    said = [line for line in ended.stdout.splitlines() if line.strip()]
    return said[-1] if said else f"its test crashed (exit code {ended.returncode})."


def main(arguments: list[str]) -> int:
    """Run the smoke graph on the provider named first; says what went wrong in one sentence and returns 1."""
    silence()
    problem = _smoke_problem(arguments[0])
    sys.stdout.write(f"{problem}\n")
    return 1 if problem else 0


def _smoke_problem(provider: str) -> str:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        if provider == "CUDAExecutionProvider":
            onnxruntime.preload_dlls()
        session = onnxruntime.InferenceSession(SMOKE_GRAPH, options, providers=[provider, CPU_PROVIDER])
        if session.get_providers()[0] != provider:
            return "its libraries could not be loaded."
        (made,) = session.run(None, {"x": SMOKE_INPUT})
    except Exception as error:  # noqa: BLE001  # whatever it is, the parent needs it as a sentence
        return f"its test failed ({str(error).splitlines()[0][:200]})."
    return "" if np.allclose(np.asarray(made), SMOKE_OUTPUT, rtol=1e-3) else "it calculates wrongly."


def _cuda_driver() -> str:
    """Version that the CUDA driver reports, or empty. Loads the driver's library, which starts nothing."""
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        version_of: Callable[..., int] = ctypes.CDLL(name).cuDriverGetVersion
        number = ctypes.c_int()
        if version_of(ctypes.byref(number)) != 0 or number.value == 0:
            return ""
    except (OSError, AttributeError):
        return ""
    kernel = Path("/proc/driver/nvidia/version")
    return f"{number.value} {kernel.read_text().splitlines()[0] if kernel.is_file() else ''}".strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
