"""The pad over a two-dimensional latent space: places of the pad to places of the model, and back.

Pad places are ``(x, y)`` in 0 to 1, x to the right and y upwards. Where the prior is normal they are quantiles, so that
equal areas of the pad are equally likely.
"""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

from studio.core.errors import PackageError

EDGE = 0.0005
"""Nearer to the border than this, a quantile would run away to infinity."""


def has_map(settings: Mapping[str, Any]) -> bool:
    """True when a model with these manifest settings has a pad."""
    return bool(settings.get("map")) and settings.get("latent_dim") == 2


def pad_to_vector(x: float, y: float, settings: Mapping[str, Any]) -> tuple[float, float]:
    """The latent vector under a place of the pad; places outside are moved to the border.

    Raises:
        PackageError: the model has no pad, or a box without its borders.
    """
    first, second = (_place(min(max(value, 0.0), 1.0), axis, settings) for axis, value in enumerate((x, y)))
    return first, second


def vector_to_pad(vector: tuple[float, ...], settings: Mapping[str, Any]) -> tuple[float, float]:
    """The place of the pad over a latent vector: the inverse of `pad_to_vector`.

    Raises:
        PackageError: the model has no pad, or a box without its borders.
    """
    if len(vector) != 2:
        raise PackageError(f"A place on the map has 2 numbers, not {len(vector)}.", "Choose a model with a map.")
    x, y = (_quantile(value, axis, settings) for axis, value in enumerate(vector))
    return x, y


def _place(value: float, axis: int, settings: Mapping[str, Any]) -> float:
    box = _box(axis, settings)
    if box is not None:
        return box[0] + value * (box[1] - box[0])
    mean, deviation = _normal(axis, settings)
    return NormalDist(mean, deviation).inv_cdf(min(max(value, EDGE), 1.0 - EDGE))


def _quantile(value: float, axis: int, settings: Mapping[str, Any]) -> float:
    box = _box(axis, settings)
    if box is not None:
        return min(max((value - box[0]) / (box[1] - box[0]), 0.0), 1.0)
    mean, deviation = _normal(axis, settings)
    return NormalDist(mean, deviation).cdf(value)


def _box(axis: int, settings: Mapping[str, Any]) -> tuple[float, float] | None:
    if not has_map(settings):
        raise PackageError("This model has no map.", "Choose a model with a two-dimensional latent space.")
    if settings.get("prior") != "box":
        return None
    try:
        low, high = float(settings["box_low"][axis]), float(settings["box_high"][axis])
    except (KeyError, IndexError, TypeError, ValueError):
        low = high = 0.0
    if not low < high:
        raise PackageError("The model's map has no borders.", "Ask for a fresh copy of the package.")
    return low, high


def _normal(axis: int, settings: Mapping[str, Any]) -> tuple[float, float]:
    """Mean and deviation of one axis: ``map_mean`` and ``map_std`` of a mixture, the standard normal otherwise."""
    try:
        mean, deviation = float(settings["map_mean"][axis]), float(settings["map_std"][axis])
    except (KeyError, IndexError, TypeError, ValueError):
        return 0.0, 1.0
    return (mean, deviation) if deviation > 0.0 else (0.0, 1.0)
