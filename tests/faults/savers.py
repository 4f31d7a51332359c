"""What the fault tests run in a child: our savers, and naive ones that the same tests must catch.

What stands before a ``yield`` is made ready before the failure; only what comes after it is saved under failure.
"""

import json
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from studio.core.errors import StorageError
from studio.core.events import PictureMade, Pixels, RunFacts
from studio.core.gallery import Entry
from studio.core.recipe import Recipe
from studio.core.requests import ImageRequest, Point, encode_request
from studio.core.settings import Settings, encode_settings
from studio.runtime.atomic import write_bytes
from studio.runtime.gallery_index import GalleryIndex
from studio.runtime.gallery_scan import inspect
from studio.runtime.queue_store import QueueStore
from studio.runtime.recipes import make_recipe, picture_bytes
from studio.runtime.results import Results
from studio.runtime.settings_store import SettingsStore

SIDE_PX = 48
NEW_SEED = 99
OLD_SETTINGS = Settings(theme="light", model_folders=("/models" * 300,))
NEW_SETTINGS = Settings(theme="dark", last_package="new", model_folders=("/elsewhere" * 900,))
QUEUED = ImageRequest("m", seed=1)
LONG = ImageRequest("m", seed=NEW_SEED, controls={"prompt": "a long prompt " * 900})
FRAMES = 4
FILM = ImageRequest("m", seed=NEW_SEED, path=(Point(1), Point(2)), film_format="gif")
_AT = datetime(2026, 11, 21, 14, 32, 5, tzinfo=UTC)


def warm() -> None:
    """Do everything once, so that no import stands among the failure points."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config").mkdir()
        queue = QueueStore(folder / "queue.sqlite")
        queue.enqueue(QUEUED)
        queue.close()
        for seed in (1, 2):
            index, results = library(folder)
            save(results, seed)
            index.close()
        for run in (save_settings, save_result, save_film, star_and_trash, enqueue_and_make):
            list(run(name))
        inspect(next(folder.rglob("*.png")))


def pixels(seed: int) -> Pixels:
    """Noise, so that the file is long enough to be half written."""
    return np.random.default_rng(seed).integers(0, 256, (SIDE_PX, SIDE_PX, 4)).astype(np.uint8)


def library(folder: Path) -> tuple[GalleryIndex, Results]:
    """The gallery below ``folder``."""
    index = GalleryIndex(folder / "data" / "index.sqlite", folder / "data" / "trash")
    return index, Results(lambda: folder / "results", index, now=lambda: _AT)


def save(results: Results, seed: int) -> Entry:
    """Save the picture of ``seed``."""
    made = PictureMade(pixels(seed), ImageRequest("m", seed=seed))
    return results.save_picture(made, RunFacts("CPU"), model_name="M", model_sha256="ab" * 32)


def save_settings(folder: str) -> Iterator[None]:
    store = SettingsStore(Path(folder) / "config" / "settings.json")
    yield
    store.save(NEW_SETTINGS)


def save_settings_naively(folder: str) -> Iterator[None]:
    yield
    _told(lambda: (Path(folder) / "config" / "settings.json").write_bytes(encode_settings(NEW_SETTINGS)))


def save_result(folder: str) -> Iterator[None]:
    index, results = library(Path(folder))
    yield
    save(results, NEW_SEED)
    index.close()


def open_and_save_result(folder: str) -> None:
    list(save_result(folder))


def save_result_naively(folder: str) -> Iterator[None]:
    index, _ = library(Path(folder))
    yield
    path = Path(folder) / "results" / "2026-11-21" / "new.png"
    data = picture_bytes(pixels(NEW_SEED), "png", _recipe())
    _told(lambda: path.write_bytes(data))
    found = inspect(path)
    assert found is not None
    index.add(found)


def _recipe() -> Recipe:
    return make_recipe(ImageRequest("m", seed=NEW_SEED), RunFacts(""), model_name="M", model_sha256="", created=_AT)


def save_film(folder: str) -> Iterator[None]:
    index, results = library(Path(folder))
    yield
    film = results.film(FILM, RunFacts("CPU"), model_name="M", model_sha256="")
    try:
        for seed in range(FRAMES):
            film.add(pixels(seed))
        film.finish()
    except StorageError:
        film.abort()
        raise
    index.close()


def save_film_naively(folder: str) -> Iterator[None]:
    yield
    path = Path(folder) / "results" / "2026-11-21" / "new.gif"
    first, *others = [Image.fromarray(pixels(seed)) for seed in range(FRAMES)]
    _told(lambda: first.save(path, save_all=True, append_images=others))


def star_and_trash(folder: str) -> Iterator[None]:
    """Star result 1 and put result 2 into the trash; each is acknowledged once it is done."""
    index, _ = library(Path(folder))
    acknowledge = acknowledging(folder)
    yield
    index.star([1], on=True)
    acknowledge("starred")
    index.trash([2])
    acknowledge("trashed")
    index.close()


def star_and_trash_naively(folder: str) -> Iterator[None]:
    """The file is taken away first and written again; nothing notes where it belongs."""
    index, _ = library(Path(folder))
    entry = index.get(2)
    assert entry is not None
    yield

    def act() -> None:
        path = Path(entry.path)
        data = path.read_bytes()
        path.unlink()
        target = Path(folder) / "data" / "trash" / "lying" / path.name
        target.parent.mkdir(parents=True)
        target.write_bytes(data)
        (target.parent / "from.txt").write_text(str(path))

    _told(act)


def enqueue_and_make(folder: str) -> Iterator[None]:
    """Enqueue a job, then make the one result of job 1; each is acknowledged once it is durable."""
    store = QueueStore(Path(folder) / "queue.sqlite")
    acknowledge = acknowledging(folder)
    yield
    _enqueue_and_make(store, folder, acknowledge)


def open_and_enqueue_and_make(folder: str) -> Iterator[None]:
    acknowledge = acknowledging(folder)
    yield
    _enqueue_and_make(QueueStore(Path(folder) / "queue.sqlite"), folder, acknowledge)


def _enqueue_and_make(store: QueueStore, folder: str, acknowledge: Callable[[str], None]) -> None:
    acknowledge(f"enqueued {store.enqueue(LONG).id}")
    store.start(1)
    path = Path(folder) / "made.png"
    store.plan(1, 0, path)
    write_bytes(path, b"whole")
    store.made(1, 0)
    acknowledge("made")
    store.close()


def enqueue_naively(folder: str) -> Iterator[None]:
    """The same tables without a journal: pages are overwritten in place."""
    base = sqlite3.connect(Path(folder) / "queue.sqlite", isolation_level=None)
    base.execute("PRAGMA journal_mode=DELETE")
    base.execute("PRAGMA journal_mode=OFF")
    acknowledge, long = acknowledging(folder), encode_request(LONG)
    yield
    _told(lambda: base.execute("UPDATE jobs SET state = 'done', made = 1, request = ? WHERE id = 1", (long,)))
    acknowledge("made")
    statement = "INSERT INTO jobs(request, state, rank, created_s) VALUES (?, 'waiting', 1, 0)"
    _told(lambda: base.execute(statement, (long,)))
    acknowledge("enqueued 2")


def acknowledging(folder: str) -> Callable[[str], None]:
    """A function that notes a word for the parent through ``writev``, which is no failure point."""
    handle = os.open(Path(folder) / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def acknowledge(word: str) -> None:
        os.writev(handle, [json.dumps(word).encode() + b"\n"])

    return acknowledge


def acknowledged(folder: Path) -> list[str]:
    """What a child noted."""
    path = folder / "acknowledged"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _told(act: Callable[[], object]) -> None:
    try:
        act()
    except (OSError, sqlite3.Error) as error:
        raise StorageError(str(error)) from error
