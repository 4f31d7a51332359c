"""Events: what a running pipeline says. ``engine.run(request) -> Iterator[Event]``."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from studio.core.requests import Request

Pixels = NDArray[np.uint8]
"""A picture for people: ``(H, W, 4) uint8`` RGBA, straight (not premultiplied) alpha, sRGB."""


@dataclass(frozen=True)
class Step:
    """Step ``index`` of ``total`` is done (1-based)."""

    index: int
    total: int


@dataclass(frozen=True, eq=False)
class Preview:
    """An unfinished picture."""

    pixels: Pixels
    index: int = 0


@dataclass(frozen=True, eq=False)
class PictureMade:
    """A finished picture. ``request`` makes exactly this one again (count 1, own seed)."""

    pixels: Pixels
    request: Request
    index: int = 0
    facts: dict[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class FrameMade:
    """Frame ``index`` of ``total`` of a film."""

    pixels: Pixels
    index: int
    total: int


@dataclass(frozen=True)
class RunFacts:
    """How a run was done: recorded in recipes for verified replay.

    ``provider`` is the live session's first provider; ``reason`` says why a wanted GPU was not used (or is empty).
    """

    provider: str
    reason: str = ""
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """The run is over and everything asked for was made."""

    facts: RunFacts


Event = Step | Preview | PictureMade | FrameMade | Done
