"""Attributes that are computed from the pixels: colour, brightness, roundness."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

HUES = {"Red": (-18.0, 18.0), "Yellow": (38.0, 68.0), "Green": (80.0, 165.0), "Blue": (185.0, 255.0)}
"""Ranges in degrees of the hue circle."""

PIXEL_LOOKS = frozenset({*HUES, "Bright", "Round"})
"""All names that `looks` can give."""


def looks(rgba: NDArray[np.uint8]) -> Iterator[str]:
    """Names of what is true of ``(H, W, 4) uint8``: a main colour, ``Bright``, ``Round``."""
    unit = rgba.astype(np.float32) / np.float32(255)
    alpha = unit[..., 3]
    area = float(alpha.sum())
    if area < 1:
        return
    colour = unit[..., :3]
    high, low = colour.max(axis=2), colour.min(axis=2)
    vivid = alpha * ((high - low) > 0.3 * np.maximum(high, 1e-6)) * (high > 0.25)
    hue = _hue_degrees(colour, high, high - low)
    for name, (start, end) in HUES.items():
        inside = (hue >= start) & (hue <= end) | (hue - 360 >= start) & (hue - 360 <= end)
        if float((vivid * inside).sum()) > 0.45 * area:
            yield name
    if float((alpha * (colour @ np.array([0.299, 0.587, 0.114], np.float32))).sum()) > 0.7 * area:
        yield "Bright"
    if _roundness(alpha, area) > 0.9:
        yield "Round"


def _hue_degrees(
    colour: NDArray[np.float32], high: NDArray[np.float32], span: NDArray[np.float32]
) -> NDArray[np.float32]:
    red, green, blue = colour[..., 0], colour[..., 1], colour[..., 2]
    safe = np.maximum(span, 1e-6)
    sector = np.where(
        high == red, (green - blue) / safe, np.where(high == green, 2 + (blue - red) / safe, 4 + (red - green) / safe)
    )
    return (60 * sector) % 360


def _roundness(alpha: NDArray[np.float32], area: float) -> float:
    """Overlap of the shape with the disc of the same area and centre, 1 for a disc."""
    rows, columns = np.mgrid[: alpha.shape[0], : alpha.shape[1]]
    row, column = float((rows * alpha).sum()) / area, float((columns * alpha).sum()) / area
    disc = (rows - row) ** 2 + (columns - column) ** 2 <= area / math.pi
    union = float(np.maximum(alpha, disc).sum())
    return float(np.minimum(alpha, disc).sum()) / union
