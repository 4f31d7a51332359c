"""A training run as the studio sees it: folded from its folder's spec and events, never assumed."""

from dataclasses import dataclass, field, replace
from typing import Literal

from studio.core.protocol import Phase, RunSpec, TrainingEvent
from studio.core.wizard import Measured

RunStatus = Literal[
    "draft",
    "waiting",
    "measuring",
    "running",
    "pausing",
    "paused",
    "stopping",
    "stopped",
    "crashed",
    "failed",
    "finished",
]
LIVE: frozenset[str] = frozenset(("measuring", "running", "pausing", "paused", "stopping"))
RESUMABLE: frozenset[str] = frozenset(("stopped", "crashed", "failed", "paused"))
ENDED: frozenset[str] = frozenset(("draft", "stopped", "crashed", "failed", "finished"))

_STATUS_OF: dict[Phase, RunStatus] = {
    "starting": "running",
    "measuring": "measuring",
    "training": "running",
    "paused": "paused",
    "exporting": "running",
    "checking": "running",
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
}
_WORDS: dict[Phase, str] = {
    "starting": "Getting ready",
    "measuring": "Measuring a step",
    "training": "Training",
    "paused": "Paused",
    "exporting": "Making the package",
    "checking": "Comparing with the original",
    "finished": "Finished",
    "stopped": "Stopped",
    "failed": "Failed",
}


@dataclass(frozen=True)
class Sheet:
    """A sample sheet on the fixed seeds. ``file`` is an absolute path."""

    step: int
    file: str


@dataclass(frozen=True)
class RunView:
    """All that is known of a run.

    Attributes:
        id: name of the run's folder.
        folder: absolute path.
        phase: the last one told; None before the first.
        trained: some step was trained, so there is something to resume.
        message, hint: why it is paused, failed or crashed.
        losses, metrics: the last figures by name.
        samples: sample sheets, oldest first; the first one (step 0) is what the base model makes.
        package: folder of the finished package inside the run; empty until there is one.
        installed: id in the library; empty until it is there.
    """

    id: str
    folder: str
    spec: RunSpec
    status: RunStatus = "draft"
    phase: Phase | None = None
    trained: bool = False
    message: str = ""
    hint: str = ""
    step: int = 0
    total: int = 0
    seconds_left: float = -1.0
    step_ms: float = 0.0
    memory_mb: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    samples: tuple[Sheet, ...] = ()
    measured: Measured | None = None
    parity: str = ""
    moved: float | None = None
    package: str = ""
    installed: str = ""
    last_s: float = 0.0

    @property
    def live(self) -> bool:
        """A process works on it."""
        return self.status in LIVE

    @property
    def words(self) -> str:
        """What it is doing, in plain words."""
        match self.status:
            case "waiting":
                return "Waiting for its turn"
            case "pausing":
                return "Pausing after this step"
            case "stopping":
                return "Stopping and saving"
            case "crashed":
                return "Stopped unexpectedly"
            case "draft":
                return "Not started"
            case _:
                return _WORDS[self.phase] if self.phase else "Getting ready"


def folded(view: RunView, event: TrainingEvent) -> RunView:  # noqa: PLR0911 - one for each kind
    """``view`` after one more event."""
    view = replace(view, last_s=event.time_s, step=max(view.step, event.step), total=event.total or view.total)
    match event.kind:
        case "phase" if event.phase is not None:
            return _with_phase(view, event)
        case "loss":
            return replace(
                view,
                step=event.step,
                trained=True,
                losses=event.losses,
                seconds_left=event.seconds_left,
                step_ms=event.step_ms or view.step_ms,
                memory_mb=event.memory_mb or view.memory_mb,
            )
        case "metric":
            return replace(view, metrics=event.losses)
        case "sample":
            sheet = Sheet(event.step, f"{view.folder}/{event.file}")
            others = tuple(other for other in view.samples if other.step < sheet.step)
            return replace(view, samples=(*others, sheet))
        case "fit":
            return replace(view, measured=Measured(event.step_ms, event.memory_mb, event.seconds_left))
        case "parity":
            return replace(view, parity=event.message)
        case "moved":
            return replace(view, moved=event.value)
        case "package":
            return replace(view, package=f"{view.folder}/{event.file}")
        case _:
            return view


def _with_phase(view: RunView, event: TrainingEvent) -> RunView:
    assert event.phase is not None
    status = _STATUS_OF[event.phase]
    if view.status in ("pausing", "stopping") and status == "running":
        status = view.status  # asked, not yet done
    if status == "stopped" and not view.trained:
        status = "draft"
    trained = view.trained or event.phase == "training"
    return replace(view, status=status, phase=event.phase, trained=trained, message=event.message, hint=event.hint)


def heading(view: RunView) -> str:
    """Progress in one line, such as ``Training: step 120 of 4000``."""
    if view.phase == "training" and view.total:
        return f"{view.words}: step {view.step:,} of {view.total:,}"
    return view.words
