"""How fast models run on this machine: a small file of measured times, which may be deleted at any time."""

import statistics
from pathlib import Path

import msgspec

from studio.core.errors import StorageError
from studio.runtime.atomic import write_bytes

_KEPT = 9


class Speed(msgspec.Struct, frozen=True):
    """Seconds per result of the last runs of one package on one provider, newest last."""

    provider: str
    seconds: tuple[float, ...]

    @property
    def median_s(self) -> float:
        """The typical time of one result."""
        return statistics.median(self.seconds)


class Speeds:
    """Measured times by package hash. Failing to keep one never disturbs a run."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = _load(file)

    def find(self, package_sha256: str) -> Speed | None:
        """What was measured for this very package, or None."""
        return self._known.get(package_sha256)

    def note(self, package_sha256: str, seconds: float, provider: str) -> Speed:
        """Add a measurement; another provider starts anew."""
        old = self._known.get(package_sha256)
        before = old.seconds if old is not None and old.provider == provider else ()
        speed = Speed(provider, (*before, round(seconds, 4))[-_KEPT:])
        self._known[package_sha256] = speed
        return speed

    def save(self) -> None:
        """Write the file."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(self._file, msgspec.json.encode(self._known))
        except (OSError, StorageError):
            return


def _load(file: Path) -> dict[str, Speed]:
    try:
        known = msgspec.json.decode(file.read_bytes(), type=dict[str, Speed])
    except (OSError, msgspec.MsgspecError, ValueError):
        return {}
    return {key: speed for key, speed in known.items() if speed.seconds}
