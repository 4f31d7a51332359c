"""The wizard's page with real drops, keys and clicks, on a scripted trainer."""

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QImage
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLineEdit, QSlider

from studio.ui import theme
from studio.ui.wizard.page import WizardPage
from studio.ui.wizard.pictures import Thumbs
from tests.wizard_kit import Desk, draw


@pytest.fixture
def desk(qtbot, tmp_path):
    made = Desk(tmp_path / "home")
    qtbot.waitUntil(lambda: made.library.loaded, timeout=10_000)
    yield made
    made.close()
    made.end_trainers()


@pytest.fixture
def page(desk, qtbot, qapp):
    theme.apply(qapp, "dark")
    made = WizardPage(desk.wizard)
    qtbot.addWidget(made)
    made.resize(1280, 800)
    made.show()
    return made


def drag(widget, paths):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    action, button, keys = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    place = QPoint(20, 20)
    enter = QDragEnterEvent(place, action, mime, button, keys)
    QApplication.sendEvent(widget, enter)
    if not enter.isAccepted():
        return False
    event = QDropEvent(place.toPointF(), action, mime, button, keys)
    QApplication.sendEvent(widget, event)
    return event.isAccepted()


def click(qtbot, button):
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def ready(desk, page, qtbot, folder, preset="Quick"):
    assert drag(page.drop_card.zone, [folder])
    qtbot.waitUntil(lambda: bool(desk.wizard.pairs), timeout=10_000)
    page.refresh()
    box = page.base_card.preset_box
    box.setCurrentText(preset)
    box.activated.emit(box.currentIndex())
    page.refresh()


def test_empty_state_says_what_to_do_and_offers_samples(desk, page, qtbot):
    assert not page.train_card.train_button.isEnabled()
    assert page.train_card.missing.text() == "Drop pictures, a folder or a zip."
    click(qtbot, page.drop_card.sample_button)
    qtbot.waitUntil(lambda: "60 pictures" in page.drop_card.sentence.text(), timeout=20_000)


def test_a_drop_is_explained(desk, page, qtbot, tmp_path):
    folder = draw(tmp_path / "mix")
    (folder / "letter.docx").write_bytes(b"x")
    (folder / "torn.png").write_bytes(b"\x89PNG\r\n")
    ready(desk, page, qtbot, folder)
    assert page.drop_card.sentence.text() == "8 pictures, all in one place. 2 files are not used."
    assert page.drop_card.thumbs.count() == 8
    assert page.base_card.previews.count() == 12
    unused = page.drop_card.lists["unused"]
    assert [unused.item(i).text().split(":")[0] for i in range(unused.count())] == ["mix/letter.docx", "mix/torn.png"]
    assert page.train_card.train_button.isEnabled()


def test_the_whole_page_takes_drops_and_refuses_what_is_no_file(desk, page, qtbot, tmp_path):
    assert drag(page, [draw(tmp_path / "in")])
    qtbot.waitUntil(lambda: desk.wizard.flow.understanding is not None, timeout=10_000)
    assert not drag(page, [])
    zone = page.drop_card.zone
    assert not drag(zone, [])
    QApplication.sendEvent(zone, QDragLeaveEvent())


def test_a_bad_drop_shows_why(desk, page, qtbot, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"")
    assert drag(page, [tmp_path / "bad"])
    qtbot.waitUntil(lambda: "None of the 1 files" in page.drop_card.sentence.text(), timeout=10_000)
    assert page.drop_card.sentence.property("level") == "error"


def test_choices_reach_the_flow(desk, page, qtbot, tmp_path):
    ready(desk, page, qtbot, draw(tmp_path / "in"))
    click(qtbot, page.base_card.mode_buttons["pad"])
    page.name_card.name_edit.clear()
    qtbot.keyClicks(page.name_card.name_edit, "My own")
    qtbot.keyClicks(page.name_card.consent_edit, "mine")
    flow = desk.wizard.flow
    assert (flow.mode, flow.name, flow.consent) == ("pad", "My own", "mine")
    page.name_card.name_edit.clear()
    page.name_card.name_edit.textEdited.emit("")
    page.refresh()
    assert page.train_card.missing.text() == "Give the new model a name."


def test_measure_train_watch_and_open(desk, page, qtbot, tmp_path):
    ready(desk, page, qtbot, draw(tmp_path / "in"))
    click(qtbot, page.fit_card.measure_button)
    qtbot.waitUntil(lambda: page.fit_card.verdict.text().startswith("It fits: 20 ms a step"), timeout=20_000)
    qtbot.waitUntil(page.train_card.train_button.isEnabled, timeout=10_000)
    click(qtbot, page.train_card.train_button)
    qtbot.waitUntil(page.result_card.isVisible, timeout=20_000)
    assert page.train_card.plot.names() == ("mse",)
    assert "6 checks passed" in page.result_card.proof.text()
    assert "25.00%" in page.result_card.proof.text()
    assert page.result_card.before.file.endswith("step-00000000.png")
    assert page.result_card.after.file.endswith("step-00000005.png")
    slider = page.train_card.samples.scrubber
    assert slider.maximum() == 1
    slider.setValue(0)
    assert page.train_card.samples.sheet.file.endswith("step-00000000.png")
    with qtbot.waitSignal(page.open_requested) as opened:
        click(qtbot, page.result_card.open_button)
    assert opened.args == ["in"]
    click(qtbot, page.result_card.again_button)
    page.refresh()
    assert not page.result_card.isVisible()
    assert list(page.runs_card.lines) == [desk.wizard.training.runs[0].id]


def test_pause_resume_sample_and_stop_buttons(desk, page, qtbot, tmp_path):
    ready(desk, page, qtbot, draw(tmp_path / "in"), "Slow")
    card = page.train_card
    click(qtbot, card.train_button)
    qtbot.waitUntil(lambda: card.heading.text().startswith("Training: step"), timeout=20_000)
    click(qtbot, card.sample_button)
    qtbot.waitUntil(lambda: len(desk.wizard.run.samples) == 2, timeout=5_000)
    click(qtbot, card.pause_button)
    qtbot.waitUntil(lambda: card.pause_button.text() == "Resume" and card.pause_button.isEnabled(), timeout=5_000)
    click(qtbot, card.pause_button)
    qtbot.waitUntil(lambda: card.pause_button.text() == "Pause" and card.pause_button.isEnabled(), timeout=5_000)
    click(qtbot, card.stop_button)
    qtbot.waitUntil(lambda: card.heading.text() == "Stopped", timeout=3_000)
    run = desk.wizard.flow.run_id
    qtbot.waitUntil(lambda: not desk.supervisor.alive(run), timeout=3_000)
    page.refresh()
    line = page.runs_card.lines[run]
    assert line.resume_button.isVisible()
    click(qtbot, line.remove_button)
    page.refresh()
    assert page.runs_card.lines == {}


def test_a_crash_offers_resume_on_the_card(desk, page, qtbot, tmp_path):
    ready(desk, page, qtbot, draw(tmp_path / "in"), "Crash")
    card = page.train_card
    click(qtbot, card.train_button)
    qtbot.waitUntil(lambda: card.heading.text().startswith("Stopped unexpectedly"), timeout=20_000)
    assert card.pause_button.text() == "Resume"
    click(qtbot, card.pause_button)
    qtbot.waitUntil(page.result_card.isVisible, timeout=20_000)


def test_everything_is_named_and_reached_by_keyboard(desk, page, qtbot, tmp_path):
    ready(desk, page, qtbot, draw(tmp_path / "in"))
    kinds = (QAbstractButton, QComboBox, QLineEdit, QSlider)
    for kind in kinds:
        for widget in page.findChildren(kind):
            if widget.isVisibleTo(page):
                name = widget.accessibleName() or getattr(widget, "text", str)()
                assert name, widget
                assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, name


def test_thumbnails_wrap(qtbot):
    thumbs = Thumbs(50)
    qtbot.addWidget(thumbs)
    thumbs.resize(220, 10)
    thumbs.show_pictures([np.full((10, 10, 4), (200, 200, 200, 255), np.uint8)] * 6, name="six")
    assert thumbs.height() == 2 * 54 - 4
    thumbs.resize(120, thumbs.height())
    assert thumbs.height() == 3 * 54 - 4
    image = QImage(thumbs.size(), QImage.Format.Format_ARGB32)
    thumbs.render(image)
    assert image.pixelColor(25, 25).red() == 200
