"""Long jobs and news reach the desktop only while another window is in front."""

import msgspec
import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QSystemTrayIcon, QWidget

from studio.core.jobs import Job
from studio.core.requests import ImageRequest, Point
from studio.state.notices import Notice, Notices
from studio.ui.desktop_notice import LONG_S, DesktopNotices, TrayTeller


class Queue(QObject):
    job_changed = Signal(object)


class Desk:
    def __init__(self, window: QWidget) -> None:
        self.now_s, self.active, self.told = 100.0, False, []
        self.notices, self.queue = Notices(), Queue()
        window.isActiveWindow = lambda: self.active
        self.made = DesktopNotices(
            window, notices=self.notices, queue=self.queue, teller=self, clock=lambda: self.now_s
        )

    def tell(self, title: str, text: str) -> None:
        self.told.append((title, text))

    def job(self, seconds: float, *, count: int = 1, state: str = "done", film: bool = False) -> None:
        places = (Point(1), Point(2)) if film else ()
        request = ImageRequest(package="x", seed=1, count=count, path=places)
        job = Job(1, request, state="running")
        self.queue.job_changed.emit(job)
        self.now_s += seconds
        self.queue.job_changed.emit(job)  # a result was saved
        self.queue.job_changed.emit(msgspec.structs.replace(job, state=state))


@pytest.fixture
def desk(qtbot):
    window = QWidget()
    qtbot.addWidget(window)
    return Desk(window)


def test_long_jobs_are_told(desk) -> None:
    desk.job(LONG_S + 1)
    desk.job(LONG_S + 1, count=9)
    desk.job(LONG_S + 1, film=True)
    assert [text for _, text in desk.told] == ["The picture is ready.", "9 pictures are ready.", "The film is ready."]


def test_short_cancelled_and_watched_jobs_are_not(desk) -> None:
    desk.job(LONG_S - 1)
    desk.job(LONG_S + 1, state="cancelled")
    desk.active = True
    desk.job(LONG_S + 1)
    assert desk.told == []


def test_good_and_bad_news_are_told(desk) -> None:
    desk.notices.post(Notice("Leaves is trained.", level="success"))
    desk.notices.post(Notice("It broke.", "Try again.", "error"))
    desk.notices.post(Notice("By the way."))
    assert desk.told == [("Reverie", "Leaves is trained."), ("Reverie", "It broke. Try again.")]


def test_a_desktop_without_a_tray_is_only_asked_for_attention(qtbot, monkeypatch) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", staticmethod(lambda: False))
    teller = TrayTeller(window)
    teller.tell("Reverie", "Ready.")
    assert window.findChild(QSystemTrayIcon) is None


def test_a_tray_shows_the_message(qtbot, monkeypatch) -> None:
    window, shown = QWidget(), []
    qtbot.addWidget(window)
    monkeypatch.setattr(QSystemTrayIcon, "isSystemTrayAvailable", staticmethod(lambda: True))
    monkeypatch.setattr(QSystemTrayIcon, "show", lambda _self: None)  # no tray on the platform of the tests
    monkeypatch.setattr(window, "raise_", lambda: None)
    monkeypatch.setattr(QSystemTrayIcon, "showMessage", lambda _self, *words: shown.append(words[:2]))
    teller = TrayTeller(window)
    teller.tell("Reverie", "Ready.")
    assert shown == [("Reverie", "Ready.")]
    window.findChild(QSystemTrayIcon).messageClicked.emit()
    assert window.isVisible()
