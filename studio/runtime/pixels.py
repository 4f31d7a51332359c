"""Pictures between files and networks. Networks see ``(C, H, W) float32 in [-1, 1]``, colour multiplied by alpha."""

import numpy as np
from numpy.typing import NDArray

from studio.core.errors import BadInputError

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec. 601


def to_model(rgba: NDArray[np.uint8], channels: int) -> NDArray[np.float32]:
    """``(H, W, 4) uint8`` as ``(C, H, W) float32 in [-1, 1]``: 4 channels premultiplied, 3 and 1 over black.

    Raises:
        BadInputError: ``channels`` is not 1, 3 or 4.
    """
    if channels not in (1, 3, 4):
        raise BadInputError(f"A model with {channels} channels cannot read pictures.", "Use 1, 3 or 4 channels.")
    unit = rgba.astype(np.float32) / 255.0
    alpha = unit[..., 3:]
    colour = unit[..., :3] * alpha
    if channels == 1:
        colour = (colour @ _LUMA)[..., None]
    planes = np.concatenate([colour, alpha], axis=2) if channels == 4 else colour
    return np.ascontiguousarray(planes.transpose(2, 0, 1) * 2.0 - 1.0, dtype=np.float32)


def to_picture(planes: NDArray[np.float32]) -> NDArray[np.uint8]:
    """``(C, H, W) float32 in [-1, 1]`` (clipped) as ``(H, W, 4) uint8``; the inverse of `to_model`."""
    unit = (np.clip(planes, -1.0, 1.0).transpose(1, 2, 0) + 1.0) / 2.0
    if unit.shape[2] == 1:
        unit = np.repeat(unit, 3, axis=2)
    if unit.shape[2] == 3:
        unit = np.concatenate([unit, np.ones_like(unit[..., :1])], axis=2)
    alpha = unit[..., 3:]
    colour = np.divide(unit[..., :3], alpha, out=np.zeros_like(unit[..., :3]), where=alpha > 0)
    return np.rint(np.concatenate([np.minimum(colour, 1.0), alpha], axis=2) * 255.0).astype(np.uint8)
