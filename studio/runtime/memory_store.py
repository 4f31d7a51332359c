"""Presets and saved points on disk: one JSON file per model."""

from pathlib import Path

import msgspec

from studio.core.memory import ModelMemory
from studio.runtime import atomic


class MemoryStore:
    """Reads and writes ``<folder>/<package id>.json``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, package_id: str) -> ModelMemory:
        """What is kept for the model; empty when nothing is. A damaged file is put aside, never overwritten."""
        path = self._path(package_id)
        try:
            return msgspec.json.decode(path.read_bytes(), type=ModelMemory)
        except FileNotFoundError:
            return ModelMemory()
        except (OSError, ValueError, RecursionError, msgspec.MsgspecError):
            atomic.set_aside(path)
            return ModelMemory()

    def save(self, package_id: str, memory: ModelMemory) -> None:
        """Replace the file; raises `StorageError` when the disk refuses."""
        path = self._path(package_id)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise atomic.storage_error(error, path, 0) from error
        atomic.write_bytes(path, msgspec.json.format(msgspec.json.encode(memory), indent=1))

    def _path(self, package_id: str) -> Path:
        return self._folder / f"{package_id}.json"
