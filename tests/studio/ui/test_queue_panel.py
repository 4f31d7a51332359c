import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from studio.core.errors import PackageError
from studio.core.requests import ImageRequest, Point
from studio.ui import theme
from studio.ui.queue_panel import QueuePanel, job_words
from tests.studio.state.test_queue import WAIT_MS, House

CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def house(tmp_path, qtbot):
    theme.apply(QApplication.instance(), "dark")
    made = House(tmp_path)
    made.engine.free = False
    yield made
    made.close()


@pytest.fixture
def panel(house, qtbot):
    made = QueuePanel(house.queue)
    qtbot.addWidget(made)
    made.resize(480, 300)
    made.show()
    return made


def rows(panel):
    return [
        (panel.list.topLevelItem(row).text(0).split(",")[0], panel.list.topLevelItem(row).text(1))
        for row in range(panel.list.topLevelItemCount())
    ]


def choose(panel, job_id):
    panel.list.clearSelection()
    panel.list.setCurrentItem(panel._items[job_id])
    panel.list.setFocus()


def test_an_empty_queue_says_what_it_is_for(panel):
    assert not panel.list.isVisible()
    assert panel._empty.isVisible()


def test_states_are_words_and_the_keyboard_reorders(house, panel, qtbot):
    a, b, c = (house.queue.enqueue(ImageRequest(name)) for name in "abc")
    assert rows(panel) == [("a", "Running"), ("b", "Waiting"), ("c", "Waiting")]
    choose(panel, c)
    qtbot.keyClick(panel.list, Qt.Key.Key_Up, CTRL)
    assert rows(panel) == [("a", "Running"), ("c", "Waiting"), ("b", "Waiting")]
    assert panel.chosen() == [c]
    qtbot.keyClick(panel.list, Qt.Key.Key_Down, CTRL)
    choose(panel, c)
    qtbot.keyClick(panel.list, Qt.Key.Key_Home, CTRL)
    assert rows(panel)[1] == ("c", "Waiting")
    choose(panel, b)
    qtbot.keyClick(panel.list, Qt.Key.Key_Delete)
    assert rows(panel)[-1] == ("b", "Cancelled")
    choose(panel, b)
    qtbot.keyClick(panel.list, Qt.Key.Key_R, CTRL)
    assert ("b", "Waiting") in rows(panel)
    choose(panel, a)
    qtbot.keyClick(panel.list, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: house.state(a) == "cancelled", timeout=WAIT_MS)
    house.queue.cancel_all()
    qtbot.waitUntil(lambda: house.queue.running is None, timeout=WAIT_MS)
    panel._clear.click()
    assert rows(panel) == []


def test_jobs_carry_the_name_of_their_model_while_it_is_there(house, qtbot):
    def name(package: str) -> str:
        if package == "gone":
            raise PackageError("It is not here.")
        return "Garden leaves"

    made = QueuePanel(house.queue, describe=name)
    qtbot.addWidget(made)
    made.show()
    house.queue.enqueue(ImageRequest("leaves"))
    house.queue.enqueue(ImageRequest("gone"))
    assert [words for words, _ in rows(made)] == ["Garden leaves", "gone"]
    running = made.list.visualItemRect(made.list.topLevelItem(0)).height()
    assert running == made.list.visualItemRect(made.list.topLevelItem(1)).height()
    house.queue.cancel_all()
    qtbot.waitUntil(lambda: house.queue.running is None, timeout=WAIT_MS)


def test_buttons_are_on_only_when_they_can_do_something(house, panel):
    house.queue.enqueue(ImageRequest("a"))
    waiting = house.queue.enqueue(ImageRequest("b"))
    panel.list.clearSelection()
    assert not panel._cancel.isEnabled()
    choose(panel, waiting)
    assert panel._cancel.isEnabled()
    assert panel._front.isEnabled()
    assert not panel._retry.isEnabled()


def test_the_running_job_shows_its_progress(house, panel, qtbot):
    house.queue.enqueue(ImageRequest("a", count=3))
    assert panel._bar.maximum() == 3
    house.engine.gate.release()
    qtbot.waitUntil(lambda: panel._bar is not None and panel._bar.value() == 1, timeout=WAIT_MS)
    house.queue.cancel_all()
    qtbot.waitUntil(lambda: panel._bar is None, timeout=WAIT_MS)


def test_every_button_has_a_name(panel):
    for button in (panel._cancel, panel._retry, panel._front, panel._up, panel._down, panel._clear):
        assert button.accessibleName()
        assert button.toolTip()


def test_jobs_in_words(house):
    picture = house.store.enqueue(ImageRequest("tiles", seed=4, count=2))
    film = house.store.enqueue(ImageRequest("vae", path=(Point(1), Point(2)), film_format="gif"))
    assert job_words(picture) == "tiles, 2 pictures, seed 4"
    assert job_words(film) == "vae, film (GIF)"
