"""A slider with a number field and a reset beside it."""

from PySide6.QtCore import QLocale, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QHBoxLayout,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.core.params import Param, Value
from studio.ui import theme
from studio.ui.elided import ElidedLabel
from studio.ui.icons import icon

_POSITIONS = 1000


class Track(QSlider):
    """A horizontal slider that fills from ``origin`` (zero of a two-sided range) and leaves the wheel to the page."""

    def __init__(self, *, origin: int = 0) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._origin = origin
        self.setMinimumHeight(theme.px(20))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(theme.px(120), theme.px(20))

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self._go_to(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self.isSliderDown():
            self._go_to(event.position().x())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.isSliderDown():
            self.setSliderDown(False)

    def paintEvent(self, event: QPaintEvent) -> None:
        shades = theme.colours()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle, thick = self.height() / 2, max(3.0, theme.px(4))
        left, right = self._x_of(self.minimum()), self._x_of(self.maximum())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(shades.edge if self.isEnabled() else shades.line))
        painter.drawRoundedRect(QRectF(left, middle - thick / 2, right - left, thick), thick / 2, thick / 2)
        if not self.isEnabled():
            return
        start, here = self._x_of(self._origin), self._x_of(self.value())
        painter.setBrush(QColor(shades.accent))
        filled = QRectF(QPointF(min(start, here), middle - thick / 2), QPointF(max(start, here), middle + thick / 2))
        painter.drawRoundedRect(filled, thick / 2, thick / 2)
        radius = theme.px(7)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(shades.accent_text), 2))
            painter.drawEllipse(QPointF(here, middle), radius + 1.5, radius + 1.5)
            radius -= 2
        painter.setPen(QPen(QColor(shades.panel), 2))
        painter.setBrush(QColor(shades.text))
        painter.drawEllipse(QPointF(here, middle), radius, radius)

    def _x_of(self, position: int) -> float:
        margin = theme.px(9)
        span = max(1, self.maximum() - self.minimum())
        return margin + (self.width() - 2 * margin) * (position - self.minimum()) / span

    def _go_to(self, x: float) -> None:
        margin = theme.px(9)
        share = (x - margin) / max(1, self.width() - 2 * margin)
        self.setSliderPosition(round(self.minimum() + share * (self.maximum() - self.minimum())))


class _IntField(QSpinBox):
    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class _FloatField(QDoubleSpinBox):
    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class NumberSlider(QWidget):
    """Label, number field, reset and slider for a numeric `Param`.

    Signals:
        changed(object): the new value, by hand (not by `set_value`).
        pressed(), released(): a drag began or ended, so that an undo history can take it as one change.
    """

    changed = Signal(object)
    pressed = Signal()
    released = Signal()

    def __init__(self, param: Param, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.param = param
        whole = param.kind == "int"
        self._step = param.step or (1.0 if whole else (param.high - param.low) / _POSITIONS or 1.0)
        low_position, high_position = 0, max(1, round((param.high - param.low) / self._step))
        origin = round((0.0 - param.low) / self._step) if param.low < 0 < param.high else 0
        self.track = Track(origin=origin)
        self.track.setRange(low_position, high_position)
        self.track.setPageStep(max(1, high_position // 10))
        self.field: QSpinBox | QDoubleSpinBox = _IntField() if whole else _FloatField()
        self.reset_button = QToolButton()
        self._build()
        self.set_value(param.default)
        self.track.valueChanged.connect(self._on_track_moved)
        self.track.sliderPressed.connect(self.pressed)
        self.track.sliderReleased.connect(self.released)
        self.field.valueChanged.connect(self._on_field_changed)
        self.reset_button.clicked.connect(self.reset)

    def value(self) -> Value:
        """The number shown."""
        return self.field.value()

    def set_value(self, value: Value) -> None:
        """Show ``value`` (held inside the range) without a signal."""
        number = min(max(float(value), self.param.low), self.param.high)
        self.field.blockSignals(True)
        if isinstance(self.field, QSpinBox):
            self.field.setValue(round(number))
        else:
            self.field.setValue(number)
        self.field.blockSignals(False)
        self._show_track()

    def reset(self) -> None:
        """Go back to the default, as if by hand."""
        if self.value() != self.param.default:
            self.set_value(self.param.default)
            self.changed.emit(self.value())

    def _build(self) -> None:
        param, whole = self.param, self.param.kind == "int"
        name = ElidedLabel()
        name.setText(param.label)
        name.setBuddy(self.field)
        field = self.field
        field.setLocale(QLocale.c())
        field.setProperty("slim", "true")
        field.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        field.setKeyboardTracking(False)
        field.setSuffix(f" {param.unit}" if param.unit else "")
        if isinstance(field, QSpinBox):
            field.setRange(round(param.low), round(param.high))
            field.setSingleStep(max(1, round(self._step)))
        else:
            field.setDecimals(3 if self._step < 0.01 and param.high - param.low <= 2 else 2)
            field.setRange(param.low, param.high)
            field.setSingleStep(self._step)
        digits = len(f"{param.high:.0f}") + (0 if whole else 4)
        field.setFixedWidth(theme.px(26 + 8 * (digits + len(param.unit))))
        self.reset_button.setIcon(icon("reset", "muted"))
        self.reset_button.setIconSize(QSize(theme.px(13), theme.px(13)))
        self.reset_button.setToolTip(self.tr("Back to {0}").format(_short(param.default)))
        for widget, what in ((self.track, ""), (field, ""), (self.reset_button, self.tr("Reset") + " ")):
            widget.setAccessibleName(f"{what}{param.label}")
            widget.setAccessibleDescription(param.help)
        for widget in (name, self.track, field):
            widget.setToolTip(param.help)
        keep = self.reset_button.sizePolicy()
        keep.setRetainSizeWhenHidden(True)
        self.reset_button.setSizePolicy(keep)
        top = QHBoxLayout()
        top.setSpacing(theme.SPACE // 4)
        top.addWidget(name, 1)
        top.addWidget(self.reset_button)
        top.addWidget(field)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self.track)

    def _show_track(self) -> None:
        self.track.blockSignals(True)
        self.track.setValue(round((float(self.field.value()) - self.param.low) / self._step))
        self.track.blockSignals(False)
        self.reset_button.setVisible(abs(float(self.value()) - float(self.param.default)) > self._step / 2)

    def _on_track_moved(self, position: int) -> None:
        self.set_value(self.param.low + position * self._step)
        self.changed.emit(self.value())

    def _on_field_changed(self) -> None:
        self._show_track()
        self.changed.emit(self.value())


def _short(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
