"""What is known of foreign packages that were tried out in a disposable child process.

`studio.runtime.disposable_child` is what runs in that child, `studio.workers.disposable` starts it.
"""

from importlib import metadata
from pathlib import Path

import msgspec

from studio.core.errors import StorageError
from studio.core.package import Package
from studio.runtime.atomic import write_bytes


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the child says on its last line of output.

    Attributes:
        ok: every graph was loaded and run once.
        message, hint: why not.
        graphs: role to milliseconds of its single run.
        network: how the child was kept off the network: ``namespace`` (no route exists) or ``refused`` (in Python).
        sockets: how many times something asked for a socket and was refused.
        sample_seconds: how long one picture took; negative when none was asked for.
        pixels_sha256: hash of that picture.
        provider: what ran it.
    """

    ok: bool
    message: str = ""
    hint: str = ""
    graphs: dict[str, float] = {}
    network: str = ""
    sockets: int = 0
    sample_seconds: float = -1.0
    pixels_sha256: str = ""
    provider: str = ""


class _Verdict(msgspec.Struct, frozen=True):
    package_sha256: str
    runtime: str
    ok: bool
    message: str
    hint: str


class Verdicts:
    """Verdicts by package hash and version of ONNX Runtime, in a folder that may be deleted at any time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, package: Package) -> Report | None:
        """What was found out about this very package before, or None."""
        try:
            verdict = msgspec.json.decode(self._file(package).read_bytes(), type=_Verdict)
        except (OSError, msgspec.MsgspecError, ValueError):
            return None
        if verdict.package_sha256 != package.sha256 or verdict.runtime != runtime_version():
            return None
        return Report(verdict.ok, verdict.message, verdict.hint)

    def remember(self, package: Package, report: Report) -> None:
        """Keep a verdict. A cache that cannot be written only costs the next start a second."""
        verdict = _Verdict(package.sha256, runtime_version(), report.ok, report.message, report.hint)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_bytes(self._file(package), msgspec.json.encode(verdict))
        except (OSError, StorageError):
            return

    def _file(self, package: Package) -> Path:
        return self._folder / f"{package.sha256}.json"


def runtime_version() -> str:
    """Installed version of ONNX Runtime, found without importing it."""
    for name in ("onnxruntime-gpu", "onnxruntime", "onnxruntime-directml"):
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return "none"
