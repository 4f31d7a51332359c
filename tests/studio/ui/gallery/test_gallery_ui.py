import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication

from studio.core.events import RunFacts
from studio.core.requests import ImageRequest, Point
from studio.ui import theme
from studio.ui.gallery.actions import deeds, show_menu
from studio.ui.gallery.page import GalleryPage
from studio.ui.gallery.strip import GalleryStrip
from tests.studio.runtime.gallery_tools import pixels, save
from tests.studio.runtime.test_gallery_index import fill
from tests.studio.state.test_gallery import WAIT_MS, Place

KEY = Qt.Key


@pytest.fixture
def place(tmp_path, qtbot):
    theme.apply(QApplication.instance(), "dark")
    made = Place(tmp_path)
    yield made
    made.close()


@pytest.fixture
def page(place, qtbot):
    for seed in range(12):
        save(place.results, seed=seed)
    made = GalleryPage(place.gallery)
    qtbot.addWidget(made)
    made.resize(640, 480)
    place.gallery.start()
    made.show()
    qtbot.waitUntil(lambda: place.gallery.model.rowCount() == 12, timeout=WAIT_MS)
    return made


def test_tiles_stand_in_columns_and_are_found_under_the_mouse(page):
    grid = page.grid
    assert grid.columns == grid.viewport().width() // grid.cell.width() > 1
    for row in range(12):
        index = grid.model().index(row, 0)
        rect = grid.visualRect(index)
        if grid.viewport().rect().contains(rect):
            assert grid.indexAt(rect.center()) == index
    assert not grid.indexAt(QPoint(grid.viewport().width() - 1, 10_000)).isValid()


def test_the_keyboard_reaches_every_tile(page, qtbot):
    grid = page.grid
    grid.setFocus()
    qtbot.keyClick(grid, KEY.Key_Home)
    assert grid.currentIndex().row() == 0
    qtbot.keyClick(grid, KEY.Key_Right)
    qtbot.keyClick(grid, KEY.Key_Down)
    assert grid.currentIndex().row() == 1 + grid.columns
    qtbot.keyClick(grid, KEY.Key_End)
    assert grid.currentIndex().row() == 11
    assert grid.viewport().rect().intersects(grid.visualRect(grid.currentIndex()))
    qtbot.keyClick(grid, KEY.Key_Up, Qt.KeyboardModifier.ShiftModifier)
    assert len(grid.entries()) > 1
    qtbot.keyClick(grid, KEY.Key_PageUp)
    assert grid.currentIndex().row() < 11


def test_enter_opens_the_viewer_and_escape_closes_it(page, qtbot):
    qtbot.keyClick(page.grid, KEY.Key_Home)
    qtbot.keyClick(page.grid, KEY.Key_Return)
    assert page.stack.currentWidget() is page.viewer
    assert page.viewer.entry.seed == 11
    qtbot.waitUntil(lambda: page.viewer.picture._frames != [], timeout=WAIT_MS)
    qtbot.keyClick(page.viewer.picture, KEY.Key_Right)
    assert page.viewer.entry.seed == 10
    qtbot.keyClick(page.viewer.picture, KEY.Key_Escape)
    assert page.stack.currentWidget() is page.grid


@pytest.mark.parametrize(("key", "scope"), [("A", "all"), ("S", "seed"), ("P", "prompt"), ("R", "remix")])
def test_letters_in_the_viewer_recall(place, page, qtbot, key, scope):
    page.open_entry(place.gallery.model.entry(2))
    with qtbot.waitSignal(place.gallery.restore_requested, timeout=WAIT_MS) as caught:
        qtbot.keyClick(page.viewer.picture, key)
    assert (caught.args[0].recipe.request.seed, caught.args[1]) == (9, scope)


def test_star_and_delete_in_the_viewer(place, page, qtbot):
    page.open_entry(place.gallery.model.entry(0))
    qtbot.keyClick(page.viewer.picture, ".")
    assert place.gallery.model.entry(0).starred
    assert page.viewer.entry.starred
    qtbot.keyClick(page.viewer.picture, KEY.Key_Delete)
    assert page.viewer.entry.seed == 10
    qtbot.waitUntil(lambda: bool(place.posted), timeout=WAIT_MS)
    assert place.posted[-1].action == "Undo"
    place.posted[-1].run()
    qtbot.waitUntil(lambda: place.gallery.model.rowCount() == 12, timeout=WAIT_MS)


def test_the_frame_of_a_starred_tile_does_not_cover_its_picture(place, page, qtbot):
    grid = page.grid
    qtbot.keyClick(grid, KEY.Key_Home)
    first = grid.visualRect(grid.model().index(0, 0))
    qtbot.waitUntil(lambda: place.gallery.cache.get(place.gallery.model.entry(0)) is not None, timeout=WAIT_MS)
    before = grid.grab().toImage().pixelColor(first.center())
    place.gallery.star([place.gallery.model.entry(0)])
    assert place.gallery.model.entry(0).starred
    grid.setFocus()
    assert grid.grab().toImage().pixelColor(first.center()) == before


def test_a_film_plays_and_pauses(place, page, qtbot):
    film = place.results.film(
        ImageRequest("v", path=(Point(1), Point(2)), film_format="gif"), RunFacts(""), model_name="", model_sha256=""
    )
    for seed in range(5):
        film.add(pixels(seed))
    entry = film.finish()
    place.gallery.add(entry)
    page.open_entry(entry)
    picture = page.viewer.picture
    qtbot.waitUntil(lambda: picture.playing, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: picture.frame > 0, timeout=WAIT_MS)
    qtbot.keyClick(picture, KEY.Key_Space)
    assert not picture.playing
    qtbot.keyClick(picture, KEY.Key_Home)
    assert picture.frame == 0
    page.close_viewer()
    assert not picture.playing


def test_search_and_filters_show_empty_states_that_lead_back(place, page, qtbot):
    qtbot.keyClicks(page.search, "seed3")
    qtbot.waitUntil(lambda: place.gallery.model.rowCount() == 1, timeout=WAIT_MS)
    page.search.setText("nothing at all")
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page._empty, timeout=WAIT_MS)
    assert "nothing at all" in page._empty_words.text()
    page._empty_button.click()
    qtbot.waitUntil(lambda: page.stack.currentWidget() is page.grid, timeout=WAIT_MS)
    page.trash.click()
    qtbot.waitUntil(lambda: page._empty_words.text() == "The trash is empty", timeout=WAIT_MS)
    page._empty_button.click()
    qtbot.waitUntil(lambda: place.gallery.model.rowCount() == 12, timeout=WAIT_MS)


def test_an_empty_gallery_sends_to_the_pane(place, qtbot):
    made = GalleryPage(place.gallery)
    qtbot.addWidget(made)
    with qtbot.waitSignal(made.make_requested):
        made._empty_button.click()


def test_the_tile_size_is_told_and_keeps_the_place(place, qtbot):
    fill(place.index, 2000)
    made = GalleryPage(place.gallery)
    qtbot.addWidget(made)
    made.resize(800, 600)
    made.show()
    place.gallery.only_starred(True)
    place.gallery.only_starred(False)
    qtbot.waitUntil(lambda: place.gallery.model.rowCount() == 2000, timeout=WAIT_MS)
    made.grid.updateGeometries()
    made.grid.verticalScrollBar().setValue(10_000)
    top = made.grid._row_at_top()
    with qtbot.waitSignal(made.tile_changed):
        made.size_slider.setValue(made.size_slider.value() + 64)
    assert abs(made.grid._row_at_top() - top) < 2 * made.grid.columns


def test_the_strip_shows_what_was_just_made(place, qtbot):
    strip = GalleryStrip(place.gallery)
    qtbot.addWidget(strip)
    strip.resize(130, 600)
    strip.show()
    place.gallery.start()
    assert strip._stack.currentWidget() is strip._empty
    qtbot.wait(1)
    entry = save(place.results, seed=5)
    place.gallery.add(entry)
    assert strip._stack.currentWidget() is strip.view
    rect = strip.view.visualRect(strip.view.model().index(0, 0))
    with qtbot.waitSignal(place.gallery.show_requested) as shown:
        qtbot.mouseClick(strip.view.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())
    assert shown.args[0].seed == 5
    with qtbot.waitSignal(place.gallery.open_requested):
        qtbot.mouseDClick(strip.view.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())


def test_the_menu_offers_every_deed_and_says_why_not(place, page, qtbot):
    one, two = place.gallery.model.entry(0), place.gallery.model.entry(1)
    menu = show_menu(page, place.gallery, [one, two], QPoint(0, 0))
    enabled = {action.text(): action.isEnabled() for action in menu.actions() if not action.isSeparator()}
    assert len(enabled) == len(deeds(place.gallery, trash=False))
    assert enabled["Star"]
    assert not enabled["Recall the seed"]
    menu.close()
    assert show_menu(page, place.gallery, [], QPoint(0, 0)) is None
    with qtbot.waitSignal(place.gallery.source_requested) as caught:
        next(deed for deed in deeds(place.gallery, trash=False) if deed.key == "U").run([one])
    assert caught.args == [one.path]


def test_everything_has_a_name_for_screen_readers(page):
    for widget in (page.grid, page.search, page.size_slider, page.viewer.picture):
        assert widget.accessibleName()
    for button in (page.starred, page.trash):
        assert button.text()


def test_painting_needs_no_more_rows_than_are_seen(place, qtbot):
    fill(place.index, 20_000)
    made = GalleryPage(place.gallery)
    qtbot.addWidget(made)
    made.resize(800, 600)
    made.show()
    place.gallery.only_starred(True)
    place.gallery.only_starred(False)
    qtbot.waitUntil(lambda: place.gallery.model.rowCount() == 20_000, timeout=WAIT_MS)
    asked = []
    real = place.gallery.model.entry
    place.gallery.model.entry = lambda row: asked.append(row) or real(row)
    made.grid.verticalScrollBar().setValue(made.grid.verticalScrollBar().maximum())
    made.grid.grab()
    lines = made.grid.viewport().height() // made.grid.cell.height() + 2
    assert asked
    assert len(set(asked)) <= lines * made.grid.columns
    assert max(asked) == 19_999
