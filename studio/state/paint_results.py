"""What the viewer shows: previews, pictures and frames as the queue makes them, and where the job stands."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from PySide6.QtCore import QObject, Signal

from studio.core.errors import StudioError
from studio.core.events import Event, FrameMade, PictureMade, Pixels, Preview, RunFacts, Step
from studio.core.gallery import Entry
from studio.core.jobs import FINAL_STATES, Job
from studio.core.requests import Request
from studio.state.notices import Notice, Notices
from studio.state.progress import Progress
from studio.workers.background import Background

FILM_FRAMES_KEPT = 600
"""Frames of a film kept in memory to play in the viewer; the file has all of them."""


class Queue(Protocol):
    """What Paint needs of `studio.state.queue.QueueState`."""

    @property
    def job_changed(self) -> Any:
        """A job is new or moved on."""
        ...

    @property
    def event(self) -> Any:
        """The running job said something."""
        ...

    @property
    def saved(self) -> Any:
        """A result lies on disk."""
        ...

    def enqueue(self, request: Request, *, front: bool = False) -> int:
        """Add a job and return its id."""
        ...

    def cancel(self, job_id: int) -> None:
        """Stop one job."""
        ...

    def cancel_running(self) -> None:
        """Stop what runs."""
        ...

    def jobs(self) -> tuple[Job, ...]:
        """All jobs."""
        ...


class Inputs(Protocol):
    """`studio.runtime.inputs.InputStore`."""

    def put(self, pixels: Pixels) -> str:
        """Keep a picture and return its path."""
        ...


class LiveLane(Protocol):
    """What Paint needs of `studio.workers.lane.Lane`."""

    def submit_live(
        self,
        key: str,
        request: Request,
        on_event: Callable[[Event], None],
        on_end: Callable[[StudioError | None], None],
    ) -> Any:
        """Run the latest request of ``key``; older waiting ones are dropped."""
        ...


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture on view.

    ``path`` is its file once saved; ``kind`` says how finished it is; ``place`` is where it lies on the latent map.
    """

    pixels: Pixels
    kind: Literal["preview", "live", "made", "frame"]
    request: Request | None = None
    path: str = ""
    place: tuple[float, float] | None = None


class PaintResults(QObject):
    """The picture on view, the batch around it and the progress of the job that makes them.

    Args:
        queue: where jobs run.
        folder: where a contact sheet goes.
        loose: files of unsaved pictures that are dragged out.

    Signals:
        picture_changed(), batch_changed(), progress_changed(): see the properties.
        facts_changed(object): `RunFacts` of the last run, from the live session.
        film_changed(): ``film`` has a finished film to play, or none.
    """

    picture_changed = Signal()
    batch_changed = Signal()
    progress_changed = Signal()
    facts_changed = Signal(object)
    film_changed = Signal()

    def __init__(
        self,
        queue: Queue,
        *,
        background: Background,
        notices: Notices,
        folder: Callable[[], Path],
        loose: Inputs,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._queue = queue
        self._background = background
        self._notices = notices
        self._folder = folder
        self._loose = loose
        self.progress = Progress()
        self._picture: Shown | None = None
        self._batch: list[Shown] = []
        self._batch_job = 0
        self._running: Job | None = None
        self._frames: list[Pixels] = []
        self._film: tuple[Pixels, ...] = ()
        queue.job_changed.connect(self._on_queue_job_changed)
        queue.event.connect(self._on_queue_event)
        queue.saved.connect(self._on_queue_saved)

    @property
    def picture(self) -> Shown | None:
        """What the viewer shows, or None before the first picture."""
        return self._picture

    @property
    def batch(self) -> tuple[Shown, ...]:
        """Finished pictures of the last job, in order."""
        return tuple(self._batch)

    @property
    def film(self) -> tuple[Pixels, ...]:
        """Frames of the last finished film while it is what the viewer shows."""
        return self._film

    @property
    def running(self) -> Job | None:
        """The job that runs, or None."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return sum(job.state == "waiting" for job in self._queue.jobs())

    def show(self, index: int) -> None:
        """Put a picture of the batch on view."""
        if 0 <= index < len(self._batch):
            self._set_film(())
            self._set_picture(self._batch[index])

    def show_live(self, event: PictureMade | Preview, request: Request) -> None:
        """Put an unsaved picture on view, made while a control is dragged."""
        self._set_film(())
        place = map_place(event) if isinstance(event, PictureMade) else None
        self._set_picture(Shown(event.pixels, "live", request, place=place))

    def show_saved(self, frames: tuple[Pixels, ...], path: str) -> None:
        """Put a saved result on view: one picture, or the frames of a film."""
        if frames:
            self._set_picture(Shown(frames[0], "made", path=path))
            self._set_film(frames if len(frames) > 1 else ())

    def file_soon(self) -> None:
        """Give the unsaved picture on view a file, so that it can be dragged out: `Shown.path` has it in a moment."""
        shown = self._picture
        if shown is None or shown.path or shown.kind != "live":
            return

        def arrive(path: str) -> None:
            if self._picture is shown:
                self._picture = replace(shown, path=path)

        self._background.run(lambda: self._loose.put(shown.pixels), arrive, self._notices.post_error)

    def note_facts(self, facts: RunFacts) -> None:
        """Tell the window how the last run was done."""
        self.facts_changed.emit(facts)

    def save_sheet(self, name: str) -> None:
        """Write the batch on one sheet beside the other results; ``name`` begins the file's name."""
        pictures = [shown.pixels for shown in self._batch]
        safe = "".join(letter if letter.isalnum() or letter in " -_" else "_" for letter in name)
        folder = self._folder()

        def work() -> Path:
            from studio.runtime.contact_sheet import save

            return save(pictures, folder, name=safe)

        self._background.run(work, self._on_sheet_saved, self._notices.post_error)

    def clear(self) -> None:
        """Nothing on view: another model was opened."""
        self._picture, self._batch = None, []
        self._set_film(())
        self.picture_changed.emit()
        self.batch_changed.emit()

    def _on_queue_job_changed(self, job: Job) -> None:
        if job.state == "running" and (self._running is None or self._running.id != job.id):
            self.progress.restart()
            self._frames = []
        if job.state == "running":
            self._running = job
        elif self._running is not None and self._running.id == job.id and job.state in FINAL_STATES:
            self._running = None
        self.progress_changed.emit()

    def _on_queue_event(self, job_id: int, event: Event) -> None:
        if isinstance(event, Step):
            self.progress.step(event.index, event.total)
            self.progress_changed.emit()
        elif isinstance(event, Preview):
            self._set_film(())
            self._set_picture(Shown(event.pixels, "preview"))
        elif isinstance(event, PictureMade):
            self._add(job_id, Shown(event.pixels, "made", event.request, place=map_place(event)))
        elif isinstance(event, FrameMade):
            self._add_frame(event)
        else:
            self.note_facts(event.facts)

    def _on_queue_saved(self, job_id: int, entry: Entry) -> None:
        if entry.kind == "film":
            self._set_film(tuple(self._frames))
            self._frames = []
            return
        if job_id != self._batch_job:
            return
        for index, shown in enumerate(self._batch):
            if not shown.path:  # files arrive in the order of the pictures
                self._batch[index] = kept = replace(shown, path=entry.path)
                if self._picture is shown:
                    self._set_picture(kept)
                self.batch_changed.emit()
                return

    def _on_sheet_saved(self, path: Path) -> None:
        self._notices.post(Notice("The contact sheet was saved.", str(path), "success"))

    def _add(self, job_id: int, shown: Shown) -> None:
        if job_id != self._batch_job:
            self._batch_job, self._batch = job_id, []
        self._batch.append(shown)
        self._set_film(())
        self._set_picture(shown)
        self.batch_changed.emit()

    def _add_frame(self, event: FrameMade) -> None:
        if len(self._frames) < FILM_FRAMES_KEPT:
            self._frames.append(event.pixels)
        self._set_film(())
        self._set_picture(Shown(event.pixels, "frame"))

    def _set_picture(self, shown: Shown) -> None:
        self._picture = shown
        self.picture_changed.emit()

    def _set_film(self, frames: tuple[Any, ...]) -> None:
        if frames or self._film:
            self._film = frames
            self.film_changed.emit()


def map_place(made: PictureMade) -> tuple[float, float] | None:
    """Where a picture lies on its model's latent map, when the model has one."""
    x, y = made.facts.get("pad_x"), made.facts.get("pad_y")
    return (float(x), float(y)) if x is not None and y is not None else None
