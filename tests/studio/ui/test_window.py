"""The shell: tabs, keys, notices, drops, folds, closing."""

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from studio.core.events import RunFacts
from studio.runtime.settings_store import SettingsStore
from studio.state.notices import Notice, Notices
from studio.state.settings import SettingsState
from studio.ui.drop_zones import zones_for
from studio.ui.elided import ElidedLabel
from studio.ui.window import MainWindow, Pane, Shell
from studio.ui.zones import Zones
from studio.workers.background import Background

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


class FakePane(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.zones = Zones(QLabel("l"), QLabel("c"), QLabel("r"))
        self.zones.setParent(self)
        self.did: list[str] = []

    def generate(self) -> None:
        self.did.append("generate")

    def generate_first(self) -> None:
        self.did.append("first")

    def cancel(self) -> None:
        self.did.append("cancel")


@pytest.fixture
def parts(tmp_path, qtbot):
    background, notices = Background(1), Notices()
    settings = SettingsState(SettingsStore(tmp_path / "s.json"), background=background, notices=notices)
    made: list[str] = []
    later: list = []
    keeps = [""]

    def make(key, widget):
        made.append(key)
        return widget()

    panes = tuple(
        Pane(key, key.title(), "paint", lambda key=key, widget=widget: make(key, widget))
        for key, widget in (("paint", FakePane), ("gallery", QLabel), ("settings", QLabel))
    )
    shell = Shell(panes, lambda: QLabel("queue"), lambda ms, call: (later.append((ms, call)), lambda: None)[1],
                  lambda: keeps[0])  # fmt: skip
    window = MainWindow(shell, notices=notices, settings=settings)
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    window.open_pane(0)
    qtbot.waitActive(window).__enter__()
    yield window, notices, settings, made, later, keeps
    background.close()


def test_panes_are_made_when_first_shown(parts, qtbot) -> None:
    window, _, _, made, *_ = parts
    assert made == ["paint"]
    qtbot.keyClick(window, Qt.Key.Key_2, CTRL)
    assert made == ["paint", "gallery"]
    assert window.stack.currentIndex() == 1
    assert not window.top.left.isVisible()
    qtbot.mouseClick(window.top.tabs[0], Qt.MouseButton.LeftButton)
    assert window.top.tabs[0].isChecked()
    assert made == ["paint", "gallery"]
    with pytest.raises(KeyError):
        window.pane("nothing")


def test_keys_reach_the_pane(parts, qtbot) -> None:
    window = parts[0]
    pane = window.pane("paint")
    qtbot.keyClick(window, Qt.Key.Key_Return, CTRL)
    qtbot.keyClick(window, Qt.Key.Key_Return, CTRL | SHIFT)
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert pane.did == ["generate", "first", "cancel"]
    window.open_pane(1)
    qtbot.keyClick(window, Qt.Key.Key_Return, CTRL)
    assert pane.did == ["generate", "first", "cancel"]


def test_escape_closes_what_is_open_before_it_stops(parts, qtbot) -> None:
    window, notices, *_ = parts
    pane = window.pane("paint")
    notices.post(Notice("Hello"))
    window.toggle_queue()
    window.sheet.open_sheet()
    for _ in range(4):
        qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert not window.sheet.isVisible()
    assert window.notice_bar.cards == ()
    assert pane.did == ["cancel"]


def test_both_sides_fold_and_are_remembered(parts, qtbot) -> None:
    window, _, settings, *_ = parts
    zones = window.pane("paint").zones
    qtbot.keyClick(window, Qt.Key.Key_B, CTRL)
    qtbot.keyClick(window, Qt.Key.Key_B, CTRL | SHIFT)
    assert settings.value.folded == ("left", "right")
    assert zones.is_folded("left")
    qtbot.mouseClick(window.top.left, Qt.MouseButton.LeftButton)
    assert settings.value.folded == ("right",)


def test_notices_offer_what_to_do(parts, qtbot) -> None:
    window, notices, _, _, later, _ = parts
    ran: list[str] = []
    notices.post(Notice("The disk is full.", "Free 3 MB.", "error", "Retry", lambda: ran.append("retry")))
    notices.post(Notice("Saved.", level="success"))
    notices.post(Notice("Saved.", level="success"))
    cards = window.notice_bar.cards
    assert [card.notice.text for card in cards] == ["The disk is full.", "Saved."]
    assert cards[0].text.accessibleName() == "Error: The disk is full."
    later[-1][1]()  # good news leaves by itself
    assert len(window.notice_bar.cards) == 1
    qtbot.mouseClick(cards[0].action, Qt.MouseButton.LeftButton)
    assert ran == ["retry"]
    assert not window.notice_bar.isVisible()
    for number in range(5):
        notices.post(Notice(f"n{number}", level="error"))
    assert [card.notice.text for card in window.notice_bar.cards] == ["n2", "n3", "n4"]


def test_device_badge_says_why(parts) -> None:
    window = parts[0]
    assert "no model loaded" in window.top.device.text()
    window.show_facts(RunFacts("CUDAExecutionProvider"))
    assert "NVIDIA" in window.top.device.text()
    window.show_facts(RunFacts("CPUExecutionProvider", "No NVIDIA driver was found."))
    assert window.top.device.toolTip() == "No NVIDIA driver was found."
    assert window.top.device.accessibleDescription() == "No NVIDIA driver was found."


def test_busy_mark_waits_a_second(parts) -> None:
    window, _, _, _, later, _ = parts
    window.set_busy(True)
    assert window.top.busy.text() == ""
    assert later[-1][0] == 1000
    later[-1][1]()
    assert window.top.busy.text()
    window.set_busy(False)
    assert window.top.busy.text() == ""


def test_closing_says_that_training_goes_on(parts, qtbot) -> None:
    window, _, settings, _, _, keeps = parts
    keeps[0] = "The training of Leaves goes on after the window closes."
    assert not window.close()
    card = window.notice_bar.cards[-1]
    assert "goes on" in card.notice.text
    with qtbot.waitSignal(window.closing):
        qtbot.mouseClick(card.action, Qt.MouseButton.LeftButton)
    assert settings.value.window_geometry


def test_geometry_comes_back(parts, qtbot) -> None:
    window, notices, settings, *_ = parts
    window.resize(window.minimumSizeHint().width() + 3, 500)
    window.close()
    again = MainWindow(window._shell, notices=notices, settings=settings)
    qtbot.addWidget(again)
    assert again.size() == window.size()


def test_theme_changes_at_once(parts, qapp) -> None:
    window, _, settings, *_ = parts
    settings.change({"theme": "light"})
    light = qapp.styleSheet()
    settings.change({"theme": "contrast", "scale": 1.25})
    assert qapp.styleSheet() != light
    assert window.font().pointSizeF() == pytest.approx(12.5)
    settings.change({"theme": "dark", "scale": 1.0})


def mime_of(*names: str) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(name) for name in names])
    return mime


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (("/a/leaf.png",), ["recipe", "start", "train"]),
        (("/a/one.png", "/a/two.png"), ["train"]),
        (("/a/model.reverie",), ["import"]),
        (("/a/film.mp4",), ["recipe"]),
        (("/a/set.zip",), ["train"]),
    ],
)
def test_zones_say_what_a_drop_would_do(names, keys) -> None:
    assert [zone.key for zone in zones_for(mime_of(*names))] == keys


def test_zones_of_a_picture_from_a_browser_and_of_words() -> None:
    mime = QMimeData()
    mime.setImageData(QImage(4, 4, QImage.Format.Format_ARGB32))
    assert [zone.key for zone in zones_for(mime)] == ["start"]
    mime = QMimeData()
    mime.setText("hello")
    assert zones_for(mime) == ()


def test_drop_on_a_zone_by_real_events(parts, qtbot) -> None:
    window = parts[0]
    mime = mime_of("/a/leaf.png")
    copy, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(600, 400), copy, mime, Qt.MouseButton.LeftButton, none)
    QApplication.sendEvent(window, enter)
    zones = window.drop_zones
    assert zones.isVisible()
    assert enter.isAccepted()
    zones.grab()
    # Qt moves a drag to the widget under the pointer by itself; synthetic events have to.
    QApplication.sendEvent(zones, QDragEnterEvent(QPoint(600, 400), copy, mime, Qt.MouseButton.LeftButton, none))
    place = QPointF(zones.rects()[1].center())
    drop = QDropEvent(place, copy, mime, Qt.MouseButton.LeftButton, none)
    with qtbot.waitSignal(window.dropped) as caught:
        QApplication.sendEvent(zones, drop)
    assert caught.args[0] == "start"
    assert not zones.isVisible()


def test_sheet_shows_every_group(parts, qtbot) -> None:
    window = parts[0]
    qtbot.mouseClick(window.top.help, Qt.MouseButton.LeftButton)
    words = {label.text() for label in window.sheet.findChildren(QLabel)}
    assert {"Everywhere", "Picture", "Mask", "Gallery", "Ctrl+Enter"} <= words
    qtbot.mouseClick(window.sheet, Qt.MouseButton.LeftButton, pos=QPoint(4, 4))
    assert not window.sheet.isVisible()


def test_a_narrow_window_gives_up_words_not_buttons(parts) -> None:
    window = parts[0]
    top = window.top
    top.setFixedWidth(1200)
    assert top.name.isVisible()
    top.setFixedWidth(top.minimumSizeHint().width())
    assert not top.name.isVisible()
    assert all(tab.geometry().right() <= top.width() and tab.accessibleName() for tab in top.tabs)
    top.setFixedWidth(1200)
    assert top.name.isVisible()


def test_words_without_room_end_in_an_ellipsis(parts, qtbot) -> None:
    label = ElidedLabel("hint")
    qtbot.addWidget(label)
    label.setText("a name that is much too long for the room it has")
    label.resize(60, 20)
    short = label.grab().toImage()
    label.setText(label.text()[:40] + "!" * 9)
    assert label.grab().toImage() == short
    assert label.toolTip() == label.text()
