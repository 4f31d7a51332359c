"""The settings file: a start never fails because of it, and a save never leaves half of it."""

import threading
from dataclasses import dataclass
from pathlib import Path

import msgspec

from studio.core.settings import Settings, decode_settings, encode_settings
from studio.runtime import atomic

LIMIT_BYTES = 1_000_000
"""A settings file is never longer; a longer one is damaged."""


@dataclass(frozen=True)
class Loaded:
    """Settings and, when the file was damaged, where it was kept (``aside``) and a sentence for the artist."""

    settings: Settings
    problem: str = ""
    aside: Path | None = None


class SettingsStore:
    """Reads and writes ``settings.json``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._newest = 0

    def load(self) -> Loaded:
        """The settings; the defaults when the file is absent or damaged. Never raises.

        A damaged file is kept as ``settings.json.damaged-N``, so that nothing the artist wrote is lost.
        """
        try:
            with self._path.open("rb") as file:
                data = file.read(LIMIT_BYTES + 1)
            if len(data) > LIMIT_BYTES:
                raise ValueError("the file is far too long")
            return Loaded(decode_settings(data))
        except FileNotFoundError:
            return Loaded(Settings())
        except (OSError, ValueError, RecursionError, msgspec.MsgspecError) as error:
            aside = atomic.set_aside(self._path)
            kept = f" It is kept as {aside.name}." if aside else ""
            return Loaded(
                Settings(), f"The settings could not be read ({error}); Reverie starts with fresh ones.{kept}", aside
            )

    def save(self, settings: Settings, *, number: int = 0) -> None:
        """Replace the file; raises `StorageError` when the disk refuses.

        Of saves with a ``number``, an older one that comes late is left out.
        """
        with self._lock:
            if number and number < self._newest:
                return
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise atomic.storage_error(error, self._path, 0) from error
            atomic.write_bytes(self._path, encode_settings(settings))
            self._newest = max(number, self._newest)
