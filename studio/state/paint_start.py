"""The picture that a generation starts from, and the mask painted on it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.core.events import Pixels
from studio.core.manifest import Size
from studio.state.notices import Notices
from studio.state.paint_mask import Mask
from studio.state.paint_results import Inputs
from studio.workers.background import Background


class PaintStart(QObject):
    """Start picture and mask of the open model.

    Signals:
        changed(str): another start picture (its file), or none (empty).
        mask_changed(): a stroke was made or taken back.
    """

    changed = Signal(str)
    mask_changed = Signal()

    def __init__(
        self, inputs: Inputs, *, background: Background, notices: Notices, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._inputs = inputs
        self._background = background
        self._notices = notices
        self._size: Size | None = None
        self._wanted = 0
        self.path = ""
        self.name = ""
        self.pixels: Pixels | None = None
        self.mask: Mask | None = None

    def set_size(self, size: Size | None) -> None:
        """The open model's picture size; a start picture of another size goes."""
        if size != self._size:
            self._size = size
            self.clear()

    def take(self, source: Path | bytes | Pixels) -> None:
        """Start from a file, encoded bytes or pixels; told through `changed` when it is ready."""
        size = self._size
        if size is None:
            return
        self._wanted += 1
        self._background.run(
            partial(_prepare, source, size, self._inputs),
            partial(self._on_prepared, self._wanted),
            self._notices.post_error,
        )

    def clear(self) -> None:
        """Start from noise again."""
        self._wanted += 1
        had = bool(self.path)
        self.path, self.name, self.pixels, self.mask = "", "", None, None
        if had:
            self.changed.emit("")
            self.mask_changed.emit()

    def edit_mask(self, edit: Callable[[Mask], None]) -> None:
        """Change the mask and tell."""
        if self.mask is not None:
            edit(self.mask)
            self.mask_changed.emit()

    def keep_mask(self, done: Callable[[str], None]) -> None:
        """Call ``done`` with the mask's file, or with "" at once when nothing is painted."""
        if self.mask is None or self.mask.empty:
            done("")
            return
        pixels = self.mask.pixels()
        self._background.run(lambda: self._inputs.put(pixels), done, self._notices.post_error)

    def _on_prepared(self, wanted: int, ready: Any) -> None:
        if wanted != self._wanted:
            return
        self.path, self.name, self.pixels = ready.path, ready.name, ready.pixels
        self.mask = Mask(ready.pixels.shape[1], ready.pixels.shape[0])
        self.changed.emit(self.path)
        self.mask_changed.emit()


def _prepare(source: Path | bytes | Pixels, size: Size, inputs: Inputs) -> Any:
    # Pillow is heavy for a first window: it is loaded with the first picture.
    from studio.runtime.start_picture import prepare

    return prepare(source, size, inputs)  # pyright: ignore[reportArgumentType]
