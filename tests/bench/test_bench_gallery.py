"""The gallery with 500 and with 50,000 results: run with ``pytest -m bench -s tests/bench/test_bench_gallery.py``."""

import statistics
import time

import pytest
from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QApplication

from studio.runtime.gallery_index import Query
from studio.ui import theme
from studio.ui.gallery.page import GalleryPage
from tests.studio.runtime.gallery_tools import save
from tests.studio.runtime.test_gallery_index import fill
from tests.studio.state.test_gallery import Place

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]
FEW, MANY = 500, 50_000
ROUNDS = 7


def opened_s(place, count):
    """From making the page to its first tiles on view."""
    started_s = time.perf_counter()
    page = GalleryPage(place.gallery)
    page.resize(1280, 800)
    place.gallery.model.load(Query())
    page.show()
    while place.gallery.model.rowCount() == 0:
        QApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 50)
    page.grid.viewport().repaint()
    took_s = time.perf_counter() - started_s
    while place.gallery.model.rowCount() < count:
        QApplication.processEvents()
    return took_s, page


def scroll_gaps_ms(page):
    """The time of each step of a scroll through the whole gallery, painting included."""
    bar, gaps = page.grid.verticalScrollBar(), []
    page.grid.updateGeometries()
    for step in range(200):
        started_s = time.perf_counter()
        bar.setValue(bar.maximum() * step // 199)
        page.grid.viewport().repaint()
        QApplication.processEvents()
        gaps.append(1000 * (time.perf_counter() - started_s))
    return gaps


def search_ms(place, text):
    started_s = time.perf_counter()
    place.index.page(Query(text=text))
    return 1000 * (time.perf_counter() - started_s)


def test_gallery(tmp_path, qtbot):
    theme.apply(QApplication.instance(), "dark")
    places = {count: Place(tmp_path / str(count)) for count in (FEW, MANY)}
    opened = {count: [] for count in places}
    try:
        for count, place in places.items():
            fill(place.index, count)
            save(place.results)
        pages = {}
        for _ in range(ROUNDS):  # A B A B: both meet the same noise
            for count, place in places.items():
                place.gallery.model.beginResetModel()
                place.gallery.model._ids, place.gallery.model._entries = [], {}
                place.gallery.model.endResetModel()
                took_s, page = opened_s(place, count)
                opened[count].append(1000 * took_s)
                qtbot.addWidget(page)
                pages[count] = page
        few, many = (statistics.median(opened[count]) for count in (FEW, MANY))
        gaps = sorted(scroll_gaps_ms(pages[MANY]))
        started_s = time.perf_counter()
        pages[MANY].resize(900, 700)
        QApplication.processEvents()
        resized_ms = 1000 * (time.perf_counter() - started_s)
        searches = {text: statistics.median(search_ms(places[MANY], text) for _ in range(9)) for text in SEARCHES}
        print(f"\nopen: {FEW} {few:.1f} ms, {MANY} {many:.1f} ms, ratio {many / few:.2f} (target < 1.5)")
        print(f"scroll: median {gaps[100]:.1f} ms, longest {gaps[-1]:.1f} ms (target < 50)")
        print(f"resize: {resized_ms:.1f} ms")
        for text, took_ms in searches.items():
            print(f"search {text!r}: {took_ms:.1f} ms (target < 50)")
        for page in pages.values():
            page.hide()
    finally:
        for place in places.values():
            place.close()


SEARCHES = ("fox", "number 77", "title 49", "nothing", "2026-11 fox model")
