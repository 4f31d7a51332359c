"""Small pictures for the wizard: wrapped thumbnails, and sample sheets that stay sharp."""

from collections.abc import Sequence

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.core.events import Pixels
from studio.ui import theme
from studio.ui.picture import checkerboard, scaled_for, to_image

GAP_PX = 4


class Thumbs(QWidget):
    """Pictures in rows that wrap at the widget's width; with ``pairs`` an arrow leads from each one to its twin."""

    def __init__(self, side_px: int, *, pairs: bool = False) -> None:
        super().__init__()
        self._side = theme.px(side_px)
        self._pairs = pairs
        self._images: list[QImage] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_pictures(self, pictures: Sequence[Pixels], *, name: str) -> None:
        """Show ``pictures``; ``name`` is what a screen reader says."""
        self._images = [scaled_for(to_image(pixels), self._side) for pixels in pictures]
        self.setAccessibleName(name)
        self.setVisible(bool(self._images))
        self._fit()
        self.update()

    def count(self) -> int:
        """How many pictures are shown."""
        return len(self._images)

    def sizeHint(self) -> QSize:
        return QSize(theme.px(240), self._height(max(self.width(), theme.px(240))))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        board = checkerboard(theme.colours().dark, theme.px(6))
        for index, image in enumerate(self._images):
            box = self._box(index)
            painter.setBrushOrigin(box.topLeft())
            inner = QRect(0, 0, image.width(), image.height())
            inner.moveCenter(box.center())
            painter.fillRect(inner, board)
            painter.drawImage(inner.topLeft(), image)
            if self._pairs and index % 2 == 0:
                painter.setPen(QColor(theme.colours().muted))
                arrow = QRect(box.right() + 1, box.top(), self._arrow(), box.height())
                painter.drawText(arrow, Qt.AlignmentFlag.AlignCenter, "\u2192")

    def _arrow(self) -> int:
        return theme.px(18) if self._pairs else 0

    def _across(self, width: int) -> int:
        if not self._pairs:
            return max(1, (width + GAP_PX) // (self._side + GAP_PX))
        return max(1, (width + theme.GAP) // (2 * self._side + self._arrow() + theme.GAP)) * 2

    def _box(self, index: int) -> QRect:
        across = self._across(self.width())
        row, column = divmod(index, across)
        if self._pairs:
            pair, twin = divmod(column, 2)
            left = pair * (2 * self._side + self._arrow() + theme.GAP) + twin * (self._side + self._arrow())
        else:
            left = column * (self._side + GAP_PX)
        return QRect(left, row * (self._side + GAP_PX), self._side, self._side)

    def _height(self, width: int) -> int:
        rows = -(-len(self._images) // self._across(width))
        return max(0, rows * (self._side + GAP_PX) - GAP_PX)

    def _fit(self) -> None:
        height = self._height(self.width())
        if height != self.height():
            self.setFixedHeight(height)


class Sheet(QWidget):
    """One sample sheet, as large as fits, on a checkerboard."""

    def __init__(self, least_px: int = 160) -> None:
        super().__init__()
        self._image = QImage()
        self._file = ""
        self.setMinimumHeight(theme.px(least_px))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    @property
    def file(self) -> str:
        """The file that is shown."""
        return self._file

    def show_file(self, file: str, *, name: str) -> None:
        """Show a picture file; an empty or missing one shows nothing."""
        if file != self._file:
            self._file, self._image = file, QImage(file) if file else QImage()
        self.setAccessibleName(name)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        if self._image.isNull():
            return
        painter = QPainter(self)
        side = min(self.width(), self.height())
        image = scaled_for(self._image, side)
        box = QRect(0, 0, image.width(), image.height())
        painter.fillRect(box, checkerboard(theme.colours().dark, theme.px(6)))
        painter.drawImage(box.topLeft(), image)
