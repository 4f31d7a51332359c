"""A Paint pane on a scripted queue and lane: no model, no disk beyond a temporary folder."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from PySide6.QtCore import QObject, Signal
from pytestqt.qtbot import QtBot

from studio.core.events import Done, Event, FrameMade, PictureMade, Pixels, Preview, RunFacts, Step
from studio.core.gallery import Entry
from studio.core.jobs import Job
from studio.core.manifest import GraphSpec, Manifest, Origin, Size
from studio.core.package import Package
from studio.core.params import Param
from studio.core.requests import ImageRequest
from studio.runtime.inputs import InputStore
from studio.runtime.memory_store import MemoryStore
from studio.runtime.settings_store import SettingsStore
from studio.state.notices import Notice, Notices
from studio.state.paint import PaintState
from studio.state.paint_memory import PaintMemory
from studio.state.paint_results import PaintResults
from studio.state.paint_start import PaintStart
from studio.state.previews import Previews
from studio.state.projection import Projection
from studio.state.settings import SettingsState
from studio.workers.background import Background

SIDE = 8
STEPS = Param("steps", "int", 20, "Steps", "More is finer.", 1, 100, 1, "steps")
TRUNCATION = Param("truncation", "float", 1.0, "Variety", "Less is safer.", 0, 1.5, 0.05)
SMILE = Param("attr:smile", "float", 0.0, "Smile", "Happier.", -4, 4, 0.1, group="Attributes")


def package(folder: Path, kind: str, package_id: str = "") -> Package:
    """A package that only its manifest makes real: ``map``, ``latent`` or ``diffusion``."""
    diffusion = kind == "diffusion"
    graph = GraphSpec("a.onnx", "0" * 64, 1, (), ())
    graphs = {"denoise": graph} if diffusion else {"decode": graph}
    if kind == "latent":
        graphs["encode"] = GraphSpec("b.onnx", "0" * 64, 1, (), ())
    settings = {"latent_dim": 2, "prior": "normal", "map": True} if kind == "map" else {"latent_dim": 4}
    manifest = Manifest(
        format=1, id=package_id or kind, name=kind.title(), summary=f"A {kind} model.", modality="image",
        pipeline="diffusion-image/1" if diffusion else "latent-image/1", family="T", config={}, graphs=graphs,
        licence="CC0", origin=Origin("none", "", 0, "CC0"), settings={} if diffusion else settings,
        controls=(STEPS,) if diffusion else (TRUNCATION, SMILE),
        labels=("tree", "stone", "river") if diffusion else (), size=Size(SIDE, SIDE, 4),
    )  # fmt: skip
    return Package(folder / manifest.id, manifest, f"{kind}{package_id}".ljust(64, "0"), bundled=True, trusted=True)


def picture(value: int = 128) -> Pixels:
    """One colour with a transparent corner."""
    pixels = np.full((SIDE, SIDE, 4), value, np.uint8)
    pixels[0, 0, 3] = 0
    return pixels


class FakeLibrary(QObject):
    changed = Signal()

    def __init__(self, packages: tuple[Package, ...]) -> None:
        super().__init__()
        self.packages = packages


class FakeQueue(QObject):
    """Keeps jobs; the test says what happens to them."""

    job_changed = Signal(object)
    event = Signal(int, object)  # pyright: ignore[reportAssignmentType]
    saved = Signal(int, object)

    def __init__(self) -> None:
        super().__init__()
        self.all: dict[int, Job] = {}
        self.fronts: list[int] = []
        self.stops = 0

    def enqueue(self, request, *, front=False):
        job = Job(len(self.all) + 1, request)
        self.all[job.id] = job
        if front:
            self.fronts.append(job.id)
        self.job_changed.emit(job)
        return job.id

    def cancel(self, job_id):
        self.finish(job_id, "cancelled")

    def cancel_running(self):
        self.stops += 1
        for job in list(self.all.values()):
            if job.state == "running":
                self.finish(job.id, "cancelled")

    def jobs(self):
        return tuple(self.all.values())

    def start(self, job_id=0):
        job_id = job_id or max(self.all)
        self.all[job_id] = msgspec.structs.replace(self.all[job_id], state="running")
        self.job_changed.emit(self.all[job_id])
        return job_id

    def finish(self, job_id, state="done"):
        self.all[job_id] = msgspec.structs.replace(self.all[job_id], state=state)
        self.job_changed.emit(self.all[job_id])

    def tell(self, job_id: int, event: Event) -> None:
        self.event.emit(job_id, event)

    def play(self, job_id: int = 0) -> None:
        """Everything a good job says, files included."""
        job_id = self.start(job_id)
        request = self.all[job_id].request
        if request.path:
            for index in range(3):
                self.tell(job_id, Step(index + 1, 3))
                self.tell(job_id, FrameMade(picture(index), index, 3))
            self.saved.emit(job_id, Entry(1, "/results/film.mp4", "film", 0.0))
        else:
            for index in range(request.count):
                self.tell(job_id, Step(index + 1, request.count))
                self.tell(job_id, Preview(picture(1), index))
                one = msgspec.structs.replace(request, seed=request.seed + index, count=1)
                self.tell(job_id, PictureMade(picture(50 + index), one, index))
                self.saved.emit(job_id, Entry(index, f"/results/{index}.png", "picture", 0.0))
        self.tell(job_id, Done(RunFacts("CPUExecutionProvider", "No GPU was found.")))
        self.finish(job_id)


class FakeLane:
    """Keeps live requests; `answer` gives the newest a picture."""

    def __init__(self) -> None:
        self.live: list[tuple[ImageRequest, object, object]] = []
        self.calls: list[object] = []

    def submit_live(self, key, request, on_event, on_end):
        self.live.append((request, on_event, on_end))

    def call(self, work):
        self.calls.append(work)

    def answer(self, *, error=None) -> ImageRequest:
        request, on_event, on_end = self.live[-1]
        if error is None:
            on_event(PictureMade(picture(200), request, 0, {"pad_x": 0.25, "pad_y": 0.75}))
            on_event(Done(RunFacts("CPUExecutionProvider")))
        on_end(error)
        return request


@dataclass
class Kit:
    """The view-model and everything around it."""

    library: FakeLibrary
    queue: FakeQueue
    lane: FakeLane
    notices: Notices
    background: Background
    settings: SettingsState
    state: PaintState
    previews: Previews
    said: list[Notice] = field(default_factory=list)
    later: list[tuple[int, object]] = field(default_factory=list)

    def run_later(self, delay_ms, call):
        self.later.append((delay_ms, call))
        return lambda: None

    def settle(self, qtbot: QtBot) -> None:
        """Wait until the background has nothing more to say."""
        done: list[int] = []
        for _ in range(2):  # work done may ask for more work
            done.clear()
            self.background.run(lambda: None, lambda _: done.append(1))
            qtbot.waitUntil(lambda: bool(done), timeout=5000)


def make_kit(tmp_path: Path, kinds: tuple[str, ...] = ("diffusion", "map", "latent")) -> Kit:
    """A kit with one package of each kind; close its background when done."""
    library = FakeLibrary(tuple(package(tmp_path, kind) for kind in kinds))
    queue, lane, notices, background = FakeQueue(), FakeLane(), Notices(), Background(1)
    settings = SettingsState(SettingsStore(tmp_path / "settings.json"), background=background, notices=notices)
    state = PaintState(
        library=library, queue=queue, lane=lane, notices=notices, settings=settings,
        results=PaintResults(
            queue, background=background, notices=notices, folder=lambda: tmp_path / "results",
            loose=InputStore(tmp_path / "drag"),
        ),
        start=PaintStart(InputStore(tmp_path / "inputs"), background=background, notices=notices),
        memory=PaintMemory(MemoryStore(tmp_path / "models"), background=background, notices=notices),
        projection=Projection(lane, notices=notices),
    )  # fmt: skip
    kit = Kit(library, queue, lane, notices, background, settings, state, Previews(background))
    notices.posted.connect(kit.said.append)
    return kit
