"""A disk that fills up at any page of a save, and one that may only be read: a sentence, and all that was is whole."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from studio.core.cancel import CancelToken
from studio.core.errors import StorageError
from studio.core.events import RunFacts
from studio.core.manifest import Size
from studio.core.paths import Paths, default_paths
from studio.core.requests import ImageRequest, Point
from studio.runtime.databases import Databases
from studio.runtime.film import read_frames
from studio.runtime.gallery_index import Query
from studio.runtime.inputs import InputStore
from studio.runtime.intake import quietly, understand
from studio.runtime.packages import export_package, import_package, open_package
from studio.runtime.pictures import read_picture
from studio.runtime.prepare import prepare
from studio.runtime.queue_store import QueueStore
from studio.runtime.results import Results
from studio.runtime.settings_store import SettingsStore
from tests.faults.conftest import PAGE, SmallDisk
from tests.faults.savers import LONG, NEW_SETTINGS, OLD_SETTINGS, library, pixels, save
from tests.package_kit import FIXTURES, copy_fixture, zip_folder
from tests.wizard_kit import draw

ROOT = Path(__file__).parents[2]
LEVELS = [0, 1, 2, 3, 5, 8, 12, 20, 40]


class Work:
    """Something that is saved in ``home``; ``elsewhere`` is a disk with room."""

    def __init__(self, home: Path, elsewhere: Path) -> None:
        self.home, self.elsewhere = home, elsewhere

    def ready(self) -> None:
        """Make the old state."""

    def run(self) -> None:
        """Save, or raise `StorageError`."""
        raise NotImplementedError

    def check(self) -> None:
        """Assert that all that can be seen is whole."""

    def end(self) -> None:
        """Close what is open."""


class SettingsWork(Work):
    def ready(self) -> None:
        self.store = SettingsStore(self.home / "settings.json")
        self.store.save(OLD_SETTINGS)

    def run(self) -> None:
        self.store.save(NEW_SETTINGS)

    def check(self) -> None:
        loaded = self.store.load()
        assert loaded.problem == ""
        assert loaded.settings in (OLD_SETTINGS, NEW_SETTINGS)


class ResultWork(Work):
    def ready(self) -> None:
        self.index, self.results = library(self.home)
        self.seed = 1
        save(self.results, self.seed)

    def run(self) -> None:
        self.seed += 1
        save(self.results, self.seed)

    def check(self) -> None:
        for path in self.results.folder.rglob("*.png"):
            assert read_picture(path).shape == pixels(0).shape
        assert self.index.count(Query()) >= 1

    def end(self) -> None:
        self.index.close()


class FilmWork(ResultWork):
    def __init__(self, home: Path, elsewhere: Path) -> None:
        super().__init__(home, elsewhere)
        self.format = "mp4"

    def run(self) -> None:
        request = ImageRequest("m", path=(Point(1), Point(2)), film_format=self.format)
        film = self.results.film(request, RunFacts(""), model_name="", model_sha256="")
        try:
            for seed in range(6):
                film.add(pixels(seed))
            film.finish()
        except StorageError:
            film.abort()
            raise

    def check(self) -> None:
        for path in self.results.folder.rglob(f"*.{self.format}"):
            assert len(list(read_frames(path))) == 6


class GifWork(FilmWork):
    def __init__(self, home: Path, elsewhere: Path) -> None:
        super().__init__(home, elsewhere)
        self.format = "gif"


class QueueWork(Work):
    def ready(self) -> None:
        self.store = QueueStore(self.home / "queue.sqlite")
        self.ids = [self.store.enqueue(LONG).id]

    def run(self) -> None:
        self.ids.append(self.store.enqueue(LONG).id)

    def check(self) -> None:
        assert [job.id for job in self.store.jobs()] == self.ids

    def end(self) -> None:
        self.store.close()


class ImportWork(Work):
    def ready(self) -> None:
        copy_fixture(self.home, "tiny-map")
        self.source = zip_folder(FIXTURES / "tiny-diffusion", self.elsewhere / "x.reverie")

    def run(self) -> None:
        import_package(self.source, self.home)

    def check(self) -> None:
        for folder in self.home.iterdir():
            if folder.is_dir() and not folder.name.startswith("."):
                open_package(folder)


class FolderImportWork(ImportWork):
    def ready(self) -> None:
        super().ready()
        self.source = FIXTURES / "tiny-diffusion"


class ExportWork(Work):
    def ready(self) -> None:
        self.package = open_package(copy_fixture(self.elsewhere, "tiny-diffusion"))
        self.target = self.home / "x.reverie"
        self.target.write_bytes(b"the old one")

    def run(self) -> None:
        export_package(self.package, self.target)

    def check(self) -> None:
        if self.target.read_bytes() != b"the old one":
            into = self.elsewhere / "again"
            assert import_package(self.target, into).manifest.id == "tiny-diffusion"


class PrepareWork(Work):
    def ready(self) -> None:
        self.found = understand([draw(self.elsewhere / "pictures", 12)], quietly, CancelToken())

    def run(self) -> None:
        size = Size(32, 32, 3)
        prepare(self.found, size, self.home / "data", mode="crop", progress=quietly, cancel=CancelToken())

    def check(self) -> None:
        if (self.home / "data").exists():
            lines = (self.home / "data" / "items.jsonl").read_bytes().splitlines()
            assert len(lines) == len(list((self.home / "data" / "pictures").iterdir())) == 12


class InputWork(Work):
    def ready(self) -> None:
        self.seed = 0

    def run(self) -> None:
        self.seed += 1
        InputStore(self.home / "inputs").put(pixels(self.seed))

    def check(self) -> None:
        for path in (self.home / "inputs").glob("*.png"):
            read_picture(path)


WORKS = [
    SettingsWork, ResultWork, FilmWork, GifWork, QueueWork, ImportWork, FolderImportWork, ExportWork, PrepareWork,
    InputWork,
]  # fmt: skip


def _tried(work: Work, sentence: Callable[[StorageError], None]) -> bool:
    try:
        work.run()
    except StorageError as error:
        sentence(error)
        return False
    return True


@pytest.mark.parametrize("kind", WORKS)
def test_a_disk_that_fills_up_at_any_page_is_a_sentence(
    small_disk: SmallDisk, tmp_path: Path, kind: type[Work]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    work = kind(small_disk.root / "home", tmp_path / "elsewhere")
    work.home.mkdir()
    work.ready()

    def named(error: StorageError) -> None:
        assert str(small_disk.root) in str(error), error
        assert "MB" in str(error), error

    outcomes = []
    for pages in LEVELS:
        small_disk.leave(pages * PAGE)
        outcomes.append(_tried(work, named))
        work.check()
        assert list(work.home.rglob(".part-*")) == []
    assert not outcomes[0]
    small_disk.clear()
    assert _tried(work, named)
    work.check()
    work.end()


@pytest.mark.parametrize("kind", [kind for kind in WORKS if kind is not QueueWork])
def test_a_disk_that_may_only_be_read_is_a_sentence(small_disk: SmallDisk, tmp_path: Path, kind: type[Work]) -> None:
    (tmp_path / "elsewhere").mkdir()
    work = kind(small_disk.root / "home", tmp_path / "elsewhere")
    work.home.mkdir()
    work.ready()
    work.end()  # while a file is open for writing, its disk cannot be made read-only
    small_disk.allow_writing(False)

    def named(error: StorageError) -> None:
        assert "is read-only" in str(error), error

    assert not _tried(work, named)
    small_disk.allow_writing(True)


def _paths_on(disk: SmallDisk) -> Paths:
    return replace(default_paths(), config=disk.root / "config", data=disk.root / "data", cache=disk.root / "cache")


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_the_databases_open_in_memory_and_say_so(small_disk: SmallDisk, tmp_path: Path, trouble: str) -> None:
    paths = _paths_on(small_disk)
    first = Databases(paths)
    assert first.problem is None
    first.queue.enqueue(LONG)
    first.close()
    for path in paths.data.iterdir():
        path.unlink()
    _trouble(small_disk, trouble)
    second = Databases(paths)
    assert second.problem is not None
    assert trouble in str(second.problem)
    second.queue.enqueue(LONG)
    assert len(second.queue.jobs()) == 1
    results = Results(lambda: tmp_path / "results", second.index)
    entry = save(results, 1)
    second.index.star([entry.id], on=True)
    assert second.index.rebuild(tmp_path / "results").known == 1
    assert second.index.count(Query(text="seed1", starred=True)) == 1
    second.close()
    _mended(small_disk)
    third = Databases(paths)
    assert third.problem is None
    third.close()


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_the_window_opens_and_tells_on_such_a_disk(small_disk: SmallDisk, trouble: str) -> None:
    home = small_disk.root / "home"
    copy_fixture(home / "packages", "tiny-diffusion")
    _trouble(small_disk, trouble)
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.window_child", "tiny-diffusion", "paint,train,gallery,models,settings"],
        cwd=ROOT,
        env={**os.environ, "REVERIE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    _mended(small_disk)
    report = msgspec.json.decode(done.stdout)
    assert "error" not in report, report
    assert any(f"is {trouble}" in notice for notice in report["notices"]), report
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 0


def _trouble(disk: SmallDisk, trouble: str) -> None:
    if trouble == "full":
        disk.leave(0)
    else:
        disk.allow_writing(False)


def _mended(disk: SmallDisk) -> None:
    disk.allow_writing(True)
    disk.clear()
