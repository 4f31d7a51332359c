"""Start from a picture: how far to leave it, and which part may change."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.core.params import Param
from studio.state.paint import PaintState
from studio.ui import theme
from studio.ui.buttons import push_button, tool_button
from studio.ui.picture import scaled_for, to_image
from studio.ui.slider import NumberSlider

STRENGTH = Param(
    "strength", "float", 0.6, "Strength", "How far to leave the picture: 0 keeps it, 1 forgets it.", 0, 1, 0.01
)
PICTURES = "*.png *.jpg *.jpeg *.webp *.gif *.bmp *.tif *.tiff *.avif"


class StartBox(QWidget):
    """The start picture's controls.

    Signals:
        mask_wanted(bool): the artist wants to paint the mask, or is done.
        paste_wanted(): take the clipboard's picture.
    """

    mask_wanted = Signal(bool)
    paste_wanted = Signal()

    def __init__(self, state: PaintState) -> None:
        super().__init__()
        self._state = state
        self.thumbnail = QLabel()
        self.thumbnail.setFixedSize(theme.px(64), theme.px(64))
        self.thumbnail.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.name = theme.label("", "hint", wrap=True)
        self.open = push_button(self.tr("Open…"), self._on_open_clicked, name="folder")
        self.paste = push_button(self.tr("Paste"), self.paste_wanted.emit, name="paste")
        self.remove = tool_button("close", self.tr("Start from noise again"), state.start.clear)
        self.strength = NumberSlider(STRENGTH)
        self.paint_mask = push_button(self.tr("Paint what may change"), name="brush")
        self.paint_mask.setCheckable(True)
        self.paint_mask.clicked.connect(self.mask_wanted)
        self.project = push_button(
            self.tr("Find its place"),
            state.project,
            name="map",
            tip=self.tr("Go where the model sees this picture, so that sliders, map and films work from there"),
        )
        self.hint = theme.label(self.tr("Drop a picture on the window, or:"), "hint", wrap=True)
        self._lay_out()
        state.start.changed.connect(lambda _: self.refresh())
        state.model_changed.connect(self.refresh)
        state.values_changed.connect(lambda: self.strength.set_value(state.values.strength))
        self.strength.changed.connect(self._on_strength_changed)
        self.strength.pressed.connect(state.hold)
        self.strength.released.connect(state.release)
        self.refresh()

    def refresh(self) -> None:
        """Show what there is to start from."""
        start = self._state.start
        has = start.pixels is not None
        self.setVisible(self._state.can_start_from_picture)
        self.hint.setVisible(not has)
        self._picked.setVisible(has)
        self.strength.setVisible(has)
        self.paint_mask.setVisible(has and self._state.can_mask)
        self.project.setVisible(self._state.can_project)
        if start.pixels is not None:
            image = scaled_for(to_image(start.pixels), theme.px(64))
            self.thumbnail.setPixmap(QPixmap.fromImage(image))
            self.name.setText(start.name)
        elif self.paint_mask.isChecked():
            self.paint_mask.setChecked(False)
            self.mask_wanted.emit(False)

    def _lay_out(self) -> None:
        self._picked = QWidget()
        picked = QHBoxLayout(self._picked)
        picked.setContentsMargins(0, 0, 0, 0)
        picked.addWidget(self.thumbnail)
        picked.addWidget(self.name, 1)
        picked.addWidget(self.remove, 0, Qt.AlignmentFlag.AlignTop)
        buttons = QHBoxLayout()
        buttons.addWidget(self.open, 1)
        buttons.addWidget(self.paste, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACE)
        column.addWidget(theme.label(self.tr("Start from a picture"), "section"))
        column.addWidget(self.hint)
        column.addLayout(buttons)
        column.addWidget(self._picked)
        column.addWidget(self.strength)
        column.addWidget(self.paint_mask)
        column.addWidget(self.project)

    def _on_strength_changed(self, value: object) -> None:
        self._state.set_strength(float(str(value)))

    def _on_open_clicked(self) -> None:
        dialog = QFileDialog(self, self.tr("Open a picture"), "", f"{self.tr('Pictures')} ({PICTURES})")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda name: self._state.start.take(Path(name)))
        dialog.open()
