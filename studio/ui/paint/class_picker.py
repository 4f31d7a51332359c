"""Which class to make: one, none, or a mixture."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.core.params import Param
from studio.ui import theme
from studio.ui.form import ParamForm, QuietCombo

_MIX = "\0mix"
_ANY = ""


class ClassPicker(QWidget):
    """A drop-down of classes; "Mix" opens a slider for each.

    Signals:
        changed(object): ``dict[str, float]`` of class weights, by hand.
        pressed(), released(): a slider drag began or ended.
    """

    changed = Signal(object)
    pressed = Signal()
    released = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._names: tuple[str, ...] = ()
        self.combo = QuietCombo()
        self.combo.setAccessibleName(self.tr("Class"))
        self.mix = ParamForm()
        name = theme.label(self.tr("Class"))
        name.setBuddy(self.combo)
        row = QHBoxLayout()
        row.addWidget(name, 1)
        row.addWidget(self.combo, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACE)
        column.addLayout(row)
        column.addWidget(self.mix)
        self.mix.hide()
        self.combo.activated.connect(self._on_combo_activated)
        self.mix.changed.connect(lambda *_: self.changed.emit(self.weights()))
        self.mix.pressed.connect(self.pressed)
        self.mix.released.connect(self.released)

    def set_names(self, names: tuple[str, ...], *, any_allowed: bool) -> None:
        """Offer other classes; without any the picker hides."""
        self._names = names
        self.combo.clear()
        if any_allowed:
            self.combo.addItem(self.tr("Any"), _ANY)
        for name in names:
            self.combo.addItem(name.replace("_", " "), name)
        if len(names) > 1:
            self.combo.insertSeparator(self.combo.count())
            self.combo.addItem(self.tr("Mix…"), _MIX)
        help_text = self.tr("Weight of this class in the mixture.")
        self.mix.set_params(
            tuple(Param(name, "float", 0.0, name.replace("_", " "), help_text, 0, 1, 0.05) for name in names)
        )
        self.mix.hide()
        self.setVisible(bool(names))

    def set_weights(self, weights: dict[str, float]) -> None:
        """Show these weights without a signal."""
        self.mix.set_values({name: weights.get(name, 0.0) for name in self._names})
        named = [name for name, weight in weights.items() if weight > 0]
        if self.mix.isVisibleTo(self) and named:
            return  # the artist is mixing: one class alone is a mixture too
        data = named[0] if len(named) == 1 else _MIX if named else _ANY
        self.combo.setCurrentIndex(max(0, self.combo.findData(data)))
        self.mix.setVisible(data == _MIX)

    def weights(self) -> dict[str, float]:
        """What is chosen."""
        data = self.combo.currentData()
        if data == _MIX:
            return {name: float(value) for name, value in self.mix.values().items() if float(value) > 0}
        return {data: 1.0} if data else {}

    def _on_combo_activated(self) -> None:
        data = self.combo.currentData()
        if data == _MIX and not any(float(value) > 0 for value in self.mix.values().values()):
            self.mix.set_values(dict.fromkeys(self._names[:2], 0.5))
        elif data not in (_MIX, None):
            self.mix.set_values({name: float(name == data) for name in self._names})
        self.mix.setVisible(data == _MIX)
        self.changed.emit(self.weights())
