"""A studio without a window that takes in jobs and works through them, to be killed at any instant."""

from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QTimer

from studio.core.requests import ImageRequest
from studio.runtime.gallery_index import GalleryIndex
from studio.runtime.queue_store import QueueStore
from studio.runtime.results import Results
from studio.state.notices import Notices
from studio.state.queue import QueueState
from studio.workers.background import Background
from studio.workers.lane import Lane
from tests.engine_kit import picture, tiny_engine
from tests.faults.savers import acknowledging

PER_JOB = 2
SEEDS_APART = 10


def warm() -> None:
    """Import and run what a generation needs."""
    picture(ImageRequest("tiny-latent"))


def live(folder: str, first: int, jobs: int) -> Iterator[None]:
    """Go on with what is queued, take in ``jobs`` more from number ``first``, acknowledging each; end when done."""
    app = QCoreApplication([])
    place = Path(folder)
    index = GalleryIndex(place / "index.sqlite", place / "trash")
    results = Results(lambda: place / "results", index)
    acknowledge = acknowledging(folder)
    yield
    store, notices = QueueStore(place / "queue.sqlite"), Notices()
    queue = QueueState(store, Lane(tiny_engine), results, Background(1), notices)
    notices.posted.connect(lambda notice: acknowledge(f"told {notice.text}") if notice.level == "error" else None)
    coming = iter(range(first, first + jobs))
    timer = QTimer()

    def step() -> None:
        number = next(coming, None)
        if number is None:
            if all(job.state == "done" for job in queue.jobs()):
                app.quit()
            return
        request = ImageRequest("tiny-latent", seed=number * SEEDS_APART, count=PER_JOB)
        if queue.enqueue(request):
            acknowledge(f"job {number}")

    timer.timeout.connect(step)
    timer.start(1)
    queue.resume()
    app.exec()


def live_forgetfully(folder: str, first: int, jobs: int) -> Iterator[None]:
    """The same by a queue that does not note where a picture will lie: what the tests must catch."""
    QueueStore.plan = lambda *_: None
    yield from live(folder, first, jobs)
