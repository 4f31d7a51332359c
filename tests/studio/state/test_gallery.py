from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QModelIndex, Qt
from PySide6.QtGui import QGuiApplication

from studio.core.errors import BadInputError
from studio.core.events import Done, PictureMade, RunFacts
from studio.runtime.metadata import read_texts
from studio.runtime.thumbnails import Thumbnails
from studio.state.gallery import GalleryState
from studio.state.gallery_model import DAMAGED_ROLE, ENTRY_ROLE
from studio.state.notices import Notices
from studio.state.replay import Replay, compare
from studio.workers.background import Background
from studio.workers.lane import Lane
from tests.studio.runtime.gallery_tools import library, pixels, save
from tests.studio.runtime.test_gallery_index import fill

WAIT_MS = 10_000


class Place:
    """A gallery over a real index."""

    def __init__(self, folder):
        self.folder = folder
        self.index, self.results = library(folder)
        self.background = Background()
        self.notices = Notices()
        self.posted = []
        self.notices.posted.connect(self.posted.append)
        self.clean = False
        self.opened = []
        self.lane = Lane(lambda: self)
        self.again = pixels
        self.gallery = GalleryState(
            self.index,
            self.results,
            self.background,
            self.notices,
            thumbnails=Thumbnails(folder / "cache"),
            clean_folder=folder / "clean",
            drag_clean=lambda: self.clean,
            replay=Replay(self.lane, self.background, self.notices, describe=lambda package: (package, "other")),
            open_url=self.opened.append,
        )

    def run(self, request, cancel):
        yield PictureMade(self.again(request.seed), request)
        yield Done(RunFacts("CUDA"))

    def close(self):
        self.lane.close()
        self.background.close()
        self.index.close()


@pytest.fixture
def place(tmp_path, qtbot):
    made = Place(tmp_path)
    yield made
    made.close()


def started(place, qtbot, count=4):
    entries = [save(place.results, seed=seed) for seed in range(count)]
    place.gallery.start()
    qtbot.waitUntil(lambda: place.gallery.model.rowCount() == count, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: place.gallery.newest.rowCount() == count, timeout=WAIT_MS)
    return entries


def seeds(model):
    return [model.entry(row).seed for row in range(model.rowCount())]


def test_rows_are_newest_first_with_thumbnails(place, qtbot):
    started(place, qtbot)
    model = place.gallery.model
    assert seeds(model) == [3, 2, 1, 0]
    index = model.index(0, 0)
    assert model.data(index, Qt.ItemDataRole.DecorationRole) is None
    qtbot.waitUntil(lambda: model.data(index, Qt.ItemDataRole.DecorationRole) is not None, timeout=WAIT_MS)
    image = model.data(index, Qt.ItemDataRole.DecorationRole)
    assert (image.width(), image.height()) == (8, 8)
    assert image.pixelColor(2, 1).getRgb() == tuple(pixels(3)[1, 2])
    assert "seed 3" in model.data(index, Qt.ItemDataRole.AccessibleTextRole)
    assert model.data(index, ENTRY_ROLE).seed == 3


def test_a_damaged_file_is_said_on_its_tile(place, qtbot):
    entries = started(place, qtbot)
    Path(entries[0].path).write_bytes(b"junk")
    model = place.gallery.model
    index = model.index(3, 0)
    qtbot.waitUntil(lambda: model.data(index, DAMAGED_ROLE) is True, timeout=WAIT_MS)


def test_new_results_come_on_top(place, qtbot):
    started(place, qtbot)
    place.gallery.add(save(place.results, seed=77))
    assert seeds(place.gallery.model) == seeds(place.gallery.newest) == [77, 3, 2, 1, 0]


def test_search_star_and_trash_filter(place, qtbot):
    started(place, qtbot)
    gallery, model = place.gallery, place.gallery.model
    gallery.star([model.entry(1)])
    assert model.entry(1).starred
    gallery.only_starred(True)
    qtbot.waitUntil(lambda: seeds(model) == [2], timeout=WAIT_MS)
    gallery.star([model.entry(0)])
    assert model.rowCount() == 0
    gallery.only_starred(False)
    gallery.search("seed1")
    qtbot.waitUntil(lambda: seeds(model) == [1], timeout=WAIT_MS)
    for text in ("s", "se", "nothing", ""):
        gallery.search(text)  # the latest wins
    qtbot.waitUntil(lambda: model.rowCount() == 4, timeout=WAIT_MS)


def test_trash_can_be_undone_and_purged(place, qtbot):
    entries = started(place, qtbot)
    gallery, model = place.gallery, place.gallery.model
    gallery.trash([model.entry(0), model.entry(2)])
    assert seeds(model) == seeds(gallery.newest) == [2, 0]
    qtbot.waitUntil(lambda: bool(place.posted), timeout=WAIT_MS)
    assert (place.posted[-1].text, place.posted[-1].action) == ("2 results are in the trash.", "Undo")
    place.posted[-1].run()
    qtbot.waitUntil(lambda: model.rowCount() == 4, timeout=WAIT_MS)
    assert Path(entries[3].path).exists()
    gallery.trash([model.entry(0)])
    gallery.show_trash(True)
    qtbot.waitUntil(lambda: model.rowCount() == 1 and model.entry(0).trashed, timeout=WAIT_MS)
    gallery.purge()
    qtbot.waitUntil(lambda: model.rowCount() == 0, timeout=WAIT_MS)
    assert not Path(entries[3].path).exists()


def test_many_are_thrown_away_at_once(place, qtbot):
    started(place, qtbot, count=30)
    gallery = place.gallery
    gallery.trash([gallery.model.entry(row) for row in range(25)])
    assert gallery.model.rowCount() == 5
    qtbot.waitUntil(lambda: bool(place.posted), timeout=WAIT_MS)


def test_pages_of_a_large_gallery_are_read_when_they_are_seen(place, qtbot):
    fill(place.index, 3000)
    model = place.gallery.model
    place.gallery.only_starred(True)
    place.gallery.only_starred(False)
    qtbot.waitUntil(lambda: model.rowCount() == 3000, timeout=WAIT_MS)
    assert model.entry(0).title == "title 2999"
    assert model.entry(2500) is None
    qtbot.waitUntil(lambda: model.entry(2500) is not None, timeout=WAIT_MS)
    assert model.entry(2500).title == "title 499"
    assert model.rowCount(model.index(0, 0)) == 0
    assert len(model._entries) < 1000
    assert model.rowCount(QModelIndex()) == 3000


def test_recall_gives_the_recipe_and_says_what_is_missing(place, qtbot):
    started(place, qtbot)
    with qtbot.waitSignal(place.gallery.restore_requested, timeout=WAIT_MS) as caught:
        place.gallery.recall(place.gallery.model.entry(0), "seed")
    restored, scope = caught.args
    assert (restored.recipe.request.seed, scope) == (3, "seed")
    plain = place.folder / "plain.gif"
    plain.write_bytes(b"GIF89a" + b"\1\0\1\0\0\0\0;")
    place.gallery.restore_file(plain)
    qtbot.waitUntil(lambda: bool(place.posted), timeout=WAIT_MS)
    assert "does not say" in place.posted[0].text
    place.gallery.restore_file(place.folder / "gone.png")
    qtbot.waitUntil(lambda: len(place.posted) == 2, timeout=WAIT_MS)


def test_drags_carry_a_real_file_and_the_picture(place, qtbot):
    started(place, qtbot)
    entry = place.gallery.model.entry(0)
    data: QMimeData = place.gallery.mime([entry])
    assert [url.toLocalFile() for url in data.urls()] == [entry.path]
    assert data.imageData().width() == 8
    place.clean = True
    data = place.gallery.mime([entry])
    copy = Path(data.urls()[0].toLocalFile())
    assert copy != Path(entry.path)
    assert "seed" not in copy.name
    assert read_texts(copy) == {}
    two = place.gallery.mime([entry, place.gallery.model.entry(1)], clean=False)
    assert len(two.urls()) == 2
    assert not two.hasImage()


def test_copy_and_show_in_folder(place, qtbot):
    started(place, qtbot)
    entry = place.gallery.model.entry(0)
    place.gallery.copy([entry], clean=False)
    assert QGuiApplication.clipboard().mimeData().urls()[0].toLocalFile() == entry.path
    Path(entry.path).unlink()
    place.gallery.copy([entry], clean=True)
    assert place.posted[-1].level == "error"
    place.gallery.show_in_folder(entry)
    assert place.opened[0].toLocalFile() == str(Path(entry.path).parent)


def test_rebuild_finds_everything_again(place, qtbot):
    started(place, qtbot)
    told = []
    place.gallery.rebuild_progress.connect(lambda done, total: told.append((done, total)))
    place.gallery.rebuild()
    assert place.gallery.rebuilding
    qtbot.waitUntil(lambda: not place.gallery.rebuilding, timeout=WAIT_MS)
    assert "4 results found" in place.posted[-1].text
    assert told[-1] == (4, 4)
    qtbot.waitUntil(lambda: seeds(place.gallery.model) == [3, 2, 1, 0], timeout=WAIT_MS)


def test_files_that_came_while_it_was_closed_appear(place, qtbot):
    for seed in range(3):
        save(place.results, seed=seed)
    place.index.start_over()
    place.gallery.start()
    qtbot.waitUntil(lambda: place.gallery.newest.rowCount() == 3, timeout=WAIT_MS)


def test_a_broken_index_offers_to_rebuild(place, qtbot):
    started(place, qtbot)
    place.index.close()
    place.gallery.search("x")
    qtbot.waitUntil(lambda: bool(place.posted), timeout=WAIT_MS)
    assert place.posted[0].action == "Rebuild the gallery"
    place.index._open()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (pixels, "bit for bit"),
        (lambda seed: np.minimum(pixels(seed), 254) + 1, "within what a device rounds"),
        (lambda seed: pixels(seed + 1), "came out different"),
        (lambda seed: pixels(seed, 16), "16 × 16 px"),
    ],
)
def test_replay_says_with_numbers_how_it_came_out(place, qtbot, change, words):
    started(place, qtbot)
    place.again = lambda seed: change(seed).astype(np.uint8)
    place.gallery.verify(place.gallery.model.entry(0))
    qtbot.waitUntil(lambda: len(place.posted) == 2, timeout=WAIT_MS)
    assert words in place.posted[1].text
    if "different" in words:
        assert place.posted[1].hint == "The model is not the one that made it. It was made on CPU and now on CUDA."


def test_clear_pixels_do_not_count():
    one, two = pixels(1), pixels(2)
    one[..., 3] = two[..., 3] = 0
    assert compare(one, two).equal
    with pytest.raises(BadInputError):
        compare(one, pixels(1, 4))
