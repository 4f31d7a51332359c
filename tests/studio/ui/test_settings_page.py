"""Every setting takes effect at once."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QPushButton

from studio.runtime.settings_store import SettingsStore
from studio.state.notices import Notices
from studio.state.settings import SettingsState
from studio.ui.settings_page import SettingsActions, SettingsPage
from studio.workers.background import Background


@pytest.fixture
def parts(tmp_path, qtbot):
    background = Background(1)
    settings = SettingsState(SettingsStore(tmp_path / "s.json"), background=background, notices=Notices())
    freed: list[int] = []
    actions = SettingsActions(
        devices=lambda: (("cuda", "NVIDIA GPU"), ("cpu", "Processor")),
        results_folder=lambda: Path(settings.value.results_folder or tmp_path),
        data_folder=tmp_path,
        free_memory=lambda: freed.append(1),
    )
    page = SettingsPage(settings, actions)
    qtbot.addWidget(page)
    page.show()
    yield page, settings, freed
    background.close()


def pick(combo, data: str) -> None:
    combo.setCurrentIndex(combo.findData(data))
    combo.activated.emit(combo.currentIndex())


def test_choices_and_ticks(parts, qtbot) -> None:
    page, settings, freed = parts
    pick(page.theme, "light")
    pick(page.device, "cpu")
    pick(page.format, "webp")
    for tick in (page.clean, page.motion):
        tick.click()
    page.scale.field.setValue(125)
    page.threads.field.setValue(2)
    qtbot.mouseClick(page.free, Qt.MouseButton.LeftButton)
    value = settings.value
    assert (value.theme, value.device, value.save_format) == ("light", "cpu", "webp")
    assert (value.drag_clean, value.reduced_motion, value.scale, value.threads) == (True, True, 1.25, 2)
    assert freed == [1]


def test_folders(parts, qtbot, tmp_path) -> None:
    page, settings, _ = parts
    page._on_folder_clicked()
    page.findChild(QFileDialog).fileSelected.emit(str(tmp_path / "mine"))
    assert page.folder.text() == str(tmp_path / "mine")
    settings.change({"model_folders": ("/a", "/b")})
    remove = [button for button in page.findChildren(QPushButton) if button.text() == "Remove"]
    assert len(remove) == 2
    remove[0].click()
    assert settings.value.model_folders == ("/b",)


def test_an_absent_device_stays_visible(parts) -> None:
    page, settings, _ = parts
    settings.change({"device": "directml"})
    page.refresh_devices()
    assert page.device.currentText() == "directml (not found here)"
