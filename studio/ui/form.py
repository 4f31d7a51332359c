"""A form built from parameters that describe themselves: a new control of a model is one line of its manifest."""

from collections.abc import Callable, Mapping

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLineEdit, QToolButton, QVBoxLayout, QWidget

from studio.core.params import Param, Value
from studio.ui import theme
from studio.ui.choices import choice_name
from studio.ui.icons import icon
from studio.ui.slider import NumberSlider

ADVANCED = "Advanced"
"""The group that starts folded."""


class QuietCombo(QComboBox):
    """A closed drop-down that leaves the wheel to the page."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class Fold(QWidget):
    """A heading that shows or hides what stands below it."""

    toggled = Signal(bool)

    def __init__(self, title: str, body: QWidget, *, opened: bool = False) -> None:
        super().__init__()
        self.body = body
        self.head = QToolButton()
        self.head.setText(f" {title}")
        self.head.setProperty("fold", "true")
        self.head.setCheckable(True)
        self.head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.head.setIconSize(QSize(theme.px(12), theme.px(12)))
        self.head.setAccessibleName(title)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACE)
        column.addWidget(self.head, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(body)
        self.head.toggled.connect(self._on_head_toggled)
        self.head.setChecked(opened)
        self._on_head_toggled(opened)

    def _on_head_toggled(self, opened: bool) -> None:
        self.body.setVisible(opened)
        self.head.setIcon(icon("chevron-down" if opened else "chevron-right", "muted"))
        self.toggled.emit(opened)


class _Row:
    """One control of the form: how to read it, show it and hear of it."""

    def __init__(self, param: Param, widget: QWidget, read: Callable[[], Value], show: Callable[[Value], None]) -> None:
        self.param, self.widget, self.read, self.show = param, widget, read, show


class ParamForm(QWidget):
    """Controls for ``params``, in their order, under the headings of their groups; "Advanced" is folded.

    Signals:
        changed(str, object): a control was moved by hand to a value.
        pressed(), released(): a slider drag began or ended.
    """

    changed = Signal(str, object)
    pressed = Signal()
    released = Signal()

    def __init__(self, params: tuple[Param, ...] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: dict[str, _Row] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(theme.SPACE + 2)
        self._parts: list[QWidget] = []
        self.set_params(params)

    def set_params(self, params: tuple[Param, ...]) -> None:
        """Show other controls, at their defaults."""
        for part in self._parts:
            self._column.removeWidget(part)
            part.hide()
            part.deleteLater()
        self._parts, self._rows = [], {}
        groups: dict[str, list[Param]] = {}
        for param in params:
            groups.setdefault(param.group, []).append(param)
        # The advanced group is last, whatever the manifest's order.
        for group in sorted(groups, key=lambda name: name == ADVANCED):
            self._add_group(group, groups[group])

    def params(self) -> tuple[Param, ...]:
        """The parameters shown."""
        return tuple(row.param for row in self._rows.values())

    def values(self) -> dict[str, Value]:
        """Every control's value by name."""
        return {name: row.read() for name, row in self._rows.items()}

    def set_values(self, values: Mapping[str, Value]) -> None:
        """Show ``values`` without a signal; names that the form lacks are skipped."""
        for name, value in values.items():
            if name in self._rows:
                self._rows[name].show(value)

    def reset(self) -> None:
        """Every control back to its default, as if by hand."""
        for name, row in self._rows.items():
            if row.read() != row.param.default:
                row.show(row.param.default)
                self.changed.emit(name, row.param.default)

    def control(self, name: str) -> QWidget:
        """The widget of the control ``name``; raises `KeyError`."""
        return self._rows[name].widget

    def _add_group(self, group: str, params: list[Param]) -> None:
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACE + 2)
        if group and group != ADVANCED:
            column.addWidget(theme.label(group, "section"))
        for param in params:
            row = self._make_row(param)
            self._rows[param.name] = row
            column.addWidget(row.widget)
        part = Fold(group, body) if group == ADVANCED else body
        self._parts.append(part)
        self._column.addWidget(part)

    def _make_row(self, param: Param) -> _Row:
        if param.kind in ("int", "float"):
            slider = NumberSlider(param)
            slider.changed.connect(lambda value: self.changed.emit(param.name, value))
            slider.pressed.connect(self.pressed)
            slider.released.connect(self.released)
            return _Row(param, slider, slider.value, slider.set_value)
        if param.kind == "bool":
            return self._tick_row(param)
        return self._choice_row(param) if param.kind == "choice" else self._text_row(param)

    def _tick_row(self, param: Param) -> _Row:
        tick = QCheckBox(param.label)
        tick.setToolTip(param.help)
        tick.setAccessibleDescription(param.help)
        tick.setChecked(bool(param.default))
        tick.clicked.connect(lambda on: self.changed.emit(param.name, on))
        return _Row(param, tick, tick.isChecked, lambda value: tick.setChecked(bool(value)))

    def _choice_row(self, param: Param) -> _Row:
        combo = QuietCombo()
        for choice in param.choices:
            combo.addItem(choice_name(choice), choice)
        combo.setCurrentIndex(combo.findData(param.default))
        combo.activated.connect(lambda _: self.changed.emit(param.name, combo.currentData()))
        box = _labelled(param, combo)
        return _Row(
            param, box, lambda: str(combo.currentData()), lambda value: combo.setCurrentIndex(combo.findData(value))
        )

    def _text_row(self, param: Param) -> _Row:
        line = QLineEdit(str(param.default))
        line.textEdited.connect(lambda text: self.changed.emit(param.name, text))
        return _Row(param, _labelled(param, line), line.text, lambda value: line.setText(str(value)))


def _labelled(param: Param, control: QWidget) -> QWidget:
    """``control`` with its label to the left and the parameter's help on both."""
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    name = theme.label(param.label)
    name.setBuddy(control)
    for widget in (name, control):
        widget.setToolTip(param.help)
    control.setAccessibleName(param.label)
    control.setAccessibleDescription(param.help)
    row.addWidget(name, 1)
    row.addWidget(control, 1)
    return box
