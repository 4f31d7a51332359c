"""The training wizard behind the screen: reads the drop, prepares the data, measures, trains, hands the model over."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import psutil
from PySide6.QtCore import QObject, Signal

from studio.core import wizard as steps
from studio.core.cancel import CancelToken
from studio.core.errors import BadInputError, CancelledError, StudioError
from studio.core.events import Pixels
from studio.core.findings import FoundItem, Understanding
from studio.core.manifest import Size
from studio.core.package import Package
from studio.core.params import Param, Value
from studio.core.paths import Paths
from studio.core.protocol import RunSpec
from studio.core.runs import RunView
from studio.core.wizard import Advice, FitMode, Flow
from studio.runtime.intake import understand
from studio.runtime.intake_files import Reader
from studio.runtime.prepare import Prepared, fitted, prepare, read_item
from studio.runtime.sample_pictures import write_samples
from studio.state.library import LibraryState
from studio.state.notices import Notice, Notices
from studio.state.training import TrainingState
from studio.workers.background import Background
from studio.workers.trainer import Supervisor

T = TypeVar("T")
THUMBNAILS = 24
THUMBNAIL_PX = 72
PREVIEWS = 6


@dataclass(frozen=True, eq=False)
class Pair:
    """A picture as it was dropped and as the model will see it, both ``(H, W, 4) uint8``."""

    before: Pixels
    after: Pixels


class WizardState(QObject):
    """What the wizard shows and what its buttons do.

    Args:
        paths: where runs and sample pictures go.
        library_state: packages to start from and the place of the result.
        background: for reading, preparing and copying files.
        notices: where problems are told.
        supervisor: starts and watches trainers.

    Signals:
        changed(): the flow, the pictures or the busy word changed.
        progressed(int done, int all): while reading or preparing; ``all`` is 0 while it is not known.
        package_ready(str id): a new model can be played.
        open_requested(str id): the artist wants to see the new model in its pane.
    """

    changed = Signal()
    progressed = Signal(int, int)
    package_ready = Signal(str)
    open_requested = Signal(str)

    def __init__(
        self,
        paths: Paths,
        library_state: LibraryState,
        background: Background,
        notices: Notices,
        supervisor: Supervisor,
        *,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._paths = paths
        self._library = library_state
        self._background = background
        self._notices = notices
        self.training = TrainingState(
            supervisor,
            library_state,
            packages_folder=paths.packages,
            background=background,
            notices=notices,
            parent=self,
        )
        self._flow = Flow()
        self._cancel = CancelToken()
        self._busy = ""
        self._problem = ""
        self._wanted_base = ""
        self._free_mb = 0.0
        self._thumbnails: tuple[Pixels, ...] = ()
        self._pairs: tuple[Pair, ...] = ()
        self._prepared: Prepared | None = None
        self._pairs_number = 0
        library_state.changed.connect(self._on_library_changed)
        self.training.run_changed.connect(self._on_training_run_changed)
        self.training.package_ready.connect(self._on_training_package_ready)

    def attach(self) -> None:
        """Take up runs of earlier windows; one that still trains is shown. Call once, when the window is up."""
        self.training.attach()
        running = next((view for view in self.training.runs if view.live), None)
        if running is not None and self._flow == Flow():
            self.show_run(running.id)  # who comes back during a training wants to see it

    @property
    def flow(self) -> Flow:
        """All choices so far."""
        return self._flow

    @property
    def busy(self) -> str:
        """What is being done right now, in words; empty when nothing is."""
        return self._busy

    @property
    def problem(self) -> str:
        """Why the last drop could not be used; empty when it could."""
        return self._problem

    @property
    def bases(self) -> tuple[Package, ...]:
        """Packages that can be fine-tuned."""
        return tuple(package for package in self._library.packages if steps.trainable(package.manifest))

    @property
    def base(self) -> Package | None:
        """The chosen package."""
        return next((package for package in self.bases if package.manifest.id == self._flow.base_id), None)

    @property
    def thumbnails(self) -> tuple[Pixels, ...]:
        """The first pictures of the drop, small."""
        return self._thumbnails

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Some pictures before and after they are brought to the model's size."""
        return self._pairs

    @property
    def advice(self) -> tuple[Advice, ...]:
        """Remarks on the data for the chosen base."""
        found, base = self._flow.understanding, self.base
        return steps.advise(found, base.manifest) if found is not None and base is not None else ()

    @property
    def missing(self) -> tuple[str, ...]:
        """What keeps training from starting, in words."""
        base = self.base
        return steps.missing(self._flow, base.manifest if base is not None else None)

    @property
    def can_start(self) -> bool:
        """Measuring and training may begin: nothing is missing, nothing is being done, this flow has no run yet."""
        return not (self.missing or self._busy or self._flow.training or self._flow.package_id)

    @property
    def params(self) -> tuple[Param, ...]:
        """Settings of a run of the chosen base."""
        base = self.base
        return steps.params_of(base.manifest) if base is not None else ()

    @property
    def run(self) -> RunView | None:
        """The run of this flow."""
        return self.training.run(self._flow.run_id) if self._flow.run_id else None

    def start_with(self, paths: Sequence[Path], base_id: str = "") -> None:
        """Understand what was dropped; ``base_id`` chooses the package to fine-tune."""
        if base_id:
            self._wanted_base = base_id
        if not paths:
            self._choose_wanted()
            return
        self._cancel.cancel()
        cancel = self._cancel = CancelToken()
        given = tuple(paths)
        self._set_busy("Reading pictures")
        self._problem = ""

        def work() -> tuple[Understanding, tuple[Pixels, ...]]:
            found = understand(given, self._progress(cancel), cancel)
            return found, _thumbnails(found.items[:: max(1, len(found.items) // THUMBNAILS)][:THUMBNAILS])

        self._background.run(work, self._current(cancel, self._on_understood), self._failed_reading(cancel))

    def try_samples(self) -> None:
        """Draw sample pictures of our own and start with them."""
        cancel = self._cancel
        self._set_busy("Drawing sample pictures")
        target = self._paths.data / "samples" / "Gems, leaves, suns"
        self._background.run(
            lambda: write_samples(target),
            self._current(cancel, lambda folder: self.start_with([folder])),
            self._failed_reading(cancel),
        )

    def cancel(self) -> None:
        """Stop reading or preparing."""
        self._cancel.cancel()
        self._cancel = CancelToken()
        self._set_busy("")

    def choose_base(self, package_id: str) -> None:
        """Fine-tune this package."""
        package = next((package for package in self.bases if package.manifest.id == package_id), None)
        if package is not None:
            self._set_flow(steps.with_base(self._flow, package.manifest), new_pairs=True)

    def choose_preset(self, name: str) -> None:
        """Take a preset of the base."""
        if name != self._flow.preset:
            self._set_flow(steps.with_preset(self._flow, name))

    def change(self, name: str, value: Value) -> None:
        """Change one setting of the run."""
        self._set_flow(steps.with_change(self._flow, name, value))

    def choose_mode(self, mode: FitMode) -> None:
        """Crop, pad or stretch."""
        if mode != self._flow.mode:
            self._set_flow(steps.with_mode(self._flow, mode), new_pairs=True)

    def rename(self, name: str) -> None:
        """Name of the new model."""
        self._set_flow(steps.with_words(self._flow, name=name))

    def note_consent(self, text: str) -> None:
        """The note on rights that goes into the package."""
        self._set_flow(steps.with_words(self._flow, consent=text))

    def measure(self) -> None:
        """Will it fit: prepare the data and measure a real step."""
        self._with_run(self.training.measure)

    def train(self) -> None:
        """Train; what was prepared for the measurement is used again."""
        self._with_run(self._train)

    def again(self) -> None:
        """Begin a new flow; the run of this one goes on."""
        self._thumbnails, self._pairs = (), ()
        self._set_flow(steps.again(self._flow))

    def open_result(self) -> None:
        """Show the new model in its pane."""
        if self._flow.package_id:
            self.open_requested.emit(self._flow.package_id)

    def show_run(self, run: str) -> None:
        """Put an earlier or running run into the flow, to watch it and to have its buttons."""
        view = self.training.run(run)
        if view is not None:
            flow = Flow(base_id=self._flow.base_id, preset=self._flow.preset, name=view.spec.package_name, run_id=run)
            self._flow = replace(flow, training=not view.installed, package_id=view.installed)
            self.changed.emit()

    def close(self) -> None:
        """Stop reading; trainers go on."""
        self._cancel.cancel()

    def _with_run(self, go_on: Callable[[str], None]) -> None:
        """``go_on(run)`` with a run whose data is prepared and whose spec is of this flow."""
        base, found, flow = self.base, self._flow.understanding, self._flow
        if base is None or found is None or not self.can_start:
            return
        if flow.run_id and self._prepared is not None and self.training.run(flow.run_id) is not None:
            self._create(flow.run_id, base, go_on)
            return
        size = base.manifest.size
        assert size is not None  # trainable() asks for it
        run = self._new_run_id(flow.name)
        self._cancel = cancel = CancelToken()
        self._set_busy("Preparing the pictures")
        target = self._paths.runs / run / "data"

        def work() -> Prepared:
            return prepare(found, size, target, mode=flow.mode, progress=self._progress(cancel), cancel=cancel)

        def done(made: Prepared) -> None:
            self._set_busy("")
            self._prepared = made
            self._flow = steps.measuring(self._flow, run)
            self._create(run, base, go_on)

        self._background.run(work, self._current(cancel, done), self._failed(cancel))

    def _create(self, run: str, base: Package, go_on: Callable[[str], None]) -> None:
        taken = {package.manifest.id for package in self._library.packages}
        spec = RunSpec(
            family=base.manifest.family,
            dataset=str(self._paths.runs / run / "data"),
            package_id=steps.package_id(self._flow.name, taken),
            package_name=self._flow.name.strip(),
            base=str(base.folder),
            settings=steps.settings_of(self._flow, base.manifest),
            consent=self._flow.consent.strip(),
        )
        try:
            self.training.create(run, spec)
        except StudioError as error:
            self._notices.post_error(error)
            return
        self._free_mb = psutil.virtual_memory().available / 1e6
        go_on(run)
        self.changed.emit()

    def _train(self, run: str) -> None:
        self._flow = steps.started(self._flow)
        self.training.start(run)

    def _new_run_id(self, name: str) -> str:
        stamp = datetime.now(UTC).astimezone().strftime("%Y%m%d-%H%M%S")
        taken = {view.id for view in self.training.runs}
        return steps.package_id(f"{stamp}-{name}"[:40], taken)

    def _set_flow(self, flow: Flow, *, new_pairs: bool = False) -> None:
        before, self._flow = self._flow, flow
        if before.run_id and not flow.run_id:
            self._leave_run(before.run_id)
        if new_pairs:
            self._make_pairs()
        self.changed.emit()

    def _leave_run(self, run: str) -> None:
        """A measured run that was not trained is of no use once a choice changed."""
        self._prepared = None
        view = self.training.run(run)
        if view is None or view.trained or view.status == "waiting":
            return
        if view.live:
            self.training.stop(run)
        else:
            self.training.remove(run)

    def _make_pairs(self) -> None:
        base, found = self.base, self._flow.understanding
        if base is None or base.manifest.size is None or found is None:
            self._pairs = ()
            return
        self._pairs_number = number = self._pairs_number + 1
        chosen = found.items[:: max(1, len(found.items) // PREVIEWS)][:PREVIEWS]
        size, mode = base.manifest.size, self._flow.mode

        def done(pairs: tuple[Pair, ...]) -> None:
            if number == self._pairs_number:
                self._pairs = pairs
                self.changed.emit()

        self._background.run(lambda: _pairs(chosen, size, mode), done)

    def _on_understood(self, result: tuple[Understanding, tuple[Pixels, ...]]) -> None:
        found, self._thumbnails = result
        self._set_busy("")
        kept = self._flow.name if self._flow.package_id == "" else ""
        previous = self._flow.understanding.name if self._flow.understanding is not None else ""
        name = found.name if kept in ("", previous) else kept
        self._set_flow(steps.understood(replace(self._flow, name=name), found), new_pairs=True)
        self._choose_wanted()

    def _choose_wanted(self) -> None:
        """The base that was asked for, else the first one that fits the data."""
        if self._wanted_base and any(package.manifest.id == self._wanted_base for package in self.bases):
            wanted, self._wanted_base = self._wanted_base, ""
            self.choose_base(wanted)
        elif self.base is None and self._flow.understanding is not None and self.bases:
            self.choose_base(_best_base(self._flow.understanding, self.bases).manifest.id)

    def _on_library_changed(self) -> None:
        self._choose_wanted()
        self.changed.emit()

    def _on_training_run_changed(self, run: str) -> None:
        if run != self._flow.run_id:
            return
        view = self.training.run(run)
        if view is not None and view.status == "draft" and self._flow.training and not self.training.alive(run):
            self._flow = steps.ended(self._flow)  # taken out of the queue before its first step
            self._prepared = None
        elif view is not None and view.measured is not None and self._flow.measured is None:
            self._flow = steps.measured(self._flow, replace(view.measured, free_mb=self._free_mb))
        self.changed.emit()

    def _on_training_package_ready(self, package_id: str) -> None:
        run = self.run
        if run is not None and run.installed == package_id:
            self._flow = steps.finished(self._flow, package_id)
        made = next((view.spec.package_name for view in self.training.runs if view.installed == package_id), package_id)
        words, action = f"{made} is trained and in your library.", "Open in Paint"
        self._notices.post(
            Notice(words, level="success", action=action, run=lambda: self.open_requested.emit(package_id))
        )
        self.package_ready.emit(package_id)
        self.changed.emit()

    def _set_busy(self, words: str) -> None:
        self._busy = words
        self.changed.emit()

    def _progress(self, cancel: CancelToken) -> Callable[[int, int], None]:
        """A progress for a worker; the signal crosses to this object's thread by itself."""

        def tell(done: int, total: int) -> None:
            if not cancel.cancelled and (done % 16 == 0 or done == total):
                self.progressed.emit(done, total)

        return tell

    def _current(self, cancel: CancelToken, go_on: Callable[[T], None]) -> Callable[[T], None]:
        """``go_on`` unless something newer replaced what it belongs to."""
        return lambda result: None if cancel.cancelled else go_on(result)

    def _failed(self, cancel: CancelToken) -> Callable[[StudioError], None]:
        def failed(error: StudioError) -> None:
            if not cancel.cancelled and not isinstance(error, CancelledError):
                self._set_busy("")
                self._notices.post_error(error)

        return failed

    def _failed_reading(self, cancel: CancelToken) -> Callable[[StudioError], None]:
        told = self._failed(cancel)

        def failed(error: StudioError) -> None:
            if not cancel.cancelled:
                self._problem = str(error)
            told(error)

        return failed


def _best_base(found: Understanding, bases: tuple[Package, ...]) -> Package:
    """The package nearest to the data: enough pictures for it, transparency, classes, then the larger one."""

    def distance(package: Package) -> tuple[bool, bool, bool, int]:
        manifest = package.manifest
        size = manifest.size or Size(0, 0, 0)
        few = manifest.training is not None and len(found.items) < manifest.training.minimum_items
        alpha = (size.channels == 4) != (found.statistics.alpha_share > 0.5)
        classes = bool(manifest.labels) and not set(manifest.labels) & set(found.labels)
        return few, alpha, classes, -size.width_px * size.height_px

    return min(bases, key=distance)


def _thumbnails(items: Sequence[FoundItem]) -> tuple[Pixels, ...]:
    size = Size(THUMBNAIL_PX, THUMBNAIL_PX, 4)
    return tuple(fitted(pixels, size, "pad") for pixels in _read(items))


def _pairs(items: Sequence[FoundItem], size: Size, mode: FitMode) -> tuple[Pair, ...]:
    small = Size(THUMBNAIL_PX, THUMBNAIL_PX, 4)
    return tuple(Pair(fitted(pixels, small, "pad"), fitted(pixels, size, mode)) for pixels in _read(items))


def _read(items: Sequence[FoundItem]) -> list[Pixels]:
    """The pictures that can still be read."""
    found: list[Pixels] = []
    with Reader() as reader:
        for item in items:
            try:
                found.append(read_item(item, reader))
            except BadInputError:
                continue
    return found
