"""Shows one result as large as fits; films play."""

from bisect import bisect_right
from itertools import accumulate

from PySide6.QtCore import QPoint, QRect, QSize, Qt, QVariantAnimation
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.ui import theme
from studio.ui.gallery.tile import checkerboard, fitted

_ZOOMS = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)


class PictureView(QWidget):
    """One picture or a film's frames. Space plays and pauses, + and - zoom, dragging moves what is too large."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(theme.px(160), theme.px(160))
        self._frames: list[QImage] = []
        self._ends_s: list[float] = []
        self._at = 0
        self._zoom = 0
        self._offset = QPoint()
        self._grip: QPoint | None = None
        self._clock = QVariantAnimation(self)
        self._clock.setStartValue(0.0)
        self._clock.setLoopCount(-1)
        self._clock.valueChanged.connect(self._on_clock_changed)

    @property
    def playing(self) -> bool:
        """True while a film runs."""
        return self._clock.state() == QVariantAnimation.State.Running

    @property
    def frame(self) -> int:
        """Index of the frame on view."""
        return self._at

    def show_frames(self, frames: list[tuple[QImage, float]]) -> None:
        """Show a picture (one frame) or play a film (several)."""
        self._clock.stop()
        self._frames = [image for image, _ in frames]
        self._ends_s = list(accumulate(seconds for _, seconds in frames))
        self._at, self._zoom, self._offset = 0, 0, QPoint()
        if len(frames) > 1 and self._ends_s[-1] > 0:
            self._clock.setEndValue(self._ends_s[-1])
            self._clock.setDuration(max(1, round(1000 * self._ends_s[-1])))
            if not theme.reduced_motion():
                self._clock.start()
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self._clock.stop()
        self._frames, self._ends_s = [], []
        self.update()

    def toggle(self) -> None:
        """Play or pause."""
        if len(self._frames) < 2:
            return
        if self.playing:
            self._clock.pause()
        elif self._clock.state() == QVariantAnimation.State.Paused:
            self._clock.resume()
        else:
            self._clock.start()

    def step(self, by: int) -> None:
        """Pause and go some frames on or back."""
        if len(self._frames) > 1:
            if self.playing:
                self._clock.pause()
            self._at = (self._at + by) % len(self._frames)
            self.update()

    def zoom(self, by: int) -> None:
        """Zoom in or out by steps; at the least the whole picture is seen."""
        self._zoom = max(0, min(len(_ZOOMS) - 1, self._zoom + by))
        if self._zoom == 0:
            self._offset = QPoint()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(theme.px(480), theme.px(480))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.colours().field))
        if not self._frames:
            return
        image = self._frames[self._at]
        place = self._place(image)
        if image.hasAlphaChannel():
            painter.setBrushOrigin(place.topLeft())
            painter.fillRect(place, checkerboard())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, place.width() < image.width())
        painter.drawImage(place, image)
        if self.hasFocus():
            painter.setPen(QColor(theme.colours().accent_text))
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space:
            self.toggle()
        elif event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(1)
        elif event.key() == Qt.Key.Key_Minus:
            self.zoom(-1)
        elif event.key() == Qt.Key.Key_Home and len(self._frames) > 1:
            self.step(-self._at)
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.zoom(1 if event.angleDelta().y() > 0 else -1)
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._zoom and event.button() == Qt.MouseButton.LeftButton:
            self._grip = event.position().toPoint() - self._offset
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grip is not None:
            self._offset = event.position().toPoint() - self._grip
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._grip = None

    def _place(self, image: QImage) -> QRect:
        fit = fitted(image.size(), self.rect().adjusted(8, 8, -8, -8))
        factor = _ZOOMS[self._zoom]
        size = QSize(round(fit.width() * factor), round(fit.height() * factor))
        middle = self.rect().center() + self._offset
        return QRect(QPoint(middle.x() - size.width() // 2, middle.y() - size.height() // 2), size)

    def _on_clock_changed(self, seconds: float) -> None:
        at = min(bisect_right(self._ends_s, float(seconds)), len(self._frames) - 1)
        if at != self._at:
            self._at = at
            self.update()
