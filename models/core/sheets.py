"""Contact sheets: the same seeds again and again, so that one sees a network learn."""

import io
import math

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from studio.runtime.pixels import to_picture

_GAP_PX = 2


def sheet_labels(count: int, classes: int) -> Tensor:
    """``(count, classes) float32``: the classes in turn."""
    return torch.eye(classes)[torch.arange(count) % classes] if classes else torch.zeros(count, 0)


def sheet_png(images: NDArray[np.float32]) -> bytes:
    """``(N, C, H, W) float32 in [-1, 1]`` as a PNG grid, nearly square, transparent between the pictures."""
    count, _, height, width = images.shape
    across = math.ceil(math.sqrt(count))
    down = math.ceil(count / across)
    sheet = np.zeros((down * (height + _GAP_PX) - _GAP_PX, across * (width + _GAP_PX) - _GAP_PX, 4), np.uint8)
    for index, image in enumerate(images):
        top, left = (index // across) * (height + _GAP_PX), (index % across) * (width + _GAP_PX)
        sheet[top : top + height, left : left + width] = to_picture(image)
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, "PNG")
    return stream.getvalue()
