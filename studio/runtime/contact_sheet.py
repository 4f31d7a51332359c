"""Contact sheet: many pictures on one."""

import io
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from studio.core.errors import BadInputError
from studio.core.events import Pixels
from studio.runtime.atomic import storage_error, write_bytes

LEAST_PX = 128
"""Smaller pictures are enlarged by whole factors until a side is at least this long."""


def compose(pictures: Sequence[Pixels], *, gap_px: int = 8) -> Pixels:
    """Pictures in reading order on a transparent sheet, as near to square as their number allows.

    Raises:
        BadInputError: there is no picture.
    """
    if not pictures:
        raise BadInputError("There are no pictures for a contact sheet.", "Generate some first.")
    height = max(picture.shape[0] for picture in pictures)
    width = max(picture.shape[1] for picture in pictures)
    zoom = max(1, math.ceil(LEAST_PX / max(height, width)))
    columns = math.ceil(math.sqrt(len(pictures) * height / width))
    rows = math.ceil(len(pictures) / columns)
    step_x, step_y = width * zoom + gap_px, height * zoom + gap_px
    sheet = np.zeros((rows * step_y + gap_px, columns * step_x + gap_px, 4), np.uint8)
    for number, picture in enumerate(pictures):
        large = picture.repeat(zoom, axis=0).repeat(zoom, axis=1)
        top, left = gap_px + number // columns * step_y, gap_px + number % columns * step_x
        sheet[top : top + large.shape[0], left : left + large.shape[1]] = large
    return sheet


def save(pictures: Sequence[Pixels], folder: Path, *, name: str) -> Path:
    """Write a contact sheet as PNG into ``folder`` and return its path; an existing file is never replaced.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(compose(pictures)).save(out, "PNG", optimize=True)
    stamp = time.strftime("%Y-%m-%d %H-%M-%S")
    path = folder / f"{name} sheet {stamp}.png"
    number = 2
    while path.exists():
        path = folder / f"{name} sheet {stamp} ({number}).png"
        number += 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, path, out.tell()) from error
    write_bytes(path, out.getvalue())
    return path
