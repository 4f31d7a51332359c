"""What every pipeline is given and must do: a request in, events out, cancel within one step."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from studio.core.cancel import CancelToken
from studio.core.errors import DeviceError, PackageError
from studio.core.events import Event, Pixels
from studio.core.manifest import Size
from studio.core.package import Package
from studio.core.requests import ImageRequest
from studio.runtime.pictures import read_picture
from studio.runtime.sessions import DeviceMemoryError, Runner

PREVIEW_INTERVAL_S = 0.1


@dataclass(frozen=True)
class Context:
    """One run of a pipeline.

    Attributes:
        package: the model.
        session: loads the graph of a role; raises `PackageError` when the package has none.
        cancel: stops the run, also inside a step.
        read: decodes a picture file to ``(H, W, 4) uint8``.
        clock: seconds, for the pace of previews only.
    """

    package: Package
    session: Callable[[str], Runner]
    cancel: CancelToken
    read: Callable[[Path], Pixels] = read_picture
    clock: Callable[[], float] = time.monotonic

    @property
    def size(self) -> Size:
        """Size of the pictures; raises `PackageError` when the manifest names none."""
        if self.package.manifest.size is None:
            raise PackageError(
                f"The model {self.package.manifest.name!r} does not say how large its pictures are.",
                "Ask for a fresh copy of the package.",
            )
        return self.package.manifest.size


class Pipeline(Protocol):
    """A pipeline: plays every package whose manifest names it."""

    def __call__(self, request: ImageRequest, context: Context) -> Iterator[Event]:
        """Yield events until everything asked for was made; raises `StudioError`."""
        ...


@dataclass
class Pace:
    """Lets a preview through at most every `PREVIEW_INTERVAL_S`, so that showing never slows making."""

    clock: Callable[[], float]
    _last_s: float = field(default=float("-inf"))

    def due(self) -> bool:
        """True when it is time for the next preview."""
        now_s = self.clock()
        if now_s - self._last_s < PREVIEW_INTERVAL_S:
            return False
        self._last_s = now_s
        return True


def chunked(count: int, size: int, work: Callable[[range], Iterator[Event]]) -> Iterator[Event]:
    """Do items 0 to ``count`` in chunks of ``size``, in smaller ones when memory runs out.

    ``work`` yields nothing final before all of its chunk is calculated. Results do not depend on the chunks. Load the
    graph before: what does not fit into memory by itself does not fit better with smaller chunks.
    """
    start = 0
    while start < count:
        chunk = range(start, min(start + size, count))
        try:
            yield from work(chunk)
        except DeviceMemoryError:
            if len(chunk) == 1:
                raise
            size = len(chunk) // 2
            continue
        start = chunk.stop


def checked_finite(values: NDArray[Any], name: str) -> NDArray[Any]:
    """``values``, when every number is finite.

    Raises:
        DeviceError: one is not.
    """
    if not np.isfinite(values).all():
        raise DeviceError(
            f"The model {name!r} calculated numbers that are not finite, so there is no picture.",
            "Try other values or another device; if it stays so, the model is damaged.",
        )
    return values
