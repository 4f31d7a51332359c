"""What a request asks of a model, checked against its manifest: classes, controls, places, start picture and mask."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from studio.core.errors import BadInputError, PackageError
from studio.core.events import Pixels
from studio.core.manifest import Manifest
from studio.core.package import Package
from studio.core.params import Value, checked_values
from studio.core.requests import SEED_LIMIT, ImageRequest, Point
from studio.runtime.pipelines.contract import Context
from studio.runtime.pixels import fitted_picture, to_model

Array = NDArray[np.float32]
T = TypeVar("T")


def label_weights(manifest: Manifest, labels: Mapping[str, float], *, whole: bool) -> Array:
    """Soft class weights ``(K,)`` in the order of the manifest; ``K = 0`` for a model without classes.

    Weights whose sum is above 1 are divided by it. With ``whole`` the sum always becomes 1, and no class at all means
    the first; otherwise the rest of the sum is "no class".

    Raises:
        BadInputError: an unknown class, or a weight that is negative or not finite.
    """
    unknown = sorted(set(labels) - set(manifest.labels))
    if unknown:
        raise BadInputError(
            f"The model {manifest.name!r} has no class called {', '.join(unknown)}.",
            f"It has: {', '.join(manifest.labels) or 'no classes'}.",
        )
    for name, weight in labels.items():
        if not 0.0 <= weight < float("inf"):
            raise BadInputError(f"The weight of the class {name!r} is {weight:g}.", "Use a number from 0 to 1.")
    weights = np.array([labels.get(name, 0.0) for name in manifest.labels], np.float64)
    total = float(weights.sum())
    if whole and len(weights) and total == 0.0:
        weights[0] = total = 1.0
    if total > 1.0 or (whole and total > 0.0):
        weights = weights / total
    return weights.astype(np.float32)


def placed_controls(manifest: Manifest, request: ImageRequest, point: Point | None = None) -> dict[str, Value]:
    """Every control of the model with its checked value at ``point`` (or without one).

    Raises:
        BadInputError: an unknown control, or a value out of its range.
    """
    there = point.controls if point is not None else {}
    return checked_values(manifest.controls, {**request.controls, **there})


def placed_labels(request: ImageRequest, point: Point | None) -> Mapping[str, float]:
    """The class weights at ``point``: its own when it has some, else the request's."""
    return point.labels if point is not None and point.labels else request.labels


def one_of(request: ImageRequest, package: Package, *, index: int) -> ImageRequest:
    """The request that makes picture ``index`` of ``request`` again: own seed, count 1, every control written out."""
    point = request.point
    changes: dict[str, Any] = {
        "package": package.manifest.id,
        "package_sha256": package.sha256,
        "seed": picture_seed(request, index),
        "count": 1,
        "controls": placed_controls(package.manifest, request, point),
        "labels": dict(placed_labels(request, point)),
    }
    if point is not None:
        changes["point"] = Point(seed=point.seed, vector=point.vector)
    return msgspec.structs.replace(request, **changes)


def picture_seed(request: ImageRequest, index: int) -> int:
    """Seed of picture ``index``; after the largest seed comes 0 again."""
    return (request.seed + index) % SEED_LIMIT


def source_picture(request: ImageRequest, context: Context) -> tuple[Pixels, Array]:
    """The start picture at the model's size: ``(H, W, 4) uint8`` and ``(C, H, W) float32 in [-1, 1]``.

    Raises:
        BadInputError: the file cannot be read.
    """
    size = context.size
    pixels = fitted_picture(context.read(Path(request.source)), width_px=size.width_px, height_px=size.height_px)
    return pixels, to_model(pixels, size.channels)


def mask_picture(request: ImageRequest, context: Context) -> Array:
    """The mask at the model's size, ``(1, H, W) float32``: 1 where the picture may change, 0 where it must not.

    Raises:
        BadInputError: it cannot be read, or has another size than the start picture.
    """
    if not request.source:
        raise BadInputError("A mask needs a picture to start from.", "Choose a start picture, or clear the mask.")
    mask, source = context.read(Path(request.mask)), context.read(Path(request.source))
    if mask.shape != source.shape:
        raise BadInputError(
            f"The mask is {mask.shape[1]} x {mask.shape[0]} px, its picture {source.shape[1]} x {source.shape[0]} px.",
            "Paint the mask on the picture itself.",
        )
    size = context.size
    fitted = fitted_picture(mask, width_px=size.width_px, height_px=size.height_px)
    return (to_model(fitted, 1) + np.float32(1.0)) / np.float32(2.0)


def keep_unmasked(made: Pixels, source: Pixels, mask: Array) -> Pixels:
    """``made`` with the bytes of ``source`` wherever ``mask (1, H, W)`` is 0."""
    return np.where(mask[0][..., None] <= 0.0, source, made)


def pipeline_settings(manifest: Manifest, kind: type[T]) -> T:
    """The manifest's settings as ``kind``.

    Raises:
        PackageError: one is missing or of the wrong type.
    """
    try:
        return msgspec.convert(manifest.settings, kind)
    except (msgspec.ValidationError, ValueError) as error:
        raise PackageError(
            f"The settings of the model {manifest.name!r} do not fit its pipeline: {error}.",
            "Ask for a fresh copy of the package.",
        ) from error
