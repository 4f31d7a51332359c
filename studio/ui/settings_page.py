"""Settings: each takes effect at once; there is no Apply and no dialog."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from studio.core.params import Param
from studio.core.settings import Settings
from studio.state.settings import SettingsState
from studio.ui import theme
from studio.ui.buttons import push_button
from studio.ui.form import QuietCombo
from studio.ui.slider import NumberSlider
from studio.ui.zones import scrolled

SCALE = Param("scale", "int", 100, "Interface scale", "Size of words and buttons.", 75, 300, 5, "%")
THREADS = Param(
    "threads", "int", 0, "Processor threads", "0 uses every core while nothing is training.", 0, 64, 1
)  # fmt: skip
THEMES = (("system", "As the desktop"), ("dark", "Dark"), ("light", "Light"), ("contrast", "High contrast"))
FORMATS = (("png", "PNG, lossless"), ("webp", "WebP, lossless"), ("jpeg", "JPEG, small"))
WIDTH_PX = 720


@dataclass(frozen=True)
class SettingsActions:
    """What the page can ask for besides changing a value.

    Attributes:
        devices: ``(id, name)`` of the devices that can be chosen; empty until they are known.
        results_folder: where results go now. data_folder: log and database.
        free_memory: let go of loaded models. self_test: run the check that needs no network; None hides it.
    """

    devices: Callable[[], tuple[tuple[str, str], ...]]
    results_folder: Callable[[], Path]
    data_folder: Path
    free_memory: Callable[[], None]
    self_test: Callable[[], None] | None = None


class SettingsPage(QWidget):
    """Every setting of the artist."""

    def __init__(self, state: SettingsState, actions: SettingsActions) -> None:
        super().__init__()
        self._state = state
        self._actions = actions
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(theme.GAP * 2, theme.GAP * 2, theme.GAP * 2, theme.GAP * 2)
        column.setSpacing(theme.GAP)
        column.addWidget(theme.label(self.tr("Settings"), "title"))
        cards = (self._look_card(), self._results_card(), self._device_card(), self._models_card(), self._more_card())
        for card in cards:
            card.setMaximumWidth(theme.px(WIDTH_PX))
            column.addWidget(card)
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled(_centred(body)))
        state.changed.connect(self._show)
        self._show(state.value)

    def refresh_devices(self) -> None:
        """List the devices again; called when they become known."""
        self.device.blockSignals(True)
        self.device.clear()
        self.device.addItem(self.tr("Best available"), "auto")
        for key, name in self._actions.devices():
            self.device.addItem(name, key)
        wanted = self._state.value.device
        if self.device.findData(wanted) < 0:
            self.device.addItem(self.tr("{0} (not found here)").format(wanted), wanted)
        self.device.setCurrentIndex(self.device.findData(wanted))
        self.device.blockSignals(False)

    def _look_card(self) -> QFrame:
        self.theme = self._choice(THEMES, "theme", self.tr("Theme"))
        self.scale = NumberSlider(SCALE)
        self.scale.track.setTracking(False)  # the whole window changes size: once, at the end of a drag
        self.scale.changed.connect(lambda value: self._state.change({"scale": int(value) / 100}))
        self.motion = self._tick("reduced_motion", self.tr("Reduced motion: films do not play by themselves"))
        return _card(
            self.tr("Look"),
            hint=self.tr("After a change of the scale, some sizes settle at the next start."),
            rows=((self.tr("Theme"), self.theme), ("", self.scale), ("", self.motion)),
        )  # fmt: skip

    def _results_card(self) -> QFrame:
        self.folder = QLineEdit()
        self.folder.setReadOnly(True)
        self.folder.setAccessibleName(self.tr("Folder of results"))
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.folder, 1)
        row.addWidget(push_button(self.tr("Change…"), self._on_folder_clicked))
        row.addWidget(push_button(self.tr("Show"), self._on_show_clicked, name="open"))
        self.format = self._choice(FORMATS, "save_format", self.tr("Picture format"))
        self.clean = self._tick("drag_clean", self.tr("Drag and copy without the recipe inside"))
        return _card(
            self.tr("Results"),
            ((self.tr("Folder"), line), (self.tr("Pictures as"), self.format), ("", self.clean)),
            hint=self.tr("Everything is saved the moment it exists, in a folder for each day."),
        )

    def _device_card(self) -> QFrame:
        self.device = QuietCombo()
        self.device.setAccessibleName(self.tr("Device"))
        self.device.activated.connect(lambda _: self._state.change({"device": str(self.device.currentData())}))
        self.threads = NumberSlider(THREADS)
        self.threads.field.setSpecialValueText(self.tr("All"))
        self.threads.changed.connect(lambda value: self._state.change({"threads": int(value)}))
        self.free = push_button(
            self.tr("Free memory"), self._actions.free_memory, tip=self.tr("Let go of every loaded model")
        )
        self.refresh_devices()
        return _card(
            self.tr("Device"),
            ((self.tr("Generate on"), self.device), ("", self.threads), ("", _left(self.free))),
            hint=self.tr("When a device fails, the processor takes over and the badge above says why."),
        )

    def _models_card(self) -> QFrame:
        self.folders = QVBoxLayout()
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self.folders)
        add = push_button(self.tr("Add a folder of models…"), self._on_add_folder_clicked, name="plus")
        column.addWidget(_left(add))
        return _card(
            self.tr("Model folders"), (("", box),), hint=self.tr("Models in these folders are used where they are.")
        )

    def _more_card(self) -> QFrame:
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        folder = self._actions.data_folder
        row.addWidget(push_button(self.tr("Show log folder"), lambda: _open(folder), name="folder"))
        if self._actions.self_test is not None:
            row.addWidget(push_button(self.tr("Check everything"), self._actions.self_test, name="check"))
        row.addStretch(1)
        return _card(self.tr("Help"), (("", line),), hint=self.tr("Reverie never uses the network."))

    def _choice(self, choices: tuple[tuple[str, str], ...], key: str, name: str) -> QuietCombo:
        combo = QuietCombo()
        for data, label in choices:
            combo.addItem(label, data)
        combo.setAccessibleName(name)
        combo.activated.connect(lambda _: self._state.change({key: str(combo.currentData())}))
        return combo

    def _tick(self, key: str, label: str) -> QCheckBox:
        tick = QCheckBox(label)
        tick.clicked.connect(lambda on: self._state.change({key: on}))
        return tick

    def _show(self, value: Settings) -> None:
        self.theme.setCurrentIndex(self.theme.findData(value.theme))
        self.scale.set_value(round(value.scale * 100))
        self.motion.setChecked(value.reduced_motion)
        self.folder.setText(str(self._actions.results_folder()))
        self.format.setCurrentIndex(self.format.findData(value.save_format))
        self.clean.setChecked(value.drag_clean)
        self.threads.set_value(value.threads)
        self.device.setCurrentIndex(self.device.findData(value.device))
        self._show_folders(value.model_folders)

    def _show_folders(self, folders: tuple[str, ...]) -> None:
        while (item := self.folders.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        for folder in folders:
            line = QWidget()
            row = QHBoxLayout(line)
            row.setContentsMargins(0, 0, 0, 0)
            row.addWidget(theme.label(folder), 1)
            row.addWidget(self._remove_button(folder))
            self.folders.addWidget(line)

    def _remove_button(self, folder: str) -> QPushButton:
        def remove() -> None:
            kept = tuple(one for one in self._state.value.model_folders if one != folder)
            self._state.change({"model_folders": kept})

        return push_button(self.tr("Remove"), remove)

    def _on_folder_clicked(self) -> None:
        self._ask_folder(self.tr("Folder for results"), lambda name: self._state.change({"results_folder": name}))

    def _on_show_clicked(self) -> None:
        _open(self._actions.results_folder())

    def _on_add_folder_clicked(self) -> None:
        def add(name: str) -> None:
            known = self._state.value.model_folders
            if name not in known:
                self._state.change({"model_folders": (*known, name)})

        self._ask_folder(self.tr("Folder of models"), add)

    def _ask_folder(self, title: str, done: Callable[[str], None]) -> None:
        dialog = QFileDialog(self, title)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(done)
        dialog.open()


def _card(title: str, rows: tuple[tuple[str, QWidget], ...], *, hint: str = "") -> QFrame:
    card = QFrame()
    card.setProperty("card", "true")
    grid = QGridLayout(card)
    grid.setContentsMargins(theme.GAP, theme.SPACE + 4, theme.GAP, theme.GAP)
    grid.setHorizontalSpacing(theme.GAP)
    grid.setVerticalSpacing(theme.SPACE + 2)
    grid.setColumnMinimumWidth(0, theme.px(110))
    grid.setColumnStretch(1, 1)
    grid.addWidget(theme.label(title, "subtitle"), 0, 0, 1, 2)
    line = 1
    if hint:
        grid.addWidget(theme.label(hint, "hint", wrap=True), line, 0, 1, 2)
        line += 1
    for words, widget in rows:
        if words:
            label = theme.label(words)
            label.setBuddy(widget)
            grid.addWidget(label, line, 0)
            grid.addWidget(widget, line, 1)
        else:
            grid.addWidget(widget, line, 0, 1, 2)
        line += 1
    return card


def _centred(body: QWidget) -> QWidget:
    body.setMaximumWidth(theme.px(WIDTH_PX + 64))
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    row.addStretch(1)
    row.addWidget(body, 100)
    row.addStretch(1)
    return box


def _left(widget: QWidget) -> QWidget:
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(widget)
    row.addStretch(1)
    return box


def _open(folder: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
