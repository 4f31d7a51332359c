"""Pictures between files and networks, in one place for the studio and the trainer.

Networks see ``(C, H, W) float32 in [-1, 1]``: grey, RGB, or RGBA whose colour is multiplied by alpha, so that the
colour under transparent pixels cannot bleed into edges. People see ``(H, W, 4) uint8`` straight RGBA.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studio.core.errors import BadInputError

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec. 601


def to_model(rgba: NDArray[np.uint8], channels: int) -> NDArray[np.float32]:
    """``(H, W, 4) uint8`` as ``(C, H, W) float32 in [-1, 1]``: 4 channels premultiplied, 3 and 1 over black.

    Raises:
        BadInputError: ``channels`` is not 1, 3 or 4.
    """
    if channels not in (1, 3, 4):
        raise BadInputError(f"A model with {channels} channels cannot read pictures.", "Use 1, 3 or 4 channels.")
    unit = rgba.astype(np.float32) / np.float32(255.0)
    alpha = unit[..., 3:]
    colour = unit[..., :3] * alpha
    if channels == 1:
        # A written-out sum: a matrix product may add in another order on another machine.
        colour = (colour[..., 0] * _LUMA[0] + colour[..., 1] * _LUMA[1] + colour[..., 2] * _LUMA[2])[..., None]
    planes = np.concatenate([colour, alpha], axis=2) if channels == 4 else colour
    return np.ascontiguousarray(planes.transpose(2, 0, 1) * np.float32(2.0) - np.float32(1.0))


def to_picture(planes: NDArray[np.float32]) -> NDArray[np.uint8]:
    """``(C, H, W) float32 in [-1, 1]`` (clipped) as ``(H, W, 4) uint8``; the inverse of `to_model`.

    Fully transparent pixels become transparent black: their colour is not in the network's picture.
    """
    unit = (np.clip(planes, -1.0, 1.0).transpose(1, 2, 0).astype(np.float64) + 1.0) / 2.0
    if unit.shape[2] == 1:
        unit = np.repeat(unit, 3, axis=2)
    if unit.shape[2] == 3:
        unit = np.concatenate([unit, np.ones_like(unit[..., :1])], axis=2)
    # Alpha below half a grey level is written as 0, so dividing by it would only amplify noise.
    alpha = np.where(unit[..., 3:] * 255.0 < 0.5, 0.0, unit[..., 3:])
    colour = np.divide(unit[..., :3], alpha, out=np.zeros_like(unit[..., :3]), where=alpha > 0)
    return np.rint(np.concatenate([np.minimum(colour, 1.0), alpha], axis=2) * 255.0).astype(np.uint8)


def to_model_batch(pictures: Iterable[NDArray[np.uint8]], channels: int) -> NDArray[np.float32]:
    """Pictures of one size, each ``(H, W, 4) uint8``, as ``(B, C, H, W) float32 in [-1, 1]``."""
    return np.stack([to_model(picture, channels) for picture in pictures])


def to_picture_batch(planes: NDArray[np.float32]) -> list[NDArray[np.uint8]]:
    """``(B, C, H, W) float32 in [-1, 1]`` as ``B`` pictures ``(H, W, 4) uint8``."""
    return [to_picture(picture) for picture in planes]


def fitted_picture(pixels: NDArray[np.uint8], *, width_px: int, height_px: int) -> NDArray[np.uint8]:
    """A picture at a model's size, ``(height_px, width_px, 4) uint8``: the same bytes when it has that size already.

    Another shape is cut to the largest centred part that fits; the size changes by Lanczos on premultiplied colour.
    """
    high, wide = pixels.shape[:2]
    if (wide, high) == (width_px, height_px):
        return pixels
    scale = min(wide / width_px, high / height_px)
    part_w, part_h = scale * width_px, scale * height_px
    left, top = (wide - part_w) / 2, (high - part_h) / 2
    image = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGBa")
    resized = image.resize(
        (width_px, height_px), Image.Resampling.LANCZOS, box=(left, top, left + part_w, top + part_h), reducing_gap=3.0
    )
    return np.array(resized.convert("RGBA"))
