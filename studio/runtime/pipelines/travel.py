"""Films: from place to place, at constant speed between two neighbours, in a circle when it loops.

Every stretch has the request's number of frames, so each saved place is met exactly and the stretch from the last
place to the first of a loop is like the others. Without a loop one more frame shows the last place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from studio.core.errors import BadInputError
from studio.core.params import Value
from studio.core.requests import ImageRequest

Array = NDArray[np.float32]
ROUND_FROM = 8
"""From this many dimensions on, normal noise lies on a sphere, and the way on it is the natural one."""


@dataclass(frozen=True)
class Frame:
    """A frame lies at share ``t`` (0 to below 1, or exactly 1) of the way from place ``start`` to place ``end``."""

    index: int
    start: int
    end: int
    t: float


def frames(request: ImageRequest) -> tuple[Frame, ...]:
    """Every frame of the film of ``request.path``.

    Raises:
        BadInputError: there are fewer than two places.
    """
    places = len(request.path)
    if places < 2:
        raise BadInputError("A film needs at least two places to travel between.", "Add another place to the path.")
    stretches = [(k, k + 1) for k in range(places - 1)] + ([(places - 1, 0)] if request.loop else [])
    made = [(start, end, k / request.frames) for start, end in stretches for k in range(request.frames)]
    if not request.loop:
        made.append((places - 2, places - 1, 1.0))
    return tuple(Frame(index, *place) for index, place in enumerate(made))


def straight(a: Array, b: Array, t: float) -> Array:
    """The point at share ``t`` of the straight way; exactly ``a`` and ``b`` at the ends."""
    if t in (0.0, 1.0):
        return b if t else a
    return (a.astype(np.float64) * (1.0 - t) + b.astype(np.float64) * t).astype(np.float32)


def round_trip(a: Array, b: Array, t: float) -> Array:
    """Spherical interpolation (Shoemake 1985, section 3.3) of the whole arrays, so that noise keeps its strength.

    Straight where there is no way on the sphere: parallel or opposite places, or one at 0.
    """
    if t in (0.0, 1.0):
        return b if t else a
    p, q = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    lengths = float(np.linalg.norm(p) * np.linalg.norm(q))
    cosine = float(np.clip(p @ q / lengths, -1.0, 1.0)) if lengths > 0.0 else 1.0
    if abs(cosine) > 0.9999:
        return straight(a, b, t)
    angle = np.arccos(cosine)
    made = (np.sin((1.0 - t) * angle) * p + np.sin(t * angle) * q) / np.sin(angle)
    return made.astype(np.float32).reshape(a.shape)


def way(dimensions: int, *, normal: bool) -> Callable[[Array, Array, float], Array]:
    """How to travel: round for normal noise of many dimensions, straight on maps and in boxes."""
    return round_trip if normal and dimensions >= ROUND_FROM else straight


def blended_controls(a: dict[str, Value], b: dict[str, Value], t: float) -> dict[str, Value]:
    """Controls between two places: fractions go evenly, everything else switches halfway."""
    made: dict[str, Value] = {}
    for name, first in a.items():
        second = b[name]
        if isinstance(first, float) and isinstance(second, float):
            made[name] = first if first == second else first * (1.0 - t) + second * t
        else:
            made[name] = first if t < 0.5 else second
    return made


def alike(found: tuple[Frame, ...], key: Callable[[Frame], object]) -> list[tuple[Frame, ...]]:
    """Runs of neighbouring frames with the same ``key``: those that can be calculated together."""
    return [tuple(run) for _, run in groupby(found, key)]
