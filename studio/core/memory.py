"""What the artist keeps for one model: presets by name and saved points."""

import msgspec

from studio.core.params import Value
from studio.core.requests import Point


class Preset(msgspec.Struct, frozen=True, omit_defaults=True):
    """A named set of control values and class weights."""

    name: str
    controls: dict[str, Value] = {}
    labels: dict[str, float] = {}
    strength: float = 0.6


class SavedPoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """A place worth coming back to. ``thumbnail`` is a small PNG of what is there."""

    name: str
    point: Point
    thumbnail: bytes = b""


class ModelMemory(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything kept for one model. Unknown keys of a later version are ignored."""

    presets: tuple[Preset, ...] = ()
    points: tuple[SavedPoint, ...] = ()
