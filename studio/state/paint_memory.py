"""Presets and saved points of the open model: kept on disk, every removal undone with one click."""

from collections.abc import Callable
from functools import partial

import msgspec
from PySide6.QtCore import QObject, Signal

from studio.core.memory import ModelMemory, Preset, SavedPoint
from studio.runtime.memory_store import MemoryStore
from studio.state.notices import Notice, Notices
from studio.workers.background import Background


class PaintMemory(QObject):
    """What is kept for one model at a time.

    Signals:
        changed(): presets or points are different.
    """

    changed = Signal()

    def __init__(
        self, store: MemoryStore, *, background: Background, notices: Notices, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._background = background
        self._notices = notices
        self._package_id = ""
        self._memory = ModelMemory()
        self._loaded = False
        self._saving = False
        self._waiting: dict[str, ModelMemory] = {}

    @property
    def presets(self) -> tuple[Preset, ...]:
        """Presets in the order they were made."""
        return self._memory.presets

    @property
    def points(self) -> tuple[SavedPoint, ...]:
        """Saved points in the order of travel."""
        return self._memory.points

    def open(self, package_id: str) -> None:
        """Show what is kept for another model; it arrives a moment later."""
        self._package_id = package_id
        self._memory, self._loaded = self._waiting.get(package_id, ModelMemory()), package_id in self._waiting
        self.changed.emit()
        if package_id and package_id not in self._waiting:
            self._background.run(partial(self._store.load, package_id), partial(self._on_store_loaded, package_id))

    def save_preset(self, preset: Preset) -> None:
        """Keep a preset; one of the same name is replaced."""
        others = tuple(kept for kept in self.presets if kept.name != preset.name)
        self._change(presets=(*others, preset))

    def remove_preset(self, name: str) -> None:
        """Remove a preset, with an offer to undo."""
        before = self.presets
        self._change(presets=tuple(kept for kept in before if kept.name != name))
        self._offer_undo(f"The preset {name} was removed.", partial(self._put_presets, self._package_id, before))

    def add_point(self, point: SavedPoint) -> None:
        """Keep a place at the end of the line."""
        self._change(points=(*self.points, point))

    def rename_point(self, index: int, name: str) -> None:
        """Give a place another name; an empty one is ignored."""
        if name.strip():
            self._replace(index, msgspec.structs.replace(self.points[index], name=name.strip()))

    def remove_point(self, index: int) -> None:
        """Remove a place, with an offer to undo."""
        before = self.points
        self._change(points=before[:index] + before[index + 1 :])
        self._offer_undo(f"{before[index].name} was removed.", partial(self._put_points, self._package_id, before))

    def move_point(self, index: int, to: int) -> None:
        """Move a place along the line; moving past an end stops there."""
        to = min(max(to, 0), len(self.points) - 1)
        if to != index:
            rest = list(self.points)
            rest.insert(to, rest.pop(index))
            self._change(points=tuple(rest))

    def _replace(self, index: int, point: SavedPoint) -> None:
        self._change(points=(*self.points[:index], point, *self.points[index + 1 :]))

    def _change(
        self, *, presets: tuple[Preset, ...] | None = None, points: tuple[SavedPoint, ...] | None = None
    ) -> None:
        old = self._memory
        self._memory = ModelMemory(
            presets=old.presets if presets is None else presets, points=old.points if points is None else points
        )
        self._waiting[self._package_id] = self._memory
        self.changed.emit()
        if self._loaded:
            self._save()

    def _save(self) -> None:
        # One save at a time, the newest value of each model.
        if self._saving or not self._waiting:
            return
        package_id, memory = next(iter(self._waiting.items()))
        self._saving = True
        self._background.run(
            partial(self._store.save, package_id, memory),
            partial(self._on_store_saved, package_id, memory),
            partial(self._on_save_failed, package_id),
        )

    def _offer_undo(self, text: str, put_back: Callable[[], None]) -> None:
        self._notices.post(Notice(text, level="info", action="Undo", run=put_back))

    def _put_points(self, package_id: str, points: tuple[SavedPoint, ...]) -> None:
        if package_id == self._package_id:
            self._change(points=points)

    def _put_presets(self, package_id: str, presets: tuple[Preset, ...]) -> None:
        if package_id == self._package_id:
            self._change(presets=presets)

    def _on_store_loaded(self, package_id: str, memory: ModelMemory) -> None:
        if package_id != self._package_id:
            return
        made_meanwhile = self._memory
        self._memory = ModelMemory(
            presets=memory.presets + made_meanwhile.presets, points=memory.points + made_meanwhile.points
        )
        self._loaded = True
        if made_meanwhile != ModelMemory():
            self._waiting[package_id] = self._memory
            self._save()
        self.changed.emit()

    def _on_store_saved(self, package_id: str, memory: ModelMemory, _: object) -> None:
        self._saving = False
        if self._waiting.get(package_id) is memory:
            del self._waiting[package_id]
        self._save()

    def _on_save_failed(self, package_id: str, error: Exception) -> None:
        self._saving = False
        self._waiting.pop(package_id, None)
        self._notices.post(Notice(str(error), "Presets and points hold until you close Reverie.", "error"))
