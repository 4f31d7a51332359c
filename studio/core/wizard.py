"""The training wizard's flow without a screen: one frozen state and the transitions between its steps.

    drop -> understood -> base -> fit -> train -> result

A change in an earlier step voids what was measured for it, never what the artist typed.
"""

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Literal

from studio.core.errors import StudioError
from studio.core.findings import Understanding
from studio.core.manifest import Manifest, Preset, Size
from studio.core.params import Param, Value

Step = Literal["drop", "understood", "base", "fit", "train", "result"]
STEPS: tuple[Step, ...] = ("drop", "understood", "base", "fit", "train", "result")
FitMode = Literal["crop", "pad", "stretch"]
FIT_MODES: tuple[FitMode, ...] = ("crop", "pad", "stretch")

_TRAINABLE = re.compile(r"[^a-z0-9]+")
_ENOUGH_FACTOR = 4
_TOO_FEW = 20
"""Below this a model repeats its pictures whatever is done; a package may ask for fewer still."""
AUGMENTING = (
    Param("flip", "bool", False, "Mirror", "Also learn from mirrored pictures; good for few pictures without writing."),
    Param("shift_px", "int", 0, "Shift", "Also learn from pictures moved by up to this.", low=0, high=16, unit="px"),
)
"""Settings that every trainer of pictures knows and that stretch a small data set."""


@dataclass(frozen=True)
class Measured:
    """Will it fit: what one real step took on this machine.

    Attributes:
        step_ms: time of a step.
        memory_mb: memory of the trainer while it ran.
        total_s: estimate for the whole run; negative when not known.
        free_mb: memory that was free on the machine before; 0 when not known.
    """

    step_ms: float
    memory_mb: float
    total_s: float = -1.0
    free_mb: float = 0.0

    @property
    def fits(self) -> bool:
        """False when the trainer takes more than what was free."""
        return self.free_mb <= 0 or self.memory_mb <= self.free_mb


@dataclass(frozen=True)
class Flow:
    """All that the wizard knows. ``run_id`` is set from the measured step on, ``package_id`` when a package exists."""

    understanding: Understanding | None = None
    base_id: str = ""
    preset: str = ""
    changes: dict[str, Value] = field(default_factory=dict)
    mode: FitMode = "crop"
    name: str = ""
    consent: str = ""
    measured: Measured | None = None
    run_id: str = ""
    training: bool = False
    package_id: str = ""


@dataclass(frozen=True)
class Advice:
    """One remark on the data for a base package. ``stops``: training cannot start before it is mended."""

    text: str
    stops: bool = False


def step_of(flow: Flow) -> Step:
    """The furthest step that the flow has reached."""
    if flow.package_id:
        return "result"
    if flow.training:
        return "train"
    if flow.measured is not None:
        return "fit"
    if flow.understanding is None:
        return "drop"
    return "base" if flow.base_id else "understood"


def understood(flow: Flow, understanding: Understanding) -> Flow:
    """A drop was understood: earlier measurements are void, the choice of base stays."""
    named = flow.name or understanding.name
    return replace(_unmeasured(flow), understanding=understanding, name=named)


def with_base(flow: Flow, base: Manifest) -> Flow:
    """Fine-tune ``base``; its first preset is taken."""
    presets = base.training.presets if base.training else ()
    preset = flow.preset if flow.base_id == base.id else (presets[0].name if presets else "")
    return replace(_unmeasured(flow), base_id=base.id, preset=preset, changes={})


def with_preset(flow: Flow, preset: str) -> Flow:
    """Take another preset; the artist's own changes to it start anew."""
    return replace(_unmeasured(flow), preset=preset, changes={})


def with_change(flow: Flow, name: str, value: Value) -> Flow:
    """One setting differs from the preset."""
    return replace(_unmeasured(flow), changes={**flow.changes, name: value})


def with_mode(flow: Flow, mode: FitMode) -> Flow:
    """Another way to bring pictures to the base's size."""
    return replace(_unmeasured(flow), mode=mode)


def with_words(flow: Flow, *, name: str | None = None, consent: str | None = None) -> Flow:
    """The name of the new model and the note on rights; neither changes what was measured."""
    return replace(flow, name=flow.name if name is None else name, consent=flow.consent if consent is None else consent)


def measuring(flow: Flow, run_id: str) -> Flow:
    """A run was made to measure one step."""
    return replace(flow, run_id=run_id, measured=None, training=False, package_id="")


def measured(flow: Flow, result: Measured) -> Flow:
    """The step was measured."""
    return replace(flow, measured=result)


def started(flow: Flow) -> Flow:
    """Train was pressed."""
    return replace(flow, training=True)


def finished(flow: Flow, package_id: str) -> Flow:
    """The package exists."""
    return replace(flow, package_id=package_id, training=False)


def ended(flow: Flow) -> Flow:
    """The run stopped or failed without a package: everything chosen stays, to try again."""
    return _unmeasured(flow)


def again(flow: Flow) -> Flow:
    """A new round with the same base."""
    return Flow(base_id=flow.base_id, preset=flow.preset, consent=flow.consent)


def missing(flow: Flow, base: Manifest | None) -> tuple[str, ...]:
    """What the artist still has to do before training can start, in words; empty when nothing."""
    found = flow.understanding
    lacks: list[str] = []
    if found is None:
        return ("Drop pictures, a folder or a zip.",)
    if base is None:
        lacks.append("Choose a model to start from.")
    else:
        lacks += [advice.text for advice in advise(found, base) if advice.stops]
    if not flow.name.strip():
        lacks.append("Give the new model a name.")
    return tuple(lacks)


def trainable(manifest: Manifest) -> bool:
    """True for packages that the wizard can start from: pictures of a known size, with a training block."""
    return manifest.modality == "image" and manifest.training is not None and manifest.size is not None


def advise(found: Understanding, base: Manifest) -> tuple[Advice, ...]:
    """Remarks on the data for fine-tuning ``base``: what stops it first, then what would help."""
    if base.training is None or base.size is None:
        return (Advice(f"{base.name} cannot be fine-tuned: its package has no training part.", stops=True),)
    remarks = [*_advice_on_count(found, base.training.minimum_items), *_advice_on_labels(found, base)]
    remarks += _advice_on_size(found, base.size)
    if found.statistics.near_duplicates:
        count = found.statistics.near_duplicates
        remarks.append(Advice(f"{_count(count, 'picture')} look like others; they count, but teach little."))
    return tuple(sorted(remarks, key=lambda advice: not advice.stops))


def settings_of(flow: Flow, base: Manifest) -> dict[str, Value]:
    """The run's settings: the preset's, then the artist's changes to it."""
    preset = preset_of(flow, base)
    return {**(preset.values if preset else {}), **flow.changes}


def params_of(base: Manifest) -> tuple[Param, ...]:
    """What can be set for a run: the base's own settings, then those that stretch a small data set."""
    own = base.training.params if base.training else ()
    names = {param.name for param in own}
    return (*own, *(param for param in AUGMENTING if param.name not in names))


def preset_of(flow: Flow, base: Manifest) -> Preset | None:
    """The chosen preset of ``base``, or its first, or None when it has none."""
    presets = base.training.presets if base.training else ()
    return next((preset for preset in presets if preset.name == flow.preset), presets[0] if presets else None)


def package_id(name: str, taken: Collection[str]) -> str:
    """An identity for a model called ``name`` that is not among ``taken``: ASCII, lower case, a number when needed."""
    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    slug = _TRAINABLE.sub("-", plain).strip("-")[:48].strip("-") or "my-model"
    candidate, number = slug, 2
    while candidate in taken:
        candidate, number = f"{slug}-{number}", number + 1
    return candidate


def lasts(seconds: float) -> str:
    """A duration in words that does not promise more than an estimate can."""
    if seconds < 0:
        return "unknown time"
    if seconds < 90:
        return f"about {max(1, round(seconds))} seconds" if seconds >= 1.5 else "about a second"
    if seconds < 5400:
        return f"about {round(seconds / 60)} minutes"
    return f"about {seconds / 3600:.1f} hours"


def verdict(result: Measured) -> str:
    """The will-it-fit sentence."""
    speed = f"{result.step_ms:.0f} ms a step" if result.step_ms >= 1 else "under 1 ms a step"
    memory = f"{result.memory_mb:.0f} MB of memory"
    if not result.fits:
        return f"It does not fit: one step took {memory}, but only {result.free_mb:.0f} MB were free."
    total = f", {lasts(result.total_s)} in all" if result.total_s >= 0 else ""
    return f"It fits: {speed}, {memory}{total}."


def in_words(error: StudioError) -> str:
    """An error and its hint as one line."""
    return str(error)


def _unmeasured(flow: Flow) -> Flow:
    return replace(flow, measured=None, run_id="", training=False, package_id="")


def _advice_on_count(found: Understanding, minimum: int) -> list[Advice]:
    count = len(found.items)
    least = min(minimum, _TOO_FEW)
    if count < least:
        return [
            Advice(
                f"Only {_count(count, 'usable picture')}: this model needs at least {least}. Add {least - count} more.",
                stops=True,
            )
        ]
    if count < minimum:
        return [
            Advice(
                f"{_count(count, 'picture')} are fewer than the {minimum} this model likes best. It learns them, "
                "but what it makes will stay close to them."
            )
        ]
    if count < minimum * _ENOUGH_FACTOR:
        return [
            Advice(
                f"{_count(count, 'picture')} are few. Turn on Mirror and a small Shift under Advanced, "
                "and expect results close to your pictures."
            )
        ]
    return []


def _advice_on_labels(found: Understanding, base: Manifest) -> list[Advice]:
    if not base.labels:
        if found.labels:
            return [Advice("This model has no classes, so the folder names are not used.")]
        return []
    known = [label for label in found.labels if label in base.labels]
    if not known:
        names = ", ".join(base.labels[:6]) + (" ..." if len(base.labels) > 6 else "")
        return [
            Advice(
                f"No folder is named like a class of this model ({names}), so every class of it learns your pictures."
            )
        ]
    other = [label for label in found.labels if label not in base.labels]
    if other:
        return [Advice(f"{', '.join(other[:4])}: not among this model's classes, trained without a class.")]
    return []


def _advice_on_size(found: Understanding, size: Size) -> list[Advice]:
    remarks: list[Advice] = []
    area = size.width_px * size.height_px
    small = sum(item.width_px * item.height_px < area for item in found.items)
    if small:
        remarks.append(
            Advice(
                f"{_count(small, 'picture')} are smaller than {size.width_px} x {size.height_px} px and get enlarged."
            )
        )
    if size.channels == 4 and found.statistics.alpha_share == 0:
        remarks.append(Advice("This model knows transparency, but your pictures have none: backgrounds will be solid."))
    if size.channels < 4 and found.statistics.alpha_share > 0:
        remarks.append(Advice("This model knows no transparency: transparent parts become white."))
    if size.channels == 1 and found.statistics.grey_share < 1:
        remarks.append(Advice("This model is grey only: colours are lost."))
    return remarks


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
