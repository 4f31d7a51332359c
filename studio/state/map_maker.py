"""The picture behind a latent pad: one small picture for each place of a grid, made by the model itself and kept."""

from functools import partial
from pathlib import Path

import numpy as np
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, Signal
from PySide6.QtGui import QImage

from studio.core import latent_map
from studio.core.errors import StudioError
from studio.core.events import Event, FrameMade, Pixels
from studio.core.package import Package
from studio.core.requests import ImageRequest, Point
from studio.runtime import atomic
from studio.state.paint_results import LiveLane
from studio.workers.background import Background

PLACES = 12
"""Places along a side of the grid."""
SIDE_PX = 768
LIVE_KEY = "map"


class MapMaker(QObject):
    """Maps by package hash. A package that brings its own map keeps it.

    Args:
        folder: where made maps are kept; may be deleted at any time.

    Signals:
        ready(str): the map of the package with this hash can be had now.
    """

    ready = Signal(str)

    def __init__(self, folder: Path, *, lane: LiveLane, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        self._lane = lane
        self._background = background
        self._images: dict[str, QImage] = {}
        self._looked: set[str] = set()
        self._making: set[str] = set()

    def image(self, package: Package) -> QImage | None:
        """The map, or None until `ready`. Looks on the disk only; nothing is generated before `make`."""
        key = package.sha256
        if key not in self._looked:
            self._looked.add(key)
            path = package.file_path("map") or self._file(key)
            self._background.run(partial(_read, path), partial(self._on_background_read, key))
        return self._images.get(key)

    def make(self, package: Package) -> None:
        """Let the model draw its map, unless it has one or cannot."""
        key, manifest = package.sha256, package.manifest
        if key in self._images or key in self._making or not latent_map.has_map(manifest.settings):
            return
        self._making.add(key)
        steps = [(index + 0.5) / PLACES for index in range(PLACES)]
        places = [latent_map.pad_to_vector(x, y, manifest.settings) for y in reversed(steps) for x in steps]
        path = tuple(Point(vector=place) for place in places)
        request = ImageRequest(manifest.id, package_sha256=key, path=path, frames=1)
        frames: list[Pixels] = []
        self._lane.submit_live(LIVE_KEY, request, partial(_collect, frames), partial(self._on_lane_end, key, frames))

    def _file(self, key: str) -> Path:
        return self._folder / f"{key}.png"

    def _on_background_read(self, key: str, image: QImage) -> None:
        if not image.isNull() and key not in self._images:
            self._take(key, image)

    def _on_lane_end(self, key: str, frames: list[Pixels], error: StudioError | None) -> None:
        self._making.discard(key)
        if error is None and len(frames) == PLACES * PLACES:
            self._take(key, _sheet(frames))
            self._background.run(partial(_keep, self._images[key], self._file(key)), None, _shrug)

    def _take(self, key: str, image: QImage) -> None:
        self._images[key] = image
        self.ready.emit(key)


def _collect(frames: list[Pixels], event: Event) -> None:
    if isinstance(event, FrameMade):
        frames.append(event.pixels)


def _sheet(frames: list[Pixels]) -> QImage:
    """Frames in reading order as one square."""
    step = max(1, -(-PLACES * frames[0].shape[0] // SIDE_PX))  # large pictures are thinned out
    small = [frame[::step, ::step] for frame in frames]
    rows = [np.concatenate(small[at : at + PLACES], axis=1) for at in range(0, len(small), PLACES)]
    sheet = np.ascontiguousarray(np.concatenate(rows, axis=0))
    height, width = sheet.shape[:2]
    return QImage(sheet.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()


def _read(path: Path) -> QImage:
    return QImage(str(path)) if path.is_file() else QImage()


def _keep(image: QImage, path: Path) -> None:
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # pyright: ignore[reportCallIssue, reportArgumentType]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise atomic.storage_error(error, path, 0) from error
    atomic.write_bytes(path, bytes(data.data()))


def _shrug(_error: StudioError) -> None:
    """A map that cannot be kept is drawn again next time."""
