"""Small pictures for the gallery, made once and kept in the cache folder; it may be deleted at any time."""

import hashlib
import io
from contextlib import suppress
from pathlib import Path

import numpy as np

from studio.core.errors import BadInputError, StorageError
from studio.core.events import Pixels
from studio.core.gallery import Entry
from studio.runtime.atomic import write_bytes
from studio.runtime.film import read_frames

SIDE_PX = 256
"""Longer side of a kept thumbnail; smaller pictures are used as they are."""


class Thumbnails:
    """Makes and keeps thumbnails. Safe to use from any thread.

    Args:
        folder: inside the cache; made when the first thumbnail comes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, entry: Entry) -> Pixels:
        """The thumbnail of a result: ``(H, W, 4) uint8``, at most `SIDE_PX` on a side.

        Raises:
            BadInputError: the file is gone or damaged.
        """
        from studio.runtime.pictures import read_picture  # brings Pillow, which the first window does not need

        path = Path(entry.path)
        small = 0 < max(entry.width_px, entry.height_px) <= SIDE_PX
        if entry.kind == "picture" and small:
            return read_picture(path)
        kept = self._folder / self._name(path)
        if kept.exists():
            with suppress(BadInputError):
                return read_picture(kept)
        pixels = _shrunk(_whole(entry, path))
        self._keep(kept, pixels)
        return pixels

    def _name(self, path: Path) -> str:
        try:
            state = path.stat()
        except OSError as error:
            raise BadInputError(f"{path.name} is not there any more.", "Was it moved by another program?") from error
        key = f"{path}\0{state.st_size}\0{state.st_mtime_ns}\0{SIDE_PX}"
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return f"{digest[:2]}/{digest[2:]}.png"

    def _keep(self, kept: Path, pixels: Pixels) -> None:
        from PIL import Image

        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG", compress_level=3)
        with suppress(OSError, StorageError):  # without a cache the gallery is only slower
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(kept, out.getvalue())


def _whole(entry: Entry, path: Path) -> Pixels:
    from studio.runtime.pictures import read_picture

    if entry.kind != "film":
        return read_picture(path)
    for pixels, _ in read_frames(path, most=1):
        return pixels
    raise BadInputError(f"{path.name} has no pictures.")


def _shrunk(pixels: Pixels) -> Pixels:
    from PIL import Image

    if max(pixels.shape[:2]) <= SIDE_PX:
        return pixels
    image = Image.fromarray(pixels)
    image.thumbnail((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return np.asarray(image)
