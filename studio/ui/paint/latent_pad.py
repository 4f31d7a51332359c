"""The latent pad: a map of everything a model can make; drag across it and the picture follows."""

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QSizePolicy, QWidget

from studio.ui import theme

STEP = 0.01
Place = tuple[float, float]


class LatentPad(QWidget):
    """A square with a marker.

    Places are ``(u, v)`` from 0 to 1, right and down.

    Signals:
        moved(float, float): the marker was put somewhere by hand.
        pressed(), released(): a drag began or ended.
    """

    moved = Signal(float, float)
    pressed = Signal()
    released = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._map = QImage()
        self._scaled = QPixmap()
        self._place: Place | None = None
        self._points: tuple[Place, ...] = ()
        self._loop = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setAccessibleName(self.tr("Latent map"))
        self.setToolTip(self.tr("Drag to walk through everything this model can make. Arrow keys move in small steps."))
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def set_map(self, image: QImage | None) -> None:
        """The picture behind the marker."""
        self._map = image or QImage()
        self._scaled = QPixmap()
        self.update()

    def set_place(self, place: Place | None) -> None:
        """Put the marker somewhere without a signal; None hides it."""
        self._place = place
        self.setAccessibleDescription(f"{place[0]:.2f}, {place[1]:.2f}" if place else "")
        self.update()

    def set_points(self, points: tuple[Place, ...], *, loop: bool) -> None:
        """Show saved points and the way through them."""
        self._points, self._loop = points, loop
        self.update()

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return width

    def sizeHint(self) -> QSize:
        return QSize(theme.px(280), theme.px(280))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(160), theme.px(160))

    def paintEvent(self, event: QPaintEvent) -> None:
        shades = theme.colours()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = self._area()
        painter.fillRect(area, QColor(shades.field))
        if self._map.isNull():
            self._paint_grid(painter, area)
        else:
            painter.drawPixmap(area.toRect(), self._scaled_map(area))
        self._paint_points(painter, area)
        if self._place is not None:
            at = self._on_screen(self._place, area)
            for colour, width in (("#000000", 5.0), ("#ffffff", 2.5), (shades.accent, 1.0)):
                painter.setPen(QPen(QColor(colour), width))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawEllipse(at, theme.px(8), theme.px(8))
            painter.setBrush(QColor(shades.accent))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.drawEllipse(at, theme.px(3), theme.px(3))
        focus = self.hasFocus()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(shades.accent_text if focus else shades.edge), 2 if focus else 1))
        painter.drawRect(area.adjusted(1, 1, -1, -1))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.pressed.emit()
            self._go(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.released.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        far = STEP * (5 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1)
        moves = {
            Qt.Key.Key_Left: (-far, 0.0),
            Qt.Key.Key_Right: (far, 0.0),
            Qt.Key.Key_Up: (0.0, -far),
            Qt.Key.Key_Down: (0.0, far),
        }
        move = moves.get(Qt.Key(event.key()))
        if move is None:
            super().keyPressEvent(event)
            return
        u, v = self._place or (0.5, 0.5)
        self._move_to(u + move[0], v + move[1])

    def _scaled_map(self, area: QRectF) -> QPixmap:
        """The map at the size of the pad, scaled once: it is painted for every picture of a drag."""
        size = (area.size() * self.devicePixelRatioF()).toSize()
        if self._scaled.size() != size:
            mode = Qt.TransformationMode.SmoothTransformation
            self._scaled = QPixmap.fromImage(self._map.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, mode))
        return self._scaled

    def _paint_grid(self, painter: QPainter, area: QRectF) -> None:
        painter.setPen(QPen(QColor(theme.colours().line), 1))
        for part in range(1, 8):
            x = area.left() + area.width() * part / 8
            y = area.top() + area.height() * part / 8
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))

    def _paint_points(self, painter: QPainter, area: QRectF) -> None:
        places = [self._on_screen(point, area) for point in self._points]
        way = [*places, places[0]] if self._loop and len(places) > 2 else places
        for colour, width in (("#000000", 4.0), ("#ffffff", 1.5)):
            painter.setPen(QPen(QColor(colour), width))
            painter.drawPolyline(way)
        for number, at in enumerate(places, 1):
            painter.setPen(QPen(QColor("#000000"), 1))
            painter.setBrush(QColor("#ffffff"))
            side = theme.px(16)
            box = QRectF(at.x() - side / 2, at.y() - side / 2, side, side)
            painter.drawEllipse(box)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(number))

    def _area(self) -> QRectF:
        side = min(self.width(), self.height())
        return QRectF((self.width() - side) / 2, 0, side, side)

    def _on_screen(self, place: Place, area: QRectF) -> QPointF:
        return QPointF(area.left() + place[0] * area.width(), area.top() + place[1] * area.height())

    def _go(self, position: QPointF) -> None:
        area = self._area()
        self._move_to(
            (position.x() - area.left()) / max(1.0, area.width()), (position.y() - area.top()) / max(1.0, area.height())
        )

    def _move_to(self, u: float, v: float) -> None:
        place = (min(max(u, 0.0), 1.0), min(max(v, 0.0), 1.0))
        self.set_place(place)
        self.moved.emit(*place)
