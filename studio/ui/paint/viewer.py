"""The viewer: tiny pictures pixel by pixel, transparency on a checkerboard, zoom, drag out, and a mask to paint on."""

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QLineF, QMimeData, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDrag,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from studio.core.events import Pixels
from studio.state.paint_mask import Canvas
from studio.ui import theme
from studio.ui.picture import checkerboard, scaled_for, to_image

ZOOMS = (0.125, 0.25, 0.5, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)


class Viewer(QWidget):
    """Shows one picture.

    Signals:
        zoom_changed(float): screen pixels per picture pixel.
        stroke(object, object): in mask mode, a line from ``(x, y)`` to ``(x, y)`` in picture pixels.
        stroke_begun(), stroke_ended(): around the lines of one stroke.
        grabbed(): the picture was pressed: it may be dragged out in a moment.
    """

    zoom_changed = Signal(float)
    stroke = Signal(object, object)
    stroke_begun = Signal()
    stroke_ended = Signal()
    grabbed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._image = QImage()
        self._overlay = QImage()
        self._edges: list[QLineF] = []
        self._checkers_key: tuple[QSize, bool] | None = None
        self._checkers_pixmap = QPixmap()
        self._zoom = 0.0  # 0 fits the window
        self._centre = QPointF(0.5, 0.5)
        self._pressed: QPoint | None = None
        self._panned: QPointF | None = None
        self._last: tuple[float, float] | None = None
        self._pointer: QPointF | None = None
        self._brush_px = 0.0
        self._make_mime: Callable[[], QMimeData | None] = lambda: None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(theme.px(160), theme.px(120))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Picture"))

    def set_drag(self, make_mime: Callable[[], QMimeData | None]) -> None:
        """What dragging the picture out hands over."""
        self._make_mime = make_mime

    def show_pixels(self, pixels: Pixels | None) -> None:
        """Show a picture, or nothing."""
        self._image = QImage() if pixels is None else to_image(pixels)
        words = self.tr("no picture") if pixels is None else f"{self._image.width()} x {self._image.height()} px"
        self.setAccessibleDescription(words)
        self.zoom_changed.emit(self.zoom)
        self.update()

    def show_mask(self, canvas: Canvas | None) -> None:
        """Lay a mask over the picture; None takes it away."""
        if canvas is None:
            self._overlay, self._edges = QImage(), []
        else:
            self._edges = _edges(canvas)
            tint = QColor(theme.colours().accent)
            layer = np.zeros((*canvas.shape, 4), np.uint8)
            layer[..., :3] = (tint.red(), tint.green(), tint.blue())
            layer[..., 3] = canvas // 255 * 140
            self._overlay = to_image(layer)
        self.update()

    def set_brush(self, radius_px: float) -> None:
        """Enter mask mode with a brush of this radius in picture pixels; 0 leaves it."""
        self._brush_px = radius_px
        self.setCursor(Qt.CursorShape.CrossCursor if radius_px else Qt.CursorShape.ArrowCursor)
        self.update()

    @property
    def zoom(self) -> float:
        """Screen pixels per picture pixel."""
        return self._zoom or self._fit()

    def zoom_by(self, steps: int) -> None:
        """The next larger or smaller zoom."""
        now = self.zoom
        larger = [zoom for zoom in ZOOMS if zoom > now * 1.01]
        smaller = [zoom for zoom in ZOOMS if zoom < now * 0.99]
        if steps > 0 and larger:
            self.set_zoom(larger[0])
        elif steps < 0 and smaller:
            self.set_zoom(smaller[-1])

    def set_zoom(self, zoom: float) -> None:
        """Set the zoom; 0 fits the picture into the window."""
        self._zoom = zoom
        if not zoom:
            self._centre = QPointF(0.5, 0.5)
        self.zoom_changed.emit(self.zoom)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(theme.px(512), theme.px(512))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        shades = theme.colours()
        painter.fillRect(self.rect(), QColor(shades.window))
        if not self._image.isNull():
            target = self._target()
            if self._image.hasAlphaChannel():
                painter.drawPixmap(target.toRect(), self._checkers(target.toRect().size()))
            # Whole pixels are shown as such; only a shrunken picture is smoothed.
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.zoom < 1)
            painter.drawImage(target, self._image)
            if not self._overlay.isNull():
                painter.drawImage(target, self._overlay)
                self._paint_edges(painter, target)
        if self._brush_px and self._pointer is not None:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(shades.text), 1.5))
            radius = self._brush_px * self.zoom
            painter.drawEllipse(self._pointer, radius, radius)
        if self.hasFocus():
            painter.setPen(QPen(QColor(shades.accent_text), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.zoom_changed.emit(self.zoom)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.angleDelta().y():
            self.zoom_by(1 if event.angleDelta().y() > 0 else -1)
            event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        if key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom_by(1)
        elif key == Qt.Key.Key_Minus:
            self.zoom_by(-1)
        elif key == Qt.Key.Key_0:
            self.set_zoom(0)
        elif key == Qt.Key.Key_1:
            self.set_zoom(1)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._image.isNull():
            return
        if event.button() == Qt.MouseButton.MiddleButton:
            self._panned = event.position()
        elif event.button() == Qt.MouseButton.LeftButton and self._brush_px:
            self._last = self._at(event.position())
            self.stroke_begun.emit()
            self.stroke.emit(self._last, self._last)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._pressed = event.position().toPoint()
            self.grabbed.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._pointer = event.position()
        if self._panned is not None:
            moved = event.position() - self._panned
            self._panned = event.position()
            size = self._image.size() * self.zoom
            self._centre -= QPointF(moved.x() / max(1, size.width()), moved.y() / max(1, size.height()))
            self._zoom = self.zoom
        elif self._last is not None:
            here = self._at(event.position())
            self.stroke.emit(self._last, here)
            self._last = here
        elif self._pressed is not None:
            far = (event.position().toPoint() - self._pressed).manhattanLength()
            if far >= QApplication.startDragDistance():
                self._pressed = None
                self._drag_out()
        if self._brush_px or self._panned is not None:
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._last is not None:
            self._last = None
            self.stroke_ended.emit()
        self._pressed = self._panned = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if not self._brush_px:
            self.set_zoom(0 if self._zoom else 1)

    def leaveEvent(self, event: object) -> None:
        self._pointer = None
        self.update()

    def _checkers(self, size: QSize) -> QPixmap:
        """The checkerboard for a picture of this size on screen, drawn once and not for every frame."""
        whole = size.boundedTo(QSize(4096, 4096))
        key = (whole, theme.colours().dark)
        if self._checkers_key != key:
            self._checkers_key = key
            self._checkers_pixmap = QPixmap(whole)
            painter = QPainter(self._checkers_pixmap)
            painter.fillRect(self._checkers_pixmap.rect(), checkerboard(theme.colours().dark, max(4, theme.px(8))))
            painter.end()
        return self._checkers_pixmap

    def _paint_edges(self, painter: QPainter, target: QRectF) -> None:
        """The border of the mask, black and white, so that it is seen on any colour."""
        painter.save()
        painter.translate(target.topLeft())
        painter.scale(self.zoom, self.zoom)
        for colour, width in (("#000000", 3.0), ("#ffffff", 1.0)):
            pen = QPen(QColor(colour), width)
            pen.setCosmetic(True)
            painter.setPen(pen)
            painter.drawLines(self._edges)
        painter.restore()

    def _drag_out(self) -> None:
        mime = self._make_mime()
        if mime is None:
            return
        drag = QDrag(self)
        drag.setMimeData(mime)
        drag.setPixmap(QPixmap.fromImage(scaled_for(self._image, theme.px(96))))
        drag.exec(Qt.DropAction.CopyAction)

    def _fit(self) -> float:
        if self._image.isNull():
            return 1.0
        margin = theme.px(24)
        room = min(
            max(1, self.width() - margin) / self._image.width(), max(1, self.height() - margin) / self._image.height()
        )
        return float(int(room)) if room >= 1 else room

    def _target(self) -> QRectF:
        zoom = self.zoom
        width, height = self._image.width() * zoom, self._image.height() * zoom
        left = self.width() / 2 - self._centre.x() * width
        top = self.height() / 2 - self._centre.y() * height
        return QRectF(round(left), round(top), width, height)

    def _at(self, place: QPointF) -> tuple[float, float]:
        target, zoom = self._target(), self.zoom
        return ((place.x() - target.left()) / zoom, (place.y() - target.top()) / zoom)


def _edges(canvas: Canvas) -> list[QLineF]:
    """Lines between what may change and what stays, in picture pixels."""
    inside = np.pad(canvas > 0, 1)
    upright = np.argwhere(inside[1:-1, 1:] != inside[1:-1, :-1])
    level = np.argwhere(inside[1:, 1:-1] != inside[:-1, 1:-1])
    lines = [QLineF(x, y, x, y + 1) for y, x in upright.tolist()]
    return lines + [QLineF(x, y, x + 1, y) for y, x in level.tolist()]
