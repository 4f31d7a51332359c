import threading
from pathlib import Path

import msgspec
import numpy as np
import pytest

from studio.core.errors import DeviceError, StorageError
from studio.core.events import Done, FrameMade, PictureMade, Preview, RunFacts, Step
from studio.core.requests import ImageRequest, Point
from studio.runtime.pictures import read_picture
from studio.runtime.queue_store import QueueStore
from studio.runtime.recipes import read_recipe
from studio.state.notices import Notices
from studio.state.queue import QueueState, rest_of
from studio.workers.background import Background
from studio.workers.lane import Lane
from tests.studio.runtime.gallery_tools import library, pixels

WAIT_MS = 15_000


class ScriptedEngine:
    """Makes the picture of a seed; ``gate`` holds it before each picture, ``errors`` are raised by package id."""

    def __init__(self):
        self.gate = threading.Semaphore(0)
        self.free = True
        self.errors = {}
        self.made = []

    def run(self, request, cancel):
        if request.path:
            yield from self._film(request, cancel)
            return
        for index in range(request.count):
            if not self.free:
                while not self.gate.acquire(timeout=0.01):
                    cancel.raise_if_cancelled()
            yield Step(1, 1)
            cancel.raise_if_cancelled()
            if index == 1 and request.package in self.errors:
                raise self.errors.pop(request.package)
            yield Preview(pixels(0), index)
            one = msgspec.structs.replace(request, seed=request.seed + index, count=1)
            self.made.append((request.package, one.seed))
            yield PictureMade(pixels(one.seed), one, index)
        yield Done(RunFacts("CPU"))

    def _film(self, request, cancel):
        for index in range(request.frames):
            if not self.free and index == 3:
                while not cancel.cancelled:
                    cancel._event.wait(0.01)
            cancel.raise_if_cancelled()
            yield FrameMade(pixels(index), index, request.frames)
        yield Done(RunFacts("CPU"))


class House:
    """The queue with everything real but the engine."""

    def __init__(self, folder):
        self.folder = folder
        self.engine = ScriptedEngine()
        self.index, self.results = library(folder)
        self.store = QueueStore(folder / "queue.sqlite")
        self.lane = Lane(lambda: self.engine)
        self.background = Background()
        self.notices = Notices()
        self.posted = []
        self.notices.posted.connect(self.posted.append)
        self.queue = QueueState(
            self.store,
            self.lane,
            self.results,
            self.background,
            self.notices,
            describe=lambda package: (package.title(), "ab"),
            facts=lambda: RunFacts("CPU", versions={"onnxruntime": "1.31"}),
        )
        self.saved, self.events = [], []
        self.queue.saved.connect(lambda job, entry: self.saved.append((job, entry)))
        self.queue.event.connect(lambda job, event: self.events.append((job, event)))

    def state(self, job_id):
        return self.store.get(job_id).state

    def files(self):
        return sorted(path for path in (self.folder / "results").rglob("*") if path.is_file())

    def close(self):
        self.lane.close()
        self.background.close()
        self.store.close()
        self.index.close()


@pytest.fixture
def house(tmp_path, qtbot):
    made = House(tmp_path)
    yield made
    made.close()


def until(qtbot, house, job_id, state):
    qtbot.waitUntil(lambda: house.state(job_id) == state and house.queue.running is None, timeout=WAIT_MS)


def test_every_picture_is_saved_as_it_comes(house, qtbot):
    job = house.queue.enqueue(ImageRequest("emoji", seed=5, count=3))
    until(qtbot, house, job, "done")
    assert [entry.seed for _, entry in house.saved] == [5, 6, 7]
    for _, entry in house.saved:
        assert np.array_equal(read_picture(Path(entry.path)), pixels(entry.seed))
        recipe = read_recipe(Path(entry.path)).recipe
        assert recipe.request == ImageRequest("emoji", seed=entry.seed)
        assert (recipe.model_name, recipe.provider) == ("Emoji", "CPU")
        assert recipe.versions == {"onnxruntime": "1.31"}
    assert [type(event).__name__ for _, event in house.events][-1] == "Done"


def test_jobs_run_one_after_another_and_the_front_first(house, qtbot):
    house.engine.free = False
    first = house.queue.enqueue(ImageRequest("a"))
    house.queue.enqueue(ImageRequest("b"))
    last = house.queue.enqueue(ImageRequest("c"), front=True)
    assert [job.request.package for job in house.queue.jobs()] == ["a", "c", "b"]
    house.queue.move(last, by=1)
    assert [job.request.package for job in house.queue.jobs()] == ["a", "b", "c"]
    house.queue.to_front(last)
    for _ in range(3):
        house.engine.gate.release()
    qtbot.waitUntil(lambda: all(job.state == "done" for job in house.queue.jobs()), timeout=WAIT_MS)
    assert [package for package, _ in house.engine.made] == ["a", "c", "b"]
    assert house.state(first) == "done"


def test_cancel_keeps_what_is_done_and_the_next_job_runs(house, qtbot):
    house.engine.free = False
    job = house.queue.enqueue(ImageRequest("a", count=9))
    other = house.queue.enqueue(ImageRequest("b"))
    house.engine.gate.release()
    house.engine.gate.release()
    qtbot.waitUntil(lambda: len(house.saved) == 2, timeout=WAIT_MS)
    house.queue.cancel(job)
    qtbot.waitUntil(lambda: house.state(job) == "cancelled", timeout=WAIT_MS)
    house.engine.gate.release()
    qtbot.waitUntil(lambda: house.state(other) == "done", timeout=WAIT_MS)
    assert house.state(job) == "cancelled"
    assert house.store.get(job).made == 2
    assert house.store.get(job).message == "2 of 9 made."
    assert len(house.files()) == 3
    assert house.posted == []  # stopping is no failure


def test_a_waiting_job_is_cancelled_at_once(house, qtbot):
    house.engine.free = False
    first = house.queue.enqueue(ImageRequest("a"))
    second = house.queue.enqueue(ImageRequest("b"))
    house.queue.cancel(second)
    assert house.state(second) == "cancelled"
    house.queue.cancel_all()
    until(qtbot, house, first, "cancelled")
    assert house.engine.made == []


def test_a_failure_keeps_its_message_and_a_retry_goes_on_where_it_was(house, qtbot):
    house.engine.errors["a"] = DeviceError("The GPU is gone.", "Use the CPU.")
    job = house.queue.enqueue(ImageRequest("a", seed=10, count=3))
    until(qtbot, house, job, "failed")
    assert house.store.get(job).message == "The GPU is gone. Use the CPU."
    notice = house.posted[-1]
    assert (notice.level, notice.action) == ("error", "Retry")
    notice.run()
    until(qtbot, house, job, "done")
    assert house.engine.made == [("a", 10), ("a", 11), ("a", 12)]
    assert [entry.seed for _, entry in house.saved] == [10, 11, 12]
    indices = [event.index for _, event in house.events if isinstance(event, PictureMade)]
    assert indices == [0, 1, 2]


def test_a_full_disk_fails_the_job_with_its_sentence(house, qtbot, monkeypatch):
    def refuse(*args, **kwargs):
        raise StorageError("The disk / is full.", "Free 1 MB.")

    monkeypatch.setattr(house.results, "save_picture", refuse)
    house.engine.free = False
    job = house.queue.enqueue(ImageRequest("a", count=5))
    house.engine.gate.release()
    until(qtbot, house, job, "failed")
    assert "full" in house.store.get(job).message
    monkeypatch.undo()
    house.engine.free = True
    house.queue.retry(job)
    until(qtbot, house, job, "done")
    assert len(house.files()) == 5


@pytest.mark.parametrize("film_format", ["gif", "mp4"])
def test_a_film_is_written_frame_by_frame(house, qtbot, film_format):
    request = ImageRequest("vae", path=(Point(1), Point(2)), frames=8, film_format=film_format)
    job = house.queue.enqueue(request)
    until(qtbot, house, job, "done")
    [path] = house.files()
    assert path.suffix == f".{film_format}"
    assert read_recipe(path).recipe.request == request
    assert house.saved[0][1].kind == "film"


def test_a_stopped_film_keeps_its_frames(house, qtbot):
    house.engine.free = False
    job = house.queue.enqueue(ImageRequest("vae", path=(Point(1), Point(2)), frames=50))
    qtbot.waitUntil(lambda: sum(isinstance(event, FrameMade) for _, event in house.events) == 3, timeout=WAIT_MS)
    house.queue.cancel_running()
    until(qtbot, house, job, "cancelled")
    assert len(house.files()) == 1
    assert len(house.saved) == 1


def test_a_restart_goes_on_and_makes_nothing_twice(tmp_path, qtbot):
    first = House(tmp_path)
    first.engine.free = False
    job = first.queue.enqueue(ImageRequest("a", seed=20, count=4))
    waiting = first.queue.enqueue(ImageRequest("b"))
    first.engine.gate.release()
    first.engine.gate.release()
    qtbot.waitUntil(lambda: len(first.saved) == 2, timeout=WAIT_MS)
    first.close()
    second = House(tmp_path)
    (tmp_path / "results" / first.files()[0].parent.name / ".part-0123").write_bytes(b"half")
    second.queue.resume()
    try:
        qtbot.waitUntil(lambda: second.state(waiting) == "done", timeout=WAIT_MS)
        assert second.state(job) == "done"
        assert second.engine.made == [("a", 22), ("a", 23), ("b", 0)]
        assert len(second.files()) == 5
        assert "2 jobs go on" in second.posted[0].text
    finally:
        second.close()


def test_200_cancels_leave_no_files_behind(house, qtbot):
    house.engine.free = False
    for _ in range(200):
        house.queue.enqueue(ImageRequest("a"))
    house.queue.cancel_all()
    qtbot.waitUntil(lambda: all(job.state == "cancelled" for job in house.queue.jobs()), timeout=WAIT_MS)
    house.queue.clear_finished()
    assert house.queue.jobs() == ()
    assert house.files() == []


def test_a_queue_that_cannot_be_written_is_a_notice(house):
    house.store.close()
    assert house.queue.enqueue(ImageRequest("a")) == 0
    assert house.posted[0].level == "error"
    house.store = QueueStore(house.folder / "queue.sqlite")


def test_what_remains_of_a_job():
    from studio.core.jobs import Job

    job = Job(1, ImageRequest("a", seed=5, count=4), made=3)
    assert rest_of(job) == ImageRequest("a", seed=8, count=1)
    film = ImageRequest("a", path=(Point(1), Point(2)))
    assert rest_of(Job(1, film)) == film
