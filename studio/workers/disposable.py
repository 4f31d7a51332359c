"""Starts the disposable child that tries out a foreign package. A crash or a hang there is only a verdict here."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from studio.core.errors import PackageError
from studio.core.package import Package
from studio.core.quiet import QUIET_ENVIRONMENT
from studio.runtime.disposable import Report, Verdicts
from studio.runtime.packages import package_bytes

_BYTES_A_SECOND = 50_000_000  # a slow disk that has to be read twice
_ROOT = Path(__file__).resolve().parents[2]


class DisposableCheck:
    """A `studio.runtime.catalogue.Verify`: remembers verdicts by package hash.

    Args:
        verdicts: where they are kept.
        timeout_s: how long a small package may take; large ones get the time to be read as well.
    """

    def __init__(self, verdicts: Verdicts, *, timeout_s: float = 10.0) -> None:
        self._verdicts = verdicts
        self._timeout_s = timeout_s

    def __call__(self, package: Package) -> None:
        """Try out ``package`` unless its verdict is known.

        Raises:
            PackageError: it crashed, hung, failed or was refused.
        """
        report = self._verdicts.find(package)
        if report is None:
            report = try_out(package, timeout_s=self._timeout_s)
            self._verdicts.remember(package, report)
        if not report.ok:
            raise PackageError(report.message, report.hint)


def try_out(package: Package, *, sample: bool = False, timeout_s: float = 10.0) -> Report:
    """Load and run ``package`` once in a child without network; with ``sample``, make one picture too.

    Raises:
        PackageError: the child gave no answer in time. Not a verdict to remember, the machine may just be busy.
    """
    patience_s = timeout_s + package_bytes(package.manifest) / _BYTES_A_SECOND
    command = [sys.executable, "-m", "studio.runtime.disposable_child", str(package.folder.absolute())]
    if sample:
        command.append("--sample")
    if package.bundled:  # installers may share its files by hard links
        command.append("--bundled")
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH", ""))))
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=patience_s,
            env={**os.environ, **QUIET_ENVIRONMENT, "PYTHONPATH": path},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PackageError(
            f"The model {package.manifest.name!r} did not answer within {patience_s:.0f} s when it was tried out.",
            "Try again when the machine is less busy; if it happens again, do not use this model.",
        ) from error
    except OSError as error:
        raise PackageError(f"No process could be started to try out the model: {error.strerror}.") from error
    return _report(package, done.returncode, done.stdout)


def _report(package: Package, code: int, output: bytes) -> Report:
    lines = output.splitlines()
    if code in (0, 1) and lines:
        try:
            return msgspec.json.decode(lines[-1], type=Report)
        except (msgspec.MsgspecError, ValueError):
            pass
    return Report(
        False,
        f"The model {package.manifest.name!r} crashed ONNX Runtime when it was tried out ({_ending(code)}).",
        "It was not let in. Ask for a fresh copy of the package.",
    )


def _ending(code: int) -> str:
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code}"
