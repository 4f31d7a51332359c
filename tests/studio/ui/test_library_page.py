import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton

from studio.runtime.catalogue import Catalogue
from studio.state.library import LibraryState
from studio.state.notices import Notices
from studio.ui import theme
from studio.ui.library.page import LibraryPage
from studio.workers.background import Background
from tests.package_kit import FIXTURES, copy_fixture


@pytest.fixture
def background(qapp):
    made = Background(threads=1)
    yield made
    made.close()


@pytest.fixture
def user(tmp_path):
    return tmp_path / "user"


@pytest.fixture
def make_page(qapp, qtbot, tmp_path, user, background):
    theme.apply(qapp, "dark")

    def make(*names):
        for name in names:
            copy_fixture(tmp_path / "bundled" if name == "tiny-map" else user, name)
        notices = Notices(qapp)
        state = LibraryState(Catalogue(lambda: (user,), tmp_path / "bundled"), background, notices, user, parent=qapp)
        page = LibraryPage(state)
        page.posted = []
        notices.posted.connect(page.posted.append)
        qtbot.addWidget(page)
        page.resize(1280, 800)
        page.show()
        state.refresh()
        qtbot.waitUntil(lambda: state.loaded and not state.busy)
        return page

    return make


def button(page, text):
    return next(each for each in page.findChildren(QPushButton) if each.text().strip() == text and each.isVisible())


def words(page):
    return "\n".join(label.text() for label in page.findChildren(QLabel) if label.isVisible())


def test_the_first_model_is_shown_with_what_is_known_of_it(make_page, qtbot):
    page = make_page("tiny-map", "tiny-latent")
    assert page.current_id == "tiny-map"
    expected = ("Tiny map", "Starter", "Experimental", "16 x 16 px, grey", "CC0-1.0", "2 models")
    qtbot.waitUntil(lambda: all(each in words(page) for each in expected))
    assert not button(page, "Remove").isEnabled()
    assert "came with Reverie" in button(page, "Remove").toolTip()
    assert not button(page, "Fine-tune").isEnabled()
    assert button(page, "Fine-tune").toolTip()


def test_open_by_button_key_and_double_click(make_page, qtbot):
    page = make_page("tiny-map", "tiny-latent")
    page.select("tiny-latent")
    opened = []
    page.open_requested.connect(opened.append)
    button(page, "Open in Paint").click()
    page._list.setFocus()
    QTest.keyClick(page._list, Qt.Key.Key_Return)
    place = page._list.visualRect(page._list.currentIndex()).center()
    QTest.mouseClick(page._list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    QTest.mouseDClick(page._list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert opened == ["tiny-latent"] * 3


def test_export_and_remove(make_page, qtbot, tmp_path, user):
    page = make_page("tiny-map", "tiny-latent")
    page.select("tiny-latent")
    page.ask_target = lambda _id: tmp_path / "out.reverie"
    button(page, "Export…").click()
    qtbot.waitUntil(lambda: len(page.posted) == 1)
    assert (tmp_path / "out.reverie").exists()
    QTest.keyClick(page._list, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: page.current_id == "tiny-map")
    assert not (user / "tiny-latent").exists()


def test_search(make_page):
    page = make_page("tiny-map", "tiny-latent", "tiny-diffusion")
    page._search.setText("diffusion")
    assert page.current_id == "tiny-diffusion"
    page._search.setText("no such words")
    assert page.current_id == ""
    assert "Nothing found" in words(page)
    page._search.clear()
    assert page._rows.rowCount() == 3


def test_empty_library_offers_an_import(make_page, qtbot):
    page = make_page()
    assert "No models yet" in words(page)
    page.ask_files = lambda: [FIXTURES / "tiny-diffusion"]
    button(page, "Import a model…").click()
    qtbot.waitUntil(lambda: page.current_id == "tiny-diffusion")


def test_scan_a_folder(make_page, qtbot):
    page = make_page("tiny-map")
    page.ask_folder = lambda: FIXTURES
    button(page, "Scan a folder…").click()
    qtbot.waitUntil(lambda: page._rows.rowCount() == 3)


@pytest.mark.filterwarnings("ignore:Function. .QDragEnterEvent:DeprecationWarning")
def test_drop(make_page, qtbot):
    page = make_page("tiny-map")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(FIXTURES / "tiny-diffusion"))])
    keys = (Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(page, QDragEnterEvent(QPoint(10, 10), *keys))
    assert page._drop.isVisible()
    QApplication.sendEvent(page, QDropEvent(QPointF(10, 10), *keys))
    assert not page._drop.isVisible()
    qtbot.waitUntil(lambda: page.current_id == "tiny-diffusion")


def test_everything_has_a_name_and_can_be_reached_by_keys(make_page):
    page = make_page("tiny-map", "tiny-latent")
    assert page._list.accessibleName()
    assert page._search.accessibleName()
    for each in page.findChildren(QPushButton):
        assert each.text() or each.accessibleName()
        assert each.focusPolicy() & Qt.FocusPolicy.TabFocus
    index = page._list.model().index(0, 0)
    assert index.data(Qt.ItemDataRole.AccessibleTextRole).startswith("Tiny map")
