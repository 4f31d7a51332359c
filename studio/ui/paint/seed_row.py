"""Seed, how many, and whether each Generate draws a new seed."""

from PySide6.QtCore import QRegularExpression, QSize, Signal
from PySide6.QtGui import QGuiApplication, QRegularExpressionValidator
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from studio.core.params import Param
from studio.core.requests import SEED_LIMIT
from studio.ui import theme
from studio.ui.buttons import tool_button
from studio.ui.slider import NumberSlider

COUNT = Param("count", "int", 1, "How many", "Pictures for each Generate; their seeds follow one another.", 1, 64, 1)


class SeedRow(QWidget):
    """Seed field with dice and copy, and the number of pictures.

    Signals:
        seed_changed(object): a seed was typed.
        random_changed(bool): new seeds were switched on or off.
        count_changed(object): how many.
    """

    seed_changed = Signal(object)
    random_changed = Signal(bool)
    count_changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.field = QLineEdit()
        self.field.setValidator(QRegularExpressionValidator(QRegularExpression("[0-9]{1,16}"), self))
        self.field.setAccessibleName(self.tr("Seed"))
        self.field.setToolTip(self.tr("The same seed gives the same picture on every machine."))
        self.dice = tool_button("dice", self.tr("New seed each time"), checkable=True)
        self.copy = tool_button("copy", self.tr("Copy seed"), self._on_copy_clicked)
        self.count = NumberSlider(COUNT)
        name = theme.label(self.tr("Seed"))
        name.setBuddy(self.field)
        row = QHBoxLayout()
        row.setSpacing(theme.SPACE // 2)
        row.addWidget(name)
        row.addSpacing(theme.SPACE)
        row.addWidget(self.field, 1)
        row.addWidget(self.dice)
        row.addWidget(self.copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACE)
        column.addLayout(row)
        column.addWidget(self.count)
        self.field.editingFinished.connect(self._on_field_finished)
        self.dice.clicked.connect(self.random_changed)
        self.count.changed.connect(self.count_changed)
        self._shown = 0

    def show_values(self, *, seed: int, random: bool, count: int) -> None:
        """Show these without a signal."""
        self._shown = seed
        self.field.setText(str(seed))
        self.dice.setChecked(random)
        self.count.set_value(count)

    def sizeHint(self) -> QSize:
        return QSize(theme.px(240), super().sizeHint().height())

    def _on_field_finished(self) -> None:
        text = self.field.text()
        seed = min(int(text), SEED_LIMIT - 1) if text else self._shown
        self.field.setText(str(seed))
        if seed != self._shown:
            self._shown = seed
            self.seed_changed.emit(seed)

    def _on_copy_clicked(self) -> None:
        QGuiApplication.clipboard().setText(self.field.text())
