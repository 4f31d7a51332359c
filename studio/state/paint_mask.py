"""The inpainting mask: a grey canvas with brush, eraser, undo and redo. White may change, black stays."""

import numpy as np
from numpy.typing import NDArray

from studio.core.events import Pixels
from studio.state.history import History

Canvas = NDArray[np.uint8]
"""``(H, W) uint8``, 255 where the picture may change."""


class Mask:
    """A mask of a start picture. Strokes are undone as a whole."""

    def __init__(self, width_px: int, height_px: int) -> None:
        self._history: History[Canvas] = History(np.zeros((height_px, width_px), np.uint8))
        self._stroke: Canvas | None = None

    @property
    def canvas(self) -> Canvas:
        """What is painted, the running stroke included; do not change it."""
        return self._history.value if self._stroke is None else self._stroke

    @property
    def empty(self) -> bool:
        """True when nothing may change: the whole picture is then worked on."""
        return not self.canvas.any()

    @property
    def can_undo(self) -> bool:
        """True when a stroke can be taken back."""
        return self._history.can_undo

    def begin(self) -> None:
        """A stroke begins."""
        self._stroke = self._history.value.copy()

    def line(self, start: tuple[float, float], end: tuple[float, float], *, radius_px: float, erase: bool) -> None:
        """Draw a round line in picture coordinates ``(x, y)`` into the running stroke."""
        if self._stroke is None:
            self.begin()
        canvas = self._stroke
        assert canvas is not None
        height, width = canvas.shape
        low_x = max(0, int(min(start[0], end[0]) - radius_px - 1))
        high_x = min(width, int(max(start[0], end[0]) + radius_px + 2))
        low_y = max(0, int(min(start[1], end[1]) - radius_px - 1))
        high_y = min(height, int(max(start[1], end[1]) + radius_px + 2))
        if low_x >= high_x or low_y >= high_y:
            return
        y, x = np.mgrid[low_y:high_y, low_x:high_x] + 0.5
        along_x, along_y = end[0] - start[0], end[1] - start[1]
        length = along_x * along_x + along_y * along_y
        share = np.zeros_like(x) if length == 0 else ((x - start[0]) * along_x + (y - start[1]) * along_y) / length
        share = np.clip(share, 0.0, 1.0)
        near = np.hypot(x - start[0] - share * along_x, y - start[1] - share * along_y) <= max(radius_px, 0.5)
        canvas[low_y:high_y, low_x:high_x][near] = 0 if erase else 255

    def end(self) -> None:
        """The stroke is done: one step of undo."""
        if self._stroke is not None and not np.array_equal(self._stroke, self._history.value):
            self._history.push(self._stroke)
        self._stroke = None

    def clear(self) -> None:
        """Nothing may change; can be undone."""
        if not self.empty:
            self._history.push(np.zeros_like(self._history.value))

    def invert(self) -> None:
        """Swap what may change and what stays."""
        self._history.push(255 - self._history.value)

    def undo(self) -> None:
        """Take back the last stroke."""
        self._history.undo()

    def redo(self) -> None:
        """Bring it again."""
        self._history.redo()

    def pixels(self) -> Pixels:
        """The mask as an opaque grey picture."""
        grey = self.canvas
        return np.dstack([grey, grey, grey, np.full_like(grey, 255)])
