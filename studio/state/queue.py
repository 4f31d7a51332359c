"""The queue: frozen requests that run one after another, and results that are saved as they come."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from PySide6.QtCore import QObject, Signal

from studio.core.errors import CancelledError, StudioError
from studio.core.events import Event, FrameMade, PictureMade, Preview, RunFacts
from studio.core.gallery import Entry
from studio.core.jobs import FINAL_STATES, Job, JobState
from studio.core.requests import Request
from studio.runtime.queue_store import QueueStore, results_of
from studio.state.notices import Notice, Notices
from studio.workers.background import Background
from studio.workers.lane import Lane, Ticket

if TYPE_CHECKING:  # results bring Pillow, which the first window does not need
    from studio.runtime.results import FilmResult, Results

Format = Literal["png", "jpeg", "webp"]
_ORDER: dict[JobState, int] = {"running": 0, "waiting": 1, "done": 2, "failed": 2, "cancelled": 2}


@dataclass(eq=False)
class _Run:
    """The job in the lane: what it has made and is not written yet, and how it ended."""

    job: Job
    offset: int
    ticket: Ticket | None = None
    pending: deque[PictureMade | FrameMade] = field(default_factory=deque)
    film: "FilmResult | None" = None
    writing: bool = False
    ended: bool = False
    film_closed: bool = False
    error: StudioError | None = None


def _itself(package_id: str) -> tuple[str, str]:
    return package_id, ""


def _unknown() -> RunFacts | None:
    return None


def _png() -> Format:
    return "png"


def rest_of(job: Job) -> Request:
    """What a job still has to make: pictures that lie on disk are not made again. Picture i uses seed + i."""
    request = job.request
    if request.path or job.made == 0:
        return request
    return msgspec.structs.replace(request, seed=request.seed + job.made, count=request.count - job.made)


class QueueState(QObject):
    """Drives the lane with one job at a time and saves every result off the main thread.

    Signals:
        job_changed(Job): a job is new, moved on, or is gone from the list.
        event(int, Event): the running job said something; indices count within the whole job.
        saved(int, Entry): a result of a job lies on disk and in the index.
        changed(): the list as a whole changed.

    Args:
        store: the queue on disk.
        lane: runs requests.
        results: writes pictures and films.
        background: where files are written; one thread of its own keeps saving quick.
        notices: told of failures, with a way to retry.
        describe: name and hash of a package by its id, for recipes.
        facts: how the run in the lane is being done, for recipes; `studio.runtime.engine.Engine.facts`.
        save_format: the artist's format for pictures.
        parent: Qt owner.
    """

    job_changed = Signal(object)
    event = Signal(int, object)  # pyright: ignore[reportAssignmentType] - QObject.event is never called from Python
    saved = Signal(int, object)
    changed = Signal()

    def __init__(
        self,
        store: QueueStore,
        lane: Lane,
        results: "Results",
        background: Background,
        notices: Notices,
        *,
        describe: Callable[[str], tuple[str, str]] = _itself,
        facts: Callable[[], RunFacts | None] = _unknown,
        save_format: Callable[[], Format] = _png,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store, self._lane, self._results = store, lane, results
        self._background, self._notices = background, notices
        self._describe, self._facts, self._save_format = describe, facts, save_format
        self._jobs: dict[int, Job] = {job.id: job for job in store.jobs()}
        self._run: _Run | None = None
        self._ready = True

    @property
    def running(self) -> Job | None:
        """The job in the lane."""
        return None if self._run is None else self._run.job

    def jobs(self) -> tuple[Job, ...]:
        """Running, waiting in their order, then finished ones, newest first."""

        def order(job: Job) -> tuple[float, ...]:
            place = _ORDER[job.state]
            return (place, job.rank if place < 2 else -job.finished_s, job.id if place < 2 else -job.id)

        return tuple(sorted(self._jobs.values(), key=order))

    def resume(self) -> None:
        """At start: interrupted jobs wait again and go on after what they had made."""
        self._ready = False
        back = self._told(self._store.recover) or ()
        self._reload()
        waiting = sum(job.state == "waiting" for job in self._jobs.values())
        if waiting:
            again = f" {len(back)} had been interrupted." if back else ""
            jobs = "1 job goes on" if waiting == 1 else f"{waiting} jobs go on"
            self._notices.post(
                Notice(f"{jobs} from last time.{again}", "Cancel them in the queue if you do not want them.")
            )
        self._background.run(self._results.sweep, self._on_sweep_done, self._on_sweep_failed)

    def enqueue(self, request: Request, *, front: bool = False) -> int:
        """Freeze a request as a job; returns its id once it is safely on disk (0 when that failed, with a notice)."""
        job = self._told(partial(self._store.enqueue, request, front=front))
        if job is None:
            return 0
        self._take(job)
        self._pump()
        return job.id

    def cancel(self, job_id: int) -> None:
        """Stop a job within one step; what it has made stays."""
        if self._run is not None and self._run.job.id == job_id:
            if self._run.ticket is not None:
                self._run.ticket.token.cancel()
            return
        job = self._jobs.get(job_id)
        if job is not None and job.state == "waiting":
            self._finish(job, "cancelled")

    def cancel_running(self) -> None:
        """Stop the job in the lane."""
        if self._run is not None:
            self.cancel(self._run.job.id)

    def cancel_all(self) -> None:
        """Stop everything that runs or waits."""
        for job in self.jobs():
            if job.state == "waiting":
                self.cancel(job.id)
        self.cancel_running()

    def retry(self, job_id: int) -> None:
        """Let a failed or cancelled job go on after what it has made."""
        self._change(partial(self._store.retry, job_id))

    def to_front(self, job_id: int) -> None:
        """Let a waiting job run next."""
        self._change(partial(self._store.to_front, job_id))

    def move(self, job_id: int, *, by: int) -> None:
        """Let a waiting job run ``by`` places later (earlier when negative)."""
        if self._told(partial(self._store.move, job_id, by=by)) is not None:
            self._reload()

    def clear_finished(self) -> None:
        """Take done, failed and cancelled jobs off the list; their results stay."""
        self._told(self._store.clear_finished)
        self._reload()

    # -- the running job -------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        if self._run is not None or not self._ready:
            return
        job = next((job for job in self.jobs() if job.state == "waiting"), None)
        if job is None:
            return
        started = self._told(partial(self._store.start, job.id))
        if started is None:
            return
        run = self._run = _Run(started, started.made)
        self._take(started)
        if started.made >= results_of(started.request):
            run.ended = True
            self._settle(run)
            return
        run.ticket = self._lane.submit(rest_of(started), partial(self._on_event, run), partial(self._on_end, run))

    def _on_event(self, run: _Run, event: Event) -> None:
        if isinstance(event, PictureMade | Preview):
            event = replace(event, index=event.index + run.offset)
        if isinstance(event, PictureMade | FrameMade) and run.error is None:
            run.pending.append(event)
            self._write_next(run)
        self.event.emit(run.job.id, event)  # pyright: ignore[reportAttributeAccessIssue]

    def _on_end(self, run: _Run, error: StudioError | None) -> None:
        run.ended = True
        run.error = run.error or error
        self._settle(run)

    def _write_next(self, run: _Run) -> None:
        """One write at a time, so that what is counted as made has no gaps."""
        if run.writing or not run.pending:
            return
        run.writing = True
        first = run.pending.popleft()
        if isinstance(first, PictureMade):
            self._background.run(
                partial(self._save_picture, run.job, first),
                partial(self._on_saved, run),
                partial(self._on_unsaved, run),
            )
            return
        frames = [first]
        while run.pending and isinstance(run.pending[0], FrameMade):
            frame = run.pending.popleft()
            assert isinstance(frame, FrameMade)
            frames.append(frame)
        self._background.run(
            partial(self._add_frames, run, frames), partial(self._on_saved, run), partial(self._on_unsaved, run)
        )

    def _settle(self, run: _Run) -> None:
        """Once the lane is done and everything is written, give the job its last state and start the next."""
        if not run.ended or run.writing:
            return
        if run.pending:
            self._write_next(run)
            return
        if run.film is not None and not run.film_closed:
            run.film_closed = run.writing = True
            self._background.run(
                partial(self._close_film, run), partial(self._on_saved, run), partial(self._on_unsaved, run)
            )
            return
        self._run = None
        self._conclude(run)
        self._pump()

    def _conclude(self, run: _Run) -> None:
        job, error = self._jobs.get(run.job.id, run.job), run.error
        if job.state in FINAL_STATES:
            return  # the last saved result made it done
        if error is None:
            self._finish(job, "done")
        elif isinstance(error, CancelledError):
            self._finish(job, "cancelled", f"{job.made} of {results_of(job.request)} made." if job.made else "")
        else:
            self._finish(job, "failed", str(error))
            self._notices.post_error(error, action="Retry", run=partial(self.retry, job.id))

    def _on_saved(self, run: _Run, outcome: tuple[Entry | None, Job | None]) -> None:
        run.writing = False
        entry, job = outcome
        if job is not None:
            run.job = job
            self._take(job)
        if entry is not None:
            self.saved.emit(run.job.id, entry)
        self._write_next(run)
        self._settle(run)

    def _on_unsaved(self, run: _Run, error: StudioError) -> None:
        """Nothing more can be kept: stop making it. A retry goes on after the last saved result."""
        run.writing = False
        run.pending.clear()
        if run.error is None or isinstance(run.error, CancelledError):
            run.error = error
        if run.ticket is not None:
            run.ticket.token.cancel()
        self._settle(run)

    # -- on a background thread ------------------------------------------------------------------------------------

    def _save_picture(self, job: Job, made: PictureMade) -> tuple[Entry | None, Job | None]:
        name, sha256 = self._identity(job)
        entry = self._results.save_picture(
            made,
            self._facts() or RunFacts(""),
            model_name=name,
            model_sha256=sha256,
            format=self._save_format(),
            announce=partial(self._store.plan, job.id, made.index),
        )
        return entry, self._store.made(job.id, made.index)

    def _add_frames(self, run: _Run, frames: list[FrameMade]) -> tuple[Entry | None, Job | None]:
        if run.film is None:
            name, sha256 = self._identity(run.job)
            run.film = self._results.film(
                run.job.request, self._facts() or RunFacts(""), model_name=name, model_sha256=sha256
            )
        for frame in frames:
            run.film.add(frame.pixels)
        return None, None

    def _close_film(self, run: _Run) -> tuple[Entry | None, Job | None]:
        assert run.film is not None
        if run.error is None:
            entry = run.film.finish(partial(self._store.plan, run.job.id, 0))
            return entry, self._store.made(run.job.id, 0)
        if isinstance(run.error, CancelledError):
            return run.film.keep(), None  # a part of a film is kept, but the job has not made its film
        run.film.abort()
        return None, None

    def _identity(self, job: Job) -> tuple[str, str]:
        try:
            return self._describe(job.request.package)
        except StudioError:
            return job.request.package, job.request.package_sha256  # removed since: the result is kept all the same

    # -- the list --------------------------------------------------------------------------------------------------

    def _finish(self, job: Job, state: JobState, message: str = "") -> None:
        done = self._told(partial(self._store.finish, job.id, state, message=message))
        self._take(done or msgspec.structs.replace(job, state=state, message=message))

    def _change(self, act: Callable[[], Job | None]) -> None:
        job = self._told(act)
        if job is not None:
            self._take(job)
            self._pump()

    def _take(self, job: Job) -> None:
        self._jobs[job.id] = job
        self.job_changed.emit(job)
        self.changed.emit()

    def _reload(self) -> None:
        jobs = self._told(self._store.jobs)
        if jobs is not None:
            self._jobs = {job.id: job for job in jobs}
            self.changed.emit()

    def _told(self, act: Callable[[], Any]) -> Any:
        """The result of a store's call, or None with a notice when the disk refuses."""
        try:
            return act()
        except StudioError as error:
            self._notices.post_error(error)
            return None

    def _on_sweep_done(self, _result: object) -> None:
        self._ready = True
        self._pump()

    def _on_sweep_failed(self, error: StudioError) -> None:
        self._notices.post_error(error)
        self._on_sweep_done(None)
