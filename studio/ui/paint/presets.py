"""Presets by name: choose one, save the present controls, remove one."""

from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from studio.state.paint import PaintState
from studio.ui import theme
from studio.ui.buttons import tool_button
from studio.ui.form import QuietCombo


class PresetRow(QWidget):
    """A drop-down of presets; saving turns it into a field for the name."""

    def __init__(self, state: PaintState) -> None:
        super().__init__()
        self._state = state
        self.combo = QuietCombo()
        self.combo.setAccessibleName(self.tr("Preset"))
        self.combo.setPlaceholderText(self.tr("Presets"))
        self.combo.setSizeAdjustPolicy(QuietCombo.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.name = QLineEdit()
        self.name.setPlaceholderText(self.tr("Name, then Enter"))
        self.name.setAccessibleName(self.tr("Name of the preset"))
        self.name.hide()
        self.save = tool_button("save", self.tr("Save these controls as a preset"), self.begin)
        self.remove = tool_button("trash", self.tr("Remove this preset"), self._on_remove_clicked)
        self.reset = tool_button("reset", self.tr("All controls back to their defaults"), state.reset)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.SPACE // 2)
        row.addWidget(self.combo, 1)
        row.addWidget(self.name, 1)
        for button in (self.save, self.remove, self.reset):
            row.addWidget(button)
        self.combo.activated.connect(lambda _: self._on_combo_activated())
        self.name.returnPressed.connect(self._on_name_entered)
        self.name.editingFinished.connect(self._end)
        state.memory.changed.connect(self.refresh)
        self.refresh()

    def begin(self) -> None:
        """Ask for a name, in place."""
        self.combo.hide()
        self.name.setText(self.combo.currentText())
        self.name.show()
        self.name.setFocus()
        self.name.selectAll()

    def refresh(self) -> None:
        """Show the presets of the open model."""
        chosen = self.combo.currentText()
        self.combo.clear()
        self.combo.addItems([preset.name for preset in self._state.memory.presets])
        self.combo.setCurrentIndex(self.combo.findText(chosen))
        has = self.combo.count() > 0
        self.combo.setEnabled(has)
        self.remove.setEnabled(has and self.combo.currentIndex() >= 0)

    def _end(self) -> None:
        self.name.hide()
        self.combo.show()

    def _on_name_entered(self) -> None:
        name = self.name.text().strip()
        self._state.save_preset(name)
        self.combo.setCurrentIndex(self.combo.findText(name))
        self.remove.setEnabled(self.combo.currentIndex() >= 0)

    def _on_combo_activated(self) -> None:
        self.remove.setEnabled(True)
        self._state.apply_preset(self.combo.currentText())

    def _on_remove_clicked(self) -> None:
        if self.combo.currentIndex() >= 0:
            self._state.memory.remove_preset(self.combo.currentText())
