"""Any picture of the artist's, made ready as a start: read, cropped to the model's shape, scaled, kept."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studio.core.events import Pixels
from studio.core.manifest import Size
from studio.runtime.inputs import InputStore
from studio.runtime.pictures import read_picture
from studio.runtime.pixels import fitted_picture


@dataclass(frozen=True, eq=False)
class StartPicture:
    """A picture of the model's size and the file where it is kept. ``name`` is what it was called."""

    path: str
    pixels: Pixels
    name: str


def prepare(source: Path | bytes | Pixels, size: Size, inputs: InputStore) -> StartPicture:
    """Read ``source``, cut the middle to the model's proportions, scale it and keep it in ``inputs``.

    Raises:
        BadInputError: it is not a picture.
        StorageError: it cannot be kept.
    """
    name = source.name if isinstance(source, Path) else "this picture"
    pixels = source if isinstance(source, np.ndarray) else read_picture(source)
    fitted = fitted_picture(pixels, width_px=size.width_px, height_px=size.height_px)
    return StartPicture(inputs.put(fitted), fitted, name)
