"""Settings, results, the gallery and the queue: killed, or failed by the disk, at the system calls of a save.

After each failure the next start works, what was there is there, and the new is whole or absent. Every suite must
catch a naive saver too. The default run takes a sample of the points, `-m slow` all of them.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.runtime.film import read_frames
from studio.runtime.gallery_index import Query
from studio.runtime.pictures import read_picture
from studio.runtime.queue_store import QueueStore
from studio.runtime.recipes import read_recipe
from studio.runtime.settings_store import SettingsStore
from tests.faults.crash_points import BROKEN, FULL, KILL, SAID, STAYS_FULL, ForkServer, crash_everywhere, need_strace
from tests.faults.savers import (
    FILM,
    FRAMES,
    LONG,
    NEW_SEED,
    NEW_SETTINGS,
    OLD_SETTINGS,
    QUEUED,
    acknowledged,
    library,
    pixels,
    save,
)

SAVERS = "tests.faults.savers"
SAMPLE = 5
FAILURES = [KILL, FULL, BROKEN]


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    server = ForkServer(SAVERS)
    need_strace(server)
    yield server
    server.close()


class _Home:
    """A folder that can be brought back to its old state, and what must hold of it after a failure."""

    def __init__(self, folder: Path) -> None:
        self.home, self.old = folder / "home", folder / "old"
        self.home.mkdir()
        self.build()
        shutil.copytree(self.home, self.old)

    def build(self) -> None:
        """Make the old state."""
        raise NotImplementedError

    def check(self, status: int) -> None:
        """Assert what must hold; ``status`` is how the saver ended."""
        raise NotImplementedError

    def prepare(self) -> tuple[str]:
        shutil.rmtree(self.home)
        shutil.copytree(self.old, self.home)
        return (str(self.home),)

    def ended(self, status: int) -> bool:
        """Nothing but a kill or a sentence ends a save; True when it says that it was done."""
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) in (0, SAID), "an error that is no sentence"
        return status == 0

    def nothing_aside(self) -> None:
        """No failure of a save makes a start believe that a file is damaged."""
        assert list(self.home.rglob("*.damaged*")) == []


class SettingsSuite(_Home):
    def build(self) -> None:
        self.store = SettingsStore(self.home / "config" / "settings.json")
        self.store.save(OLD_SETTINGS)

    def check(self, status: int) -> None:
        loaded = self.store.load()
        assert loaded.problem == ""
        assert loaded.settings in ((NEW_SETTINGS,) if self.ended(status) else (OLD_SETTINGS, NEW_SETTINGS))
        visible = [path.name for path in (self.home / "config").iterdir() if not path.name.startswith(".")]
        assert visible == ["settings.json"]
        self.store.save(OLD_SETTINGS)
        assert self.store.load().settings == OLD_SETTINGS


class ResultSuite(_Home):
    def build(self) -> None:
        index, results = library(self.home)
        self.files = {Path(save(results, seed).path): seed for seed in (1, 2)}
        index.close()

    def new_is_whole(self, path: Path) -> None:
        _is_whole(path, NEW_SEED)

    def check(self, status: int) -> None:
        done = self.ended(status)
        folder = self.home / "results"
        visible = {path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")}
        new = visible - set(self.files)
        assert set(self.files) <= visible
        assert len(new) == 1 if done else len(new) <= 1
        for path, seed in self.files.items():
            _is_whole(path, seed)
        for path in new:
            self.new_is_whole(path)
        index, results = library(self.home)
        try:
            results.sweep()
            assert index.rebuild(folder).unreadable == ()
            assert {Path(entry.path) for entry in index.page(Query())} == visible
            assert {path for path in folder.rglob("*") if path.is_file()} == visible
            assert save(results, 3).id > 0
        finally:
            index.close()
        self.nothing_aside()


class FilmSuite(ResultSuite):
    def new_is_whole(self, path: Path) -> None:
        assert len(list(read_frames(path))) == FRAMES
        restored = read_recipe(path)
        assert restored is not None
        assert restored.recipe is not None
        assert restored.recipe.request == FILM


class GallerySuite(_Home):
    def build(self) -> None:
        index, results = library(self.home)
        self.paths = [Path(save(results, seed).path) for seed in (1, 2)]
        index.close()

    def check(self, status: int) -> None:
        done, acks = self.ended(status), acknowledged(self.home)
        assert not done or acks == ["starred", "trashed"]
        index, _ = library(self.home)
        try:
            index.rebuild(self.home / "results")
            here, thrown = index.page(Query()), index.page(Query(trashed=True))
            assert len(here) + len(thrown) == 2
            for entry in (*here, *thrown):
                _is_whole(Path(entry.path), 1 if entry.title.endswith("seed1") else 2)
            assert "trashed" not in acks or [entry.title[-5:] for entry in thrown] == ["seed2"]
            assert "starred" not in acks or index.count(Query(starred=True)) == 1
            index.restore([entry.id for entry in thrown])
            assert sorted(Path(entry.path) for entry in index.page(Query())) == sorted(self.paths)
        finally:
            index.close()
        self.nothing_aside()


class QueueSuite(_Home):
    def build(self) -> None:
        store = QueueStore(self.home / "queue.sqlite")
        store.enqueue(QUEUED)
        store.close()

    def check(self, status: int) -> None:
        done, acks = self.ended(status), acknowledged(self.home)
        assert not done or acks == ["enqueued 2", "made"]
        store = QueueStore(self.home / "queue.sqlite")
        try:
            store.recover()
            jobs = {job.id: job for job in store.jobs()}
            assert 1 in jobs
            assert jobs.keys() <= {1, 2}
            assert "enqueued 2" not in acks or 2 in jobs
            assert 2 not in jobs or (jobs[2].request, jobs[2].state) == (LONG, "waiting")
            # A result that lies there is never made again, and a job is never done without its result.
            made = (self.home / "made.png").exists()
            assert jobs[1].request == QUEUED
            assert (jobs[1].state, jobs[1].made) == (("done", 1) if made else ("waiting", 0))
            assert "made" not in acks or made
            assert store.enqueue(QUEUED).id > max(jobs)
        finally:
            store.close()
        self.nothing_aside()


def _is_whole(path: Path, seed: int) -> None:
    assert (read_picture(path) == pixels(seed)).all()
    restored = read_recipe(path)
    assert restored is not None
    assert restored.recipe is not None
    assert restored.recipe.request.seed == seed


SUITES: dict[str, tuple[type[_Home], str, str]] = {
    "settings": (SettingsSuite, "save_settings", "save_settings_naively"),
    "result": (ResultSuite, "save_result", "save_result_naively"),
    "film": (FilmSuite, "save_film", "save_film_naively"),
    "gallery": (GallerySuite, "star_and_trash", "star_and_trash_naively"),
    "queue": (QueueSuite, "enqueue_and_make", "enqueue_naively"),
}


# A film is written by the same writer and takes longest: here it is only killed.
@pytest.mark.parametrize(
    ("name", "failure"),
    [(name, failure) for name in SUITES for failure in FAILURES if name != "film" or failure == KILL],
)
def test_a_save_survives_failures_at_its_system_calls(
    server: ForkServer, tmp_path: Path, name: str, failure: str
) -> None:
    kind, ours, _ = SUITES[name]
    suite = kind(tmp_path)
    target = f"{SAVERS}:{ours}"
    hits = crash_everywhere(server, failure, suite.prepare, suite.check, target, most=SAMPLE)
    assert hits >= 5


@pytest.mark.parametrize("name", SUITES)
def test_the_same_checks_catch_a_naive_saver(server: ForkServer, tmp_path: Path, name: str) -> None:
    kind, _, naive = SUITES[name]
    suite = kind(tmp_path)
    with pytest.raises(AssertionError, match="after signal=KILL at"):
        crash_everywhere(server, KILL, suite.prepare, suite.check, f"{SAVERS}:{naive}")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("failure", [*FAILURES, STAYS_FULL])
@pytest.mark.parametrize("name", [*SUITES, "result from the start", "queue from the start"])
def test_a_save_survives_a_failure_at_every_system_call(
    server: ForkServer, tmp_path: Path, name: str, failure: str
) -> None:
    kind, ours, _ = SUITES[name.removesuffix(" from the start")]
    suite = kind(tmp_path)
    target = f"{SAVERS}:{ours if name in SUITES else 'open_and_' + ours}"
    hits = crash_everywhere(server, failure, suite.prepare, suite.check, target)
    assert hits >= 5
