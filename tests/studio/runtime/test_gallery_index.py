import random
import shutil
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.core.errors import StorageError
from studio.core.events import RunFacts
from studio.core.requests import ImageRequest
from studio.runtime.gallery_index import GalleryIndex, Query, _match
from studio.runtime.gallery_scan import Found
from studio.runtime.recipes import make_recipe, picture_bytes
from tests.studio.runtime.gallery_tools import Clock, library, pixels, save


@pytest.fixture
def place(tmp_path):
    index, results = library(tmp_path)
    yield tmp_path, index, results
    index.close()


def paths(index, **query):
    return [Path(entry.path).name for entry in index.page(Query(**query), limit=1000)]


def test_newest_first_in_pages(place):
    _, index, results = place
    saved = [save(results, seed=seed) for seed in range(7)]
    first = index.page(Query(), limit=3)
    second = index.page(Query(), limit=3, before=first[-1])
    third = index.page(Query(), limit=3, before=second[-1])
    assert [entry.seed for entry in first + second + third] == [6, 5, 4, 3, 2, 1, 0]
    assert index.ids(Query()) == [entry.id for entry in reversed(saved)]
    assert index.count(Query()) == 7
    assert index.many([saved[0].id, 999]) == {saved[0].id: saved[0]}


def test_search_finds_words_of_model_prompt_title_and_date(place):
    _, index, results = place
    save(results, seed=1, name="Emoji diffusion", controls={"prompt": "Ein roter Fuchs im Schnee"})
    save(results, seed=2, package="tiles-gan", name="Tiles GAN", labels={"grass": 1.0})
    save(results, seed=3, name="Café 猫", controls={"prompt": '100 % (fox) OR "cat" NEAR/3 *'})

    def seeds(text):
        return sorted(entry.seed for entry in index.page(Query(text=text)))

    assert seeds("fuchs") == [1]
    assert seeds("schn rot") == [1]
    assert seeds("grass") == [2]
    assert seeds("tiles") == [2]
    assert seeds("cafe") == [3]
    assert seeds("猫") == [3]
    assert seeds("seed2") == [2]
    assert seeds("2026-11") == [1, 2, 3]
    assert seeds("nothing") == []
    assert seeds('"') == []
    assert seeds('fox OR "') == [3]


@given(st.text(max_size=40))
def test_no_search_text_is_an_operator(text):
    base = sqlite3.connect(":memory:")
    base.execute("CREATE VIRTUAL TABLE words USING fts5(a)")
    words = _match(text)
    if words:
        base.execute("SELECT * FROM words WHERE words MATCH ?", (words,)).fetchall()
    base.close()


def test_stars_filter_and_survive_a_lost_database(place):
    folder, index, results = place
    entries = [save(results, seed=seed) for seed in range(3)]
    index.star([entries[1].id], on=True)
    assert [entry.seed for entry in index.page(Query(starred=True))] == [1]
    index.start_over()
    assert index.count(Query()) == 0
    index.rebuild(folder / "results")
    assert [entry.seed for entry in index.page(Query(starred=True))] == [1]
    index.star(index.ids(Query(starred=True)), on=False)
    assert index.count(Query(starred=True)) == 0


def test_trash_restore_and_purge_move_the_files(place):
    folder, index, results = place
    entries = [save(results, seed=seed) for seed in range(4)]
    gone = index.trash([entries[0].id, entries[1].id])
    assert not Path(entries[0].path).exists()
    assert Path(gone[0].path).read_bytes()
    assert [entry.seed for entry in index.page(Query(trashed=True))] == [1, 0]
    assert index.count(Query()) == 2
    back = index.restore([gone[0].id])
    assert back[0].path == entries[0].path
    assert Path(entries[0].path).exists()
    assert index.count(Query(trashed=True)) == 1
    assert index.purge() == 1
    assert not Path(gone[1].path).exists()
    assert list((folder / "data" / "trash").iterdir()) == []
    assert index.count(Query()) == 3


def test_a_restored_file_does_not_replace_another_one(place):
    _, index, results = place
    entry = save(results)
    gone = index.trash([entry.id])
    Path(entry.path).write_text("another one lies here now")
    back = index.restore([gone[0].id])
    assert Path(back[0].path).name.endswith("(2).png")
    assert Path(entry.path).read_text() == "another one lies here now"


def test_trash_crosses_disks(place, monkeypatch):
    import errno

    _, index, results = place
    entry = save(results)

    def other_disk(self, target):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "rename", other_disk)
    gone = index.trash([entry.id])
    assert Path(gone[0].path).exists()
    assert not Path(entry.path).exists()
    assert index.restore([gone[0].id])[0].path == entry.path


def test_the_trash_is_known_after_the_database_is_lost(place):
    folder, index, results = place
    entries = [save(results, seed=seed) for seed in range(2)]
    index.trash([entries[0].id])
    index.start_over()
    index.rebuild(folder / "results")
    assert index.count(Query()) == 1
    lost = index.page(Query(trashed=True))
    assert [entry.seed for entry in lost] == [0]
    assert index.restore([lost[0].id])[0].path == entries[0].path


def test_a_file_that_is_gone_only_leaves_the_index(place):
    folder, index, results = place
    first, second = save(results, seed=0), save(results, seed=1)
    Path(first.path).unlink()
    assert index.trash([first.id]) == ()
    Path(second.path).unlink()
    assert index.rebuild(folder / "results").gone == 1
    assert index.count(Query()) == 0


def test_an_unplugged_drive_does_not_empty_the_gallery(place):
    folder, index, results = place
    save(results)
    (folder / "results").rename(folder / "elsewhere")
    index.rebuild(folder / "results")
    assert index.count(Query()) == 1


def test_rebuild_finds_foreign_and_skips_damaged_files(place):
    folder, index, results = place
    save(results)
    day = next((folder / "results").iterdir())
    (day / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\njunk")
    (day / "notes.txt").write_text("not a result")
    (day / ".part-0123").write_bytes(b"half")
    (day / "kätzchen 猫.png").write_bytes(picture_bytes(pixels(), "png", None))
    rebuilt = index.rebuild(folder / "results", everything=True)
    assert rebuilt.unreadable == ("broken.png",)
    assert index.count(Query()) == 2
    assert paths(index, text="kätz") == ["kätzchen 猫.png"]


def test_rebuild_can_be_stopped_and_goes_on_later(place):
    folder, index, results = place
    for seed in range(3):
        save(results, seed=seed)
    index.start_over()
    told = []
    assert index.rebuild(folder / "results", stopped=lambda: True).added >= 0
    assert index.count(Query()) == 0
    index.rebuild(folder / "results", progress=lambda done, total: told.append((done, total)))
    assert told == [(3, 3)]


def damaged(data: bytes, way: random.Random) -> bytes:
    """One of many kinds of damage."""
    out = bytearray(data)
    kind = way.randrange(6)
    if kind == 0:
        return bytes(out[: way.randrange(len(out))])
    if kind == 1:
        return way.randbytes(way.randrange(1, 5000))
    if kind == 2:
        return b""
    start = way.randrange(len(out)) if kind < 5 else way.randrange(100)
    length = way.choice([1, 4, 64, 4096]) if kind > 3 else way.choice([1, 16])
    out[start : start + length] = way.randbytes(len(out[start : start + length]))
    return bytes(out)


@pytest.mark.parametrize("seeds", [range(30), pytest.param(range(30, 260), marks=pytest.mark.slow)])
def test_a_damaged_database_is_kept_aside_and_every_result_found(tmp_path, seeds):
    index, results = library(tmp_path)
    for seed in range(12):
        save(results, seed=seed)
    index.close()
    whole = (tmp_path / "data" / "index.sqlite").read_bytes()
    for seed in seeds:
        way = random.Random(seed)
        data = tmp_path / f"data{seed}"
        data.mkdir()
        (data / "index.sqlite").write_bytes(damaged(whole, way))
        if way.random() < 0.3:
            (data / "index.sqlite-wal").write_bytes(way.randbytes(4000))
        again = GalleryIndex(data / "index.sqlite", data / "trash")
        try:
            try:
                again.rebuild(tmp_path / "results")
                found = again.count(Query())
            except StorageError:  # damage that only shows later: the notice's action does this
                again.start_over()
                again.rebuild(tmp_path / "results")
                found = again.count(Query())
            if found != 12:
                again.start_over()
                again.rebuild(tmp_path / "results")
                found = again.count(Query())
            assert found == 12
        finally:
            again.close()
        shutil.rmtree(data)


def test_a_database_of_a_later_version_is_kept_aside(tmp_path):
    index, _ = library(tmp_path)
    index.close()
    file = tmp_path / "data" / "index.sqlite"
    base = sqlite3.connect(file)
    base.execute("PRAGMA user_version = 99")
    base.close()
    again = GalleryIndex(file, tmp_path / "trash")
    assert again.count(Query()) == 0
    again.close()
    assert list(file.parent.glob("index.sqlite.damaged-*"))


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        GalleryIndex(tmp_path / "file" / "index.sqlite", tmp_path / "trash")


def fill(index, count):
    """Many rows without files, as a large gallery has them."""
    with index._writing() as base:
        base.executemany(
            "INSERT INTO entries(path, kind, created_s, width_px, height_px, model, seed, title, prompt, day, starred)"
            " VALUES (?, 'picture', ?, 64, 64, ?, ?, ?, ?, '2026-11-21 November', ?)",
            [
                (f"/none/{i}.png", float(i), f"model {i % 7}", i, f"title {i}", f"fox number {i % 1000}", i % 50 == 0)
                for i in range(count)
            ],
        )


def test_reading_does_not_wait_for_a_writer(place):
    _, index, _ = place
    fill(index, 10)
    with index._writing() as base:
        base.execute("UPDATE entries SET title = 'x'")
        assert index.count(Query()) == 10


def test_50000_rows_are_read_through_indexes(place):
    """The plan, not a time: no sort and no full scan for a page."""
    _, index, _ = place
    plan = " ".join(
        row[3]
        for row in index._read(
            "EXPLAIN QUERY PLAN SELECT id FROM entries WHERE trashed = 0 AND (created_s, id) < (?, ?)"
            " ORDER BY created_s DESC, id DESC LIMIT 200",
            (1.0, 1),
        )
    )
    assert "newest" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_10000_files_are_found_again_within_a_minute(place):
    folder, index, _ = place
    target = folder / "results" / "2026-11-21"
    target.mkdir(parents=True)
    picture = np.zeros((64, 64, 4), np.uint8)
    for seed in range(10_000):
        recipe = make_recipe(
            ImageRequest("m", seed=seed),
            RunFacts(""),
            model_name="M",
            model_sha256="",
            created=Clock().now,
            pixels=picture,
        )
        (target / f"{seed:05}.png").write_bytes(picture_bytes(picture, "png", recipe))
    started_s = time.perf_counter()
    rebuilt = index.rebuild(folder / "results")
    took_s = time.perf_counter() - started_s
    assert rebuilt.added == index.count(Query()) == 10_000
    assert took_s < 60
    assert index.rebuild(folder / "results").known == 10_000


def test_adding_the_same_path_again_keeps_its_id_and_star(place):
    _, index, results = place
    entry = save(results)
    index.star([entry.id], on=True)
    again = index.add(Found(Path(entry.path), "picture", entry.created_s, title="new words"))
    assert (again.id, again.starred, again.title) == (entry.id, True, "new words")
    assert paths(index, text="new words") == [Path(entry.path).name]
    assert paths(index, text="emoji") == []
