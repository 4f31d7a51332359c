"""Training runs for the screen: live views, loss curves, and the finished package on its way into the library."""

import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from studio.core.errors import StudioError
from studio.core.protocol import RunSpec, TrainingEvent
from studio.core.runs import LIVE, RunView, folded
from studio.runtime.atomic import part_path, publish_folder, storage_error, write_bytes
from studio.runtime.packages import import_package
from studio.state.library import LibraryState
from studio.state.notices import Notice, Notices
from studio.workers.background import Background
from studio.workers.trainer import Supervisor

INSTALLED_NAME = "installed"
MAX_POINTS = 20_000

_log = logging.getLogger(__name__)


class TrainingState(QObject):
    """All runs and what can be done with them.

    Args:
        supervisor: starts and watches trainers.
        library: where finished packages go.
        packages_folder: folder of the library.
        background: for file work.
        notices: where endings are told.

    Signals:
        runs_changed(): a run came, went, or changed its status.
        run_changed(str run): anything of a run changed.
        package_ready(str id): a finished package is in the library.
    """

    runs_changed = Signal()
    run_changed = Signal(str)
    package_ready = Signal(str)

    def __init__(
        self,
        supervisor: Supervisor,
        library: LibraryState,
        *,
        packages_folder: Path,
        background: Background,
        notices: Notices,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._supervisor = supervisor
        self._library = library
        self._packages_folder = packages_folder
        self._background = background
        self._notices = notices
        self._views: dict[str, RunView] = {}
        self._curves: dict[str, dict[str, tuple[list[int], list[float]]]] = {}
        self._installing: set[str] = set()
        self._arriving: set[str] = set()
        self._attaching = False  # what earlier windows saw is read, not told again
        library.changed.connect(self._on_library_changed)
        supervisor.told.connect(self._on_supervisor_told)
        supervisor.started.connect(self._on_supervisor_started)
        supervisor.ended.connect(self._on_supervisor_ended)
        supervisor.silent.connect(self._on_supervisor_silent)
        supervisor.waiting.connect(self._on_supervisor_waiting)

    def attach(self) -> None:
        """Take up the runs of earlier windows; what ended without a word meanwhile is told, drafts are swept."""
        self._attaching = True
        runs = self._supervisor.attach()
        self._attaching = False
        for run in runs:
            view = self._view(run)
            if view is None:
                continue
            if view.status == "draft" and not self._supervisor.alive(run):
                self._discard(run)
            elif view.status in LIVE and not self._supervisor.alive(run):
                self._on_supervisor_ended(run, "")
            elif view.status == "finished" and not view.installed:
                self._install(run)
        self.runs_changed.emit()

    @property
    def runs(self) -> tuple[RunView, ...]:
        """All runs except drafts, the newest first."""
        shown = [view for view in self._views.values() if view.status not in ("draft", "measuring")]
        return tuple(sorted(shown, key=lambda view: view.id, reverse=True))

    def run(self, run: str) -> RunView | None:
        """One run, or None."""
        return self._views.get(run)

    def curves(self, run: str) -> dict[str, tuple[list[int], list[float]]]:
        """Name of a figure to its steps and values; a name with ``valid:`` before it was measured on held-out data."""
        return self._curves.get(run, {})

    def create(self, run: str, spec: RunSpec) -> None:
        """A new run in its folder; raises `StorageError`."""
        self._supervisor.create(run, spec)
        self._views[run] = RunView(run, str(self._supervisor.folder(run)), spec)

    def measure(self, run: str) -> None:
        """Measure one step."""
        self._do(lambda: self._supervisor.measure(run))

    def start(self, run: str) -> None:
        """Train, or wait in the queue."""
        self._do(lambda: self._supervisor.train(run))

    def pause(self, run: str) -> None:
        """Pause after the step in hand."""
        self._change(run, status="pausing")
        self._do(lambda: self._supervisor.pause(run))

    def resume(self, run: str) -> None:
        """Go on: from the pause, or from the last checkpoint."""
        view = self._view(run)
        if view is not None and view.status in ("paused", "pausing"):
            self._change(run, status="running")
        self._do(lambda: self._supervisor.resume(run))

    def stop(self, run: str) -> None:
        """Save and end; can be resumed later."""
        if self._supervisor.alive(run):
            self._change(run, status="stopping")
        self._do(lambda: self._supervisor.stop(run))

    def sample(self, run: str) -> None:
        """A sample sheet now."""
        self._do(lambda: self._supervisor.sample(run))

    def export(self, run: str) -> None:
        """A package of the newest weights now; training goes on."""
        self._do(lambda: self._supervisor.export(run))

    def remove(self, run: str) -> None:
        """Delete a run that is not live, with its checkpoints; its installed package stays."""
        if not self._supervisor.alive(run):
            self._discard(run)
            self.runs_changed.emit()

    def alive(self, run: str) -> bool:
        """A process works on this run, or is about to end."""
        return self._supervisor.alive(run)

    def log_tail(self, run: str) -> str:
        """The end of the trainer's log, for the curious."""
        return self._supervisor.log_tail(run)

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except StudioError as error:
            self._notices.post_error(error)

    def _discard(self, run: str) -> None:
        self._do(lambda: self._supervisor.remove(run))
        self._views.pop(run, None)
        self._curves.pop(run, None)

    def _view(self, run: str) -> RunView | None:
        if run not in self._views:
            try:
                spec = self._supervisor.spec(run)
            except StudioError as error:
                _log.warning("%s", error)
                return None
            folder = self._supervisor.folder(run)
            installed = folder / INSTALLED_NAME
            name = installed.read_text(encoding="utf-8") if installed.is_file() else ""
            self._views[run] = RunView(run, str(folder), spec, installed=name)
        return self._views[run]

    def _change(self, run: str, **changes: object) -> None:
        view = self._view(run)
        if view is None:
            return
        self._views[run] = replace(view, **changes)  # pyright: ignore[reportArgumentType]
        self.run_changed.emit(run)
        if self._views[run].status != view.status:
            self.runs_changed.emit()

    def _on_supervisor_told(self, run: str, event: TrainingEvent) -> None:
        view = self._view(run)
        if view is None:
            return
        self._views[run] = folded(view, event)
        self._draw(run, event)
        if event.kind == "package" and not self._attaching:
            self._install(run)
        if event.kind != "heartbeat":
            self.run_changed.emit(run)
        if self._views[run].status != view.status:
            self.runs_changed.emit()

    def _draw(self, run: str, event: TrainingEvent) -> None:
        prefix = {"loss": "", "metric": "valid: "}.get(event.kind)
        if prefix is None:
            return
        curves = self._curves.setdefault(run, {})
        for name, value in event.losses.items():
            steps, values = curves.setdefault(prefix + name, ([], []))
            while steps and steps[-1] >= event.step:  # resumed from an earlier checkpoint
                steps.pop()
                values.pop()
            steps.append(event.step)
            values.append(value)
            if len(steps) > MAX_POINTS:
                del steps[1:-1:2], values[1:-1:2]

    def _on_supervisor_started(self, run: str, verb: str) -> None:
        view = self._view(run)
        # Found running: its events have told the status already.
        if view is not None and view.status not in LIVE:
            self._change(
                run, status="measuring" if verb == "measure" else "running", phase="starting", message="", hint=""
            )
        if verb == "train" and not self._attaching:
            self._change(run, trained=True)

    def _on_supervisor_waiting(self, run: str) -> None:
        self._change(run, status="waiting")

    def _on_supervisor_ended(self, run: str, reason: str) -> None:
        view = self._view(run)
        if view is None:
            return
        if view.status in LIVE:
            self._crashed(run, view, reason)
        elif view.status == "waiting":
            self._change(run, status="stopped" if view.trained else "draft")
        elif view.status == "failed" and not self._attaching:
            self._notices.post(Notice(view.message, view.hint, "error"))
        self.run_changed.emit(run)
        self.runs_changed.emit()

    def _crashed(self, run: str, view: RunView, reason: str) -> None:
        stopped = view.status == "stopping"
        message = reason or "The trainer ended without saying why."
        hint = "Nothing up to the last checkpoint is lost: press Resume." if view.trained else "Try again."
        self._change(run, status="stopped" if stopped else "crashed", message=message, hint=hint)
        if not stopped:
            name = view.spec.package_name
            self._notices.post(
                Notice(
                    f"Training {name} stopped unexpectedly. {message}",
                    hint,
                    "error",
                    "Resume",
                    lambda: self.resume(run),
                )
            )

    def _on_supervisor_silent(self, run: str, seconds: float) -> None:
        self._change(run, message=f"No sign of life for {seconds:.0f} seconds.", hint="Wait, or press Stop and resume.")

    def _install(self, run: str) -> None:
        """Copy the finished package into the library, where the panes find it."""
        view = self._views[run]
        if not view.package or run in self._installing:
            return
        source = Path(view.package)
        marker = Path(view.folder) / INSTALLED_NAME
        taken = {p.manifest.id: p for p in self._library.packages if p.folder.parent != self._packages_folder}
        self._installing.add(run)

        def work() -> str:
            if view.installed and view.installed == view.spec.package_id:
                installed = _replaced(source, self._packages_folder, view.installed)
            else:
                installed = import_package(source, self._packages_folder, taken=taken).manifest.id
            write_bytes(marker, installed.encode())
            return installed

        def done(result: object) -> None:
            self._installing.discard(run)
            self._change(run, installed=str(result))
            self._arriving.add(str(result))
            self._library.refresh()

        def failed(error: StudioError) -> None:
            self._installing.discard(run)
            self._notices.post_error(error, action="Try again", run=lambda: self._install(run))

        self._background.run(work, done, failed)

    def _on_library_changed(self) -> None:
        """The panes may open a package once the library lists it."""
        for package_id in self._arriving & {package.manifest.id for package in self._library.packages}:
            self._arriving.discard(package_id)
            self.package_ready.emit(package_id)


def _replaced(source: Path, library: Path, package_id: str) -> str:
    """Put a newer package of the same run in the place of the one that was exported earlier, in one step."""
    staging = part_path(library)
    try:
        staging.mkdir(parents=True)
        publish_folder(import_package(source, staging).folder, library / package_id)
    except OSError as error:
        raise storage_error(error, library / package_id, 0) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return package_id
