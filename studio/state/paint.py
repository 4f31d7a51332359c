"""Paint without widgets: the open model, what is set, and what happens when Generate is pressed."""

import secrets
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec
from PySide6.QtCore import QObject, Signal

from studio.core import latent_map
from studio.core.errors import CancelledError, StudioError
from studio.core.events import Done, Event, PictureMade, Preview
from studio.core.manifest import Manifest
from studio.core.memory import Preset, SavedPoint
from studio.core.package import Package
from studio.core.params import Value
from studio.core.recipe import Restored
from studio.core.requests import ImageRequest, Point
from studio.state.history import History
from studio.state.notices import Notice, Notices
from studio.state.paint_memory import PaintMemory
from studio.state.paint_results import LiveLane, PaintResults, Queue
from studio.state.paint_start import PaintStart
from studio.state.paint_values import (
    ONE_SHOT,
    PaintValues,
    default_values,
    film_request,
    fitting_controls,
    restored_changes,
    to_request,
    weights,
)
from studio.state.projection import Projection
from studio.state.settings import SettingsState

SEEDS = 2**32
"""Drawn seeds stay short enough to read aloud."""
LIVE_KEY = "paint"


class Library(Protocol):
    """What Paint needs of `studio.state.library.LibraryState`."""

    @property
    def changed(self) -> Any:
        """Another set of models."""
        ...

    @property
    def packages(self) -> tuple[Package, ...]:
        """Models that can be opened."""
        ...


class PaintState(QObject):
    """The view-model of the Paint pane.

    Args:
        library, queue, lane: where models come from, where jobs go, where live pictures come from.
        results: what the viewer shows. start: start picture and mask. memory: presets and saved points.
        projection: finds a picture's place in the latent space.

    Signals:
        models_changed(): another set of models can be opened.
        model_changed(): another model is open (or none).
        values_changed(): something is set otherwise than by the control itself (undo, preset, restore, new seed).
        history_changed(): undo and redo became possible or impossible.
    """

    models_changed = Signal()
    model_changed = Signal()
    values_changed = Signal()
    history_changed = Signal()

    def __init__(
        self,
        *,
        library: Library,
        queue: Queue,
        lane: LiveLane,
        results: PaintResults,
        start: PaintStart,
        memory: PaintMemory,
        projection: Projection,
        notices: Notices,
        settings: SettingsState,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.results = results
        self.start = start
        self.memory = memory
        self._library = library
        self._queue = queue
        self._lane = lane
        self._projection = projection
        self._notices = notices
        self._settings = settings
        self._wanted = ""
        self._package: Package | None = None
        self._kept: dict[str, PaintValues] = {}
        self._history: History[PaintValues] = History(PaintValues())
        self._live_failed = False
        library.changed.connect(self._on_library_changed)
        start.changed.connect(self._on_start_changed)
        self._on_library_changed()

    # -- models ---------------------------------------------------------------------------------------------------

    @property
    def models(self) -> tuple[Package, ...]:
        """Models that make pictures."""
        return tuple(package for package in self._library.packages if package.manifest.modality == "image")

    @property
    def package(self) -> Package | None:
        """The open model."""
        return self._package

    @property
    def manifest(self) -> Manifest | None:
        """Manifest of the open model."""
        return self._package.manifest if self._package else None

    @property
    def is_live(self) -> bool:
        """True when the open model answers while a control is dragged."""
        return self.manifest is not None and self.manifest.pipeline in ONE_SHOT

    @property
    def has_map(self) -> bool:
        """True when the open model's latent space is a map to walk on."""
        return self.manifest is not None and latent_map.has_map(self.manifest.settings)

    @property
    def can_start_from_picture(self) -> bool:
        """True when the open model takes a start picture: it can add noise to it, or encode it."""
        manifest = self.manifest
        return manifest is not None and (manifest.pipeline not in ONE_SHOT or "encode" in manifest.graphs)

    @property
    def can_mask(self) -> bool:
        """True when part of a start picture can be kept."""
        return self.can_start_from_picture and not self.is_live

    def choose(self, package_id: str) -> None:
        """Open a model; what was set for the last one is kept until it is opened again."""
        package = next((one for one in self.models if one.manifest.id == package_id), None)
        if package is None:
            self._notices.post(Notice(f"The model {package_id} is not in the library.", "Import it first.", "warning"))
        elif self._package is None or package.sha256 != self._package.sha256:
            self._open(package)

    def choose_soon(self, package_id: str) -> None:
        """Open a model as soon as the library has it."""
        self._wanted = package_id
        self._on_library_changed()

    # -- what is set ----------------------------------------------------------------------------------------------

    @property
    def values(self) -> PaintValues:
        """Everything that is set."""
        return self._history.value

    @property
    def can_undo(self) -> bool:
        """True when a change can be taken back."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """True when an undone change can be brought back."""
        return self._history.can_redo

    def set_control(self, name: str, value: Value) -> None:
        """Set a control of the model; a quick model answers with a picture."""
        self._push({"controls": {**self.values.controls, name: value}}, key=f"control:{name}", live=True)

    def set_labels(self, labels: dict[str, float]) -> None:
        """Set the class weights."""
        self._push({"labels": labels}, key="labels", live=True)

    def set_seed(self, seed: int) -> None:
        """Set the seed by hand: it then stays until the artist asks for new ones. Leaves an explicit place."""
        self._push({"seed": seed, "random_seed": False, "vector": ()}, key="seed", live=True)

    def set_place(self, vector: tuple[float, ...]) -> None:
        """Go to a place of the latent space."""
        self._push({"vector": vector, "random_seed": False}, key="place", live=True)

    def set_map_place(self, x: float, y: float) -> None:
        """Go to a place of the latent map, 0 to 1 to the right and upwards."""
        if self.manifest is not None and self.has_map:
            self.set_place(latent_map.pad_to_vector(x, y, self.manifest.settings))

    def map_place(self, point: Point | None = None) -> tuple[float, float] | None:
        """Where on the map a saved point lies, or what is set; None where it cannot be said."""
        if self.manifest is None or not self.has_map:
            return None
        vector = self.values.vector if point is None else point.vector
        if vector:
            fits = len(vector) == 2
            return latent_map.vector_to_pad(vector, self.manifest.settings) if fits else None
        shown = self.results.picture
        return shown.place if shown is not None and point is None else None

    def set_strength(self, strength: float) -> None:
        """Set how far to leave the start picture."""
        self._push({"strength": strength}, key="strength", live=bool(self.values.source))

    def change(self, changes: dict[str, object]) -> None:
        """Set other fields of `PaintValues` (count, strength, film, random seed)."""
        key = ",".join(sorted(changes))
        self._push(changes, key=key, live=False)

    def hold(self) -> None:
        """A drag begins: it will be one step of undo."""
        self._history.hold()

    def release(self) -> None:
        """The drag is over."""
        self._history.release()

    def undo(self) -> None:
        """Take back the last change."""
        self._history.undo()
        self._on_values_moved()

    def redo(self) -> None:
        """Bring back what was undone."""
        self._history.redo()
        self._on_values_moved()

    def reset(self) -> None:
        """Every control of the model back to its default; can be undone."""
        if self.manifest is not None:
            fresh = default_values(self.manifest, seed=self.values.seed)
            self._push({"controls": fresh.controls, "labels": fresh.labels, "vector": ()}, key="", live=True)
            self.values_changed.emit()

    # -- making ---------------------------------------------------------------------------------------------------

    def generate(self, *, front: bool = False) -> None:
        """Put what is set into the queue, with a new seed when those are wanted."""
        if self._package is None:
            return
        if self.values.random_seed:
            self._push({"seed": secrets.randbelow(SEEDS), "vector": ()}, key="new seed", live=False)
            self.values_changed.emit()
        values, package = self.values, self._package
        self.start.keep_mask(lambda mask: self._enqueue(to_request(values, package, mask=mask), front=front))

    def keep(self) -> None:
        """Save the live picture on view by making exactly it again in the queue."""
        shown = self.results.picture
        if shown is not None and shown.kind == "live" and isinstance(shown.request, ImageRequest):
            self._enqueue(shown.request, front=True)

    def generate_or_stop(self) -> None:
        """What the big button does."""
        if self.results.running is not None:
            self.stop()
        else:
            self.generate()

    def stop(self) -> None:
        """Stop what runs; what is done is kept."""
        self._queue.cancel_running()

    @property
    def can_project(self) -> bool:
        """True when the start picture's own place in the latent space can be found."""
        return self.is_live and self.can_start_from_picture and self.start.pixels is not None

    def project(self) -> None:
        """Go to the place of the start picture, so that sliders, map and films work from there."""
        package, pixels = self._package, self.start.pixels
        if package is None or pixels is None:
            return

        def arrive(vector: tuple[float, ...]) -> None:
            if self._package is package:
                self.start.clear()
                self.set_place(vector)
                self.values_changed.emit()

        self._projection.project(package.manifest.id, pixels, arrive)

    def make_film(self) -> None:
        """Travel through the saved points, or through four places of fresh noise when none are saved."""
        if self._package is None:
            return
        path = tuple(saved.point for saved in self.memory.points)
        if len(path) < 2:
            path = tuple(Point(seed=secrets.randbelow(SEEDS)) for _ in range(4))
        self._enqueue(film_request(self.values, self._package, path=path), front=False)

    # -- points, presets, restoring -------------------------------------------------------------------------------

    def save_point(self, *, thumbnail: bytes = b"") -> None:
        """Keep the place of the picture on view."""
        if self._package is None:
            return
        values, vector = self._values_on_view(), self._values_on_view().vector
        place = self.map_place()
        if not vector and place is not None and self.manifest is not None:
            vector = latent_map.pad_to_vector(*place, self.manifest.settings)
        point = Point(seed=values.seed, vector=vector, labels=weights(values.labels), controls=values.controls)
        self.memory.add_point(SavedPoint(f"Point {len(self.memory.points) + 1}", point, thumbnail))

    def go_to_point(self, index: int) -> None:
        """Set everything as it was at a saved point."""
        if self.manifest is None:
            return
        point = self.memory.points[index].point
        controls, _ = fitting_controls(self.manifest, {**self.values.controls, **point.controls})
        changes: dict[str, object] = {
            "seed": point.seed, "vector": point.vector, "controls": controls, "random_seed": False,
        }  # fmt: skip
        if point.labels:
            changes["labels"] = point.labels
        self._push(changes, key="", live=True)
        self.values_changed.emit()

    def save_preset(self, name: str) -> None:
        """Keep the controls under a name."""
        if name.strip():
            values = self.values
            self.memory.save_preset(Preset(name.strip(), values.controls, weights(values.labels), values.strength))

    def apply_preset(self, name: str) -> None:
        """Set the controls as the preset has them; can be undone."""
        preset = next((kept for kept in self.memory.presets if kept.name == name), None)
        if preset is None or self.manifest is None:
            return
        controls, problems = fitting_controls(self.manifest, preset.controls)
        labels = {name: weight for name, weight in preset.labels.items() if name in self.manifest.labels}
        self._push({"controls": controls, "labels": labels, "strength": preset.strength}, key="", live=True)
        self.values_changed.emit()
        if problems:
            self._notices.post(Notice(f"Not all of {name} fits this model.", " ".join(problems), "warning"))

    def restore(self, restored: Restored, scope: str = "all") -> None:
        """Set what a result's recipe says.

        Args:
            restored: what was read from the result.
            scope: ``all``, ``seed``, ``prompt`` (its classes) or ``remix`` (all with a new seed).
        """
        request = restored.recipe.request if restored.recipe else None
        problems = list(restored.problems)
        if isinstance(request, ImageRequest):
            problems += self._restore_request(request, scope)
        elif restored.seed is not None and scope in ("all", "seed"):
            self.set_seed(restored.seed % 2**53)
            self.values_changed.emit()
            problems.append(f"It was made by {restored.source}: only its seed can be used here.")
        else:
            problems.append("It holds no recipe that Reverie can use.")
        level = "warning" if problems else "success"
        text = "The recipe was restored, but not all of it." if problems else "The recipe was restored."
        self._notices.post(Notice(text, " ".join(problems), level))

    def _restore_request(self, request: ImageRequest, scope: str) -> list[str]:
        """Set what ``request`` says and return a sentence on each thing that could not be set."""
        problems: list[str] = []
        if scope in ("all", "remix") and (self._package is None or request.package != self._package.manifest.id):
            package = next((one for one in self.models if one.manifest.id == request.package), None)
            if package is None:
                problems.append(f"The model {request.package} is not in the library.")
            else:
                self._open(package)
        if self._package is None:
            return problems
        changes, misfits = restored_changes(self._package, request, scope)
        problems += misfits
        self._push(changes, key="", live=True)
        self._on_values_moved(live=False)
        return problems

    # -- inside ---------------------------------------------------------------------------------------------------

    def _open(self, package: Package) -> None:
        if self._package is not None:
            self._kept[self._package.manifest.id] = self.values
        self._package = package
        manifest = package.manifest
        kept = self._kept.get(manifest.id)
        values = kept if kept is not None else default_values(manifest, seed=secrets.randbelow(SEEDS))
        if kept is not None:  # the package may have been replaced by another of the same id
            values = msgspec.structs.replace(values, controls=fitting_controls(manifest, kept.controls)[0])
        self._history.restart(msgspec.structs.replace(values, source=""))
        self.results.clear()
        self.start.set_size(manifest.size if self.can_start_from_picture else None)
        self.memory.open(manifest.id)
        self._settings.change({"last_package": manifest.id})
        self.model_changed.emit()
        self.values_changed.emit()
        self.history_changed.emit()

    def _push(self, changes: dict[str, object], *, key: str, live: bool) -> None:
        value = msgspec.structs.replace(self.values, **changes)
        if value == self.values:
            return
        self._history.push(value, key=key)
        self.history_changed.emit()
        if live:
            self._live()

    def _on_values_moved(self, *, live: bool = True) -> None:
        """The values jumped: the start picture and every control follow."""
        source = self.values.source
        if source and source != self.start.path:
            self.start.take(Path(source))
        elif not source:
            self.start.clear()
        self.values_changed.emit()
        self.history_changed.emit()
        if live:
            self._live()

    def _live(self) -> None:
        if self._package is None or not self.is_live:
            return
        request = to_request(self.values, self._package, count=1)
        self._lane.submit_live(LIVE_KEY, request, partial(self._on_live_event, request), self._on_live_end)

    def _enqueue(self, request: ImageRequest, *, front: bool) -> None:
        self._queue.enqueue(request, front=front)

    def _values_on_view(self) -> PaintValues:
        """What made the picture on view: its own request where it has one, else what is set."""
        shown = self.results.picture
        request = shown.request if shown is not None else None
        if not isinstance(request, ImageRequest) or self.manifest is None or request.package != self.manifest.id:
            return self.values
        return msgspec.structs.replace(
            self.values,
            seed=request.seed,
            vector=request.point.vector if request.point else (),
            labels=request.labels,
            controls={**self.values.controls, **request.controls},
        )

    def _on_live_event(self, request: ImageRequest, event: Event) -> None:
        if self._package is None or request.package != self._package.manifest.id:
            return
        if isinstance(event, (PictureMade, Preview)):
            self.results.show_live(event, request)
        elif isinstance(event, Done):
            self.results.note_facts(event.facts)

    def _on_live_end(self, error: StudioError | None) -> None:
        # A drag asks many times a second: one broken model is told once, not sixty times.
        if error is None:
            self._live_failed = False
        elif not self._live_failed and not isinstance(error, CancelledError):
            self._live_failed = True
            self._notices.post_error(error)

    def _on_library_changed(self) -> None:
        models = self.models
        self.models_changed.emit()
        wanted = next((one for one in models if one.manifest.id == self._wanted), None)
        if wanted is not None:
            self._wanted = ""
            self._open(wanted)
            return
        if self._package is not None:
            fresh = next((one for one in models if one.manifest.id == self._package.manifest.id), None)
            if fresh is not None:
                if fresh.sha256 != self._package.sha256:
                    self._open(fresh)
                return
            self._package = None
            self.model_changed.emit()
        if models:
            last = self._settings.value.last_package
            self._open(next((one for one in models if one.manifest.id == last), models[0]))

    def _on_start_changed(self, path: str) -> None:
        self._push({"source": path}, key="", live=True)
        self.values_changed.emit()
