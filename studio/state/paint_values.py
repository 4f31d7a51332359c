"""What the artist has set in Paint, as one immutable value, and the request it becomes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from studio.core.errors import BadInputError
from studio.core.manifest import Manifest
from studio.core.package import Package
from studio.core.params import Value
from studio.core.requests import ImageRequest, Point

ONE_SHOT = frozenset({"latent-image/1"})
"""Pipelines quick enough to answer while a control is dragged."""
UNLABELLED = frozenset({"diffusion-image/1"})
"""Pipelines whose labelled models can also make pictures of no class."""


class PaintValues(msgspec.Struct, frozen=True):
    """Everything that undo brings back.

    Attributes:
        seed, random_seed, count: noise of the next picture; whether Generate draws a new seed; how many.
        controls, labels: values by control name; weights by class name.
        vector: explicit place in the latent space, or empty for the seed's.
        source, strength: picture to start from, and how far to leave it.
        frames, fps, loop, film_format: the film through the saved points.
    """

    seed: int = 1
    random_seed: bool = True
    count: int = 1
    controls: dict[str, Value] = {}
    labels: dict[str, float] = {}
    vector: tuple[float, ...] = ()
    source: str = ""
    strength: float = 0.6
    frames: int = 24
    fps: int = 24
    loop: bool = True
    film_format: Literal["gif", "mp4"] = "mp4"


def default_values(manifest: Manifest, *, seed: int) -> PaintValues:
    """Where a model starts: its controls' defaults, its first class where it must have one."""
    labels = {manifest.labels[0]: 1.0} if manifest.labels and manifest.pipeline not in UNLABELLED else {}
    return PaintValues(seed=seed, controls={param.name: param.default for param in manifest.controls}, labels=labels)


def fitting_controls(manifest: Manifest, wanted: Mapping[str, Value]) -> tuple[dict[str, Value], list[str]]:
    """``wanted`` held to the model's controls, and a sentence on each value that does not fit."""
    known = {param.name: param for param in manifest.controls}
    values: dict[str, Value] = {name: param.default for name, param in known.items()}
    problems: list[str] = []
    for name, value in wanted.items():
        if name not in known:
            problems.append(f"This model has no control called {name}.")
            continue
        try:
            values[name] = known[name].checked(value)
        except BadInputError as error:
            problems.append(error.message)
    return values, problems


def to_request(values: PaintValues, package: Package, *, count: int | None = None, mask: str = "") -> ImageRequest:
    """The request that makes what is set; raises `ValueError` for numbers out of range."""
    return ImageRequest(
        package=package.manifest.id,
        package_sha256=package.sha256,
        seed=values.seed,
        # A place is one picture, however many are asked for.
        count=1 if values.vector else values.count if count is None else count,
        controls=dict(values.controls),
        labels=weights(values.labels),
        point=Point(seed=values.seed, vector=values.vector) if values.vector else None,
        source=values.source,
        strength=values.strength,
        mask=mask if values.source else "",
    )


def film_request(values: PaintValues, package: Package, *, path: tuple[Point, ...]) -> ImageRequest:
    """The request for a film through ``path``."""
    return msgspec.structs.replace(
        to_request(values, package, count=1),
        point=None,
        source="",
        mask="",
        path=path,
        frames=values.frames,
        fps=values.fps,
        loop=values.loop,
        film_format=values.film_format,
    )


def restored_changes(package: Package, request: ImageRequest, scope: str) -> tuple[dict[str, Any], list[str]]:
    """Fields of `PaintValues` that ``request`` sets within ``scope``, and a sentence on each misfit."""
    if scope == "seed":
        return {"seed": request.seed, "random_seed": False, "vector": ()}, []
    manifest, problems = package.manifest, list[str]()
    labels = {name: weight for name, weight in request.labels.items() if name in manifest.labels}
    if len(labels) < len(request.labels):
        problems.append("Some of its classes are unknown to this model.")
    if scope == "prompt":
        return {"labels": labels}, problems
    controls, misfits = fitting_controls(manifest, request.controls)
    problems += misfits
    if request.package == manifest.id and request.package_sha256 not in ("", package.sha256):
        problems.append("The model has changed since, so the picture may differ.")
    changes: dict[str, Any] = {"labels": labels, "controls": controls, "strength": request.strength}
    changes["random_seed"] = scope == "remix"
    if scope == "all":
        point = request.point
        changes |= {"seed": request.seed, "vector": point.vector if point else (), "count": request.count}
    if request.source and Path(request.source).is_file():
        changes["source"] = request.source
    elif request.source:
        problems.append("Its start picture is gone.")
    return changes, problems


def weights(labels: Mapping[str, float]) -> dict[str, float]:
    """Only the classes that count."""
    return {name: float(weight) for name, weight in labels.items() if weight > 0}


def film_frames(values: PaintValues, places: int) -> int:
    """Frames of a film through ``places`` places: one leg between neighbours, one more back when it loops."""
    if places < 2:
        return 0
    return places * values.frames if values.loop else (places - 1) * values.frames + 1
