"""``latent-image/1``: a place in a latent space becomes a picture in one pass (VAE, GAN, autoencoder).

Graph ``decode``: ``z (B, D)`` and, with classes, ``y (B, K)`` to ``image (B, C, H, W) float32 in [-1, 1]``. Optional
``encode``: ``image`` to ``mu, logvar (B, D)``.

A place is the seed's draw from the prior times ``truncation``, or the request's own vector as it is; then every
attribute slider adds its direction. A start picture is encoded and turned towards the seed's place by ``strength``.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio.core.errors import BadInputError, PackageError
from studio.core.events import Event, FrameMade, PictureMade, Pixels, Step
from studio.core.latent_map import has_map, vector_to_pad
from studio.core.params import Value
from studio.core.requests import ImageRequest, Point
from studio.runtime.pipelines import travel
from studio.runtime.pipelines.conditions import (
    label_weights,
    one_of,
    picture_seed,
    pipeline_settings,
    placed_controls,
    placed_labels,
    source_picture,
)
from studio.runtime.pipelines.contract import Context, checked_finite, chunked
from studio.runtime.pixels import fitted_picture, to_model, to_picture
from studio.runtime.priors import LatentSettings, Mixture, drawn_places, read_mixture

Array = NDArray[np.float32]
_CHUNK_PIXELS, _CHUNK = 2**20, 32


@dataclass(frozen=True, eq=False)
class _Place:
    """``base (D,)`` before and ``shift (D,)`` of the attribute sliders, ``y (K,)`` class weights."""

    base: Array
    shift: Array
    y: Array

    @property
    def z(self) -> Array:
        return self.base + self.shift


def run(request: ImageRequest, context: Context) -> Iterator[Event]:
    """Play a latent-image package; see `studio.runtime.pipelines.contract.Pipeline`.

    Raises:
        BadInputError: the request asks for what this model does not have.
    """
    if request.mask:
        raise BadInputError(
            f"The model {context.package.manifest.name!r} makes whole pictures; it cannot fill in a part.",
            "Clear the mask, or choose a diffusion model.",
        )
    latent = _Latent(context)
    yield from latent.film(request) if request.path else latent.pictures(request)


def encode_picture(pixels: Pixels, context: Context) -> Array:
    """The place ``(D,)`` whose picture is nearest to ``pixels (H, W, 4) uint8``, as the model's encoder sees it.

    Raises:
        BadInputError: the model has no encoder.
    """
    size = context.size
    planes = to_model(fitted_picture(pixels, width_px=size.width_px, height_px=size.height_px), size.channels)
    return _Latent(context).encoded(planes)


class _Latent:
    """One run over one package."""

    def __init__(self, context: Context) -> None:
        manifest = context.package.manifest
        self.context = context
        self.manifest = manifest
        self.settings = pipeline_settings(manifest, LatentSettings)
        self.mixture: Mixture | None = read_mixture(context.package, self.settings)
        self.way = travel.way(self.settings.latent_dim, normal=self.settings.prior == "normal")

    def pictures(self, request: ImageRequest) -> Iterator[Event]:
        """``request.count`` pictures."""
        if request.source and request.strength == 0.0:
            pixels, _ = source_picture(request, self.context)
            for index in range(request.count):
                yield self._picture(pixels, request, index, {})
            return
        mu = self.encoded(source_picture(request, self.context)[1]) if request.source else None

        def work(chunk: range) -> Iterator[Event]:
            self.context.cancel.raise_if_cancelled()
            places = [self._picture_place(request, index, mu) for index in chunk]
            images = self._decoded(places)
            for index, place, image in zip(chunk, places, images, strict=True):
                yield Step(index + 1, request.count)
                yield self._picture(to_picture(image), request, index, self._facts(place))

        self.context.session("decode")
        yield from chunked(request.count, self._chunk(), work)

    def film(self, request: ImageRequest) -> Iterator[Event]:
        """Frames along ``request.path``."""
        if request.source or request.point is not None:
            raise BadInputError("A film travels along its path only.", "Clear the start picture and the fixed place.")
        frames = travel.frames(request)
        places = [self._place(request, point, point.seed) for point in request.path]

        def work(chunk: range) -> Iterator[Event]:
            self.context.cancel.raise_if_cancelled()
            between = [self._between(places[f.start], places[f.end], f.t) for f in frames[chunk.start : chunk.stop]]
            for index, image in zip(chunk, self._decoded(between), strict=True):
                yield Step(index + 1, len(frames))
                yield FrameMade(to_picture(image), index, len(frames))

        self.context.session("decode")
        yield from chunked(len(frames), self._chunk(), work)

    def encoded(self, planes: Array) -> Array:
        """``mu (D,)`` of a picture ``(C, H, W)``."""
        if "encode" not in self.manifest.graphs:
            raise BadInputError(
                f"The model {self.manifest.name!r} cannot start from a picture: it has no encoder.",
                "Choose a model with one, such as a VAE, or clear the start picture.",
            )
        out = self.context.session("encode").run({"image": planes[None]}, cancel=self.context.cancel)
        mu = checked_finite(self._output(out, "mu"), self.manifest.name)
        if mu.shape != (1, self.settings.latent_dim):
            raise PackageError(
                f"The encoder gives {mu.shape[-1]} numbers, not {self.settings.latent_dim}.",
                "Ask for a fresh copy of the package.",
            )
        return mu[0]

    def _picture_place(self, request: ImageRequest, index: int, mu: Array | None) -> _Place:
        point = request.point
        seed = picture_seed(request, index) if point is None else point.seed
        place = self._place(request, point, seed)
        if mu is None or request.strength >= 1.0:
            return place
        if self.settings.prior == "normal":
            # A turn keeps the length of normal places; a straight mix would draw towards the average picture.
            angle = request.strength * math.pi / 2
            base = np.asarray(math.cos(angle) * mu + math.sin(angle) * place.base, np.float32)
        else:
            base = travel.straight(mu, place.base, request.strength)
        return _Place(base, place.shift, place.y)

    def _place(self, request: ImageRequest, point: Point | None, seed: int) -> _Place:
        controls = placed_controls(self.manifest, request, point)
        if point is not None and point.vector:
            base = self._checked_vector(point.vector)
        else:
            truncation = float(controls.get("truncation", 1.0))
            base = drawn_places([seed], self.settings, self.mixture, truncation=truncation)[0]
        y = label_weights(self.manifest, placed_labels(request, point), whole=True)
        return _Place(base, self._shift(controls), y)

    def _checked_vector(self, vector: tuple[float, ...]) -> Array:
        made = np.array(vector, np.float32)
        if len(made) != self.settings.latent_dim or not np.isfinite(made).all():
            raise BadInputError(
                f"A place of the model {self.manifest.name!r} has {self.settings.latent_dim} finite numbers, "
                f"but {len(made)} were given.",
                "The place was saved with another model; choose one of this model.",
            )
        return made

    def _shift(self, controls: Mapping[str, Value]) -> Array:
        shift = np.zeros(self.settings.latent_dim, np.float64)
        for name, attribute in self.settings.attributes.items():
            amount = float(controls.get(f"attr:{name}", 0.0))
            if amount:
                shift += amount * np.array(attribute.vector)
        return shift.astype(np.float32)

    def _between(self, a: _Place, b: _Place, t: float) -> _Place:
        return _Place(self.way(a.base, b.base, t), travel.straight(a.shift, b.shift, t), travel.straight(a.y, b.y, t))

    def _decoded(self, places: list[_Place]) -> Array:
        feeds: dict[str, Array] = {"z": np.stack([place.z for place in places])}
        if self.manifest.labels:
            feeds["y"] = np.stack([place.y for place in places])
        out = self.context.session("decode").run(feeds, cancel=self.context.cancel)
        return checked_finite(self._output(out, "image"), self.manifest.name)

    def _output(self, outputs: Mapping[str, Array], name: str) -> Array:
        if name not in outputs:
            raise PackageError(
                f"A graph of the model {self.manifest.name!r} has no output {name!r}.",
                "Ask for a fresh copy of the package.",
            )
        return outputs[name]

    def _picture(self, pixels: Pixels, request: ImageRequest, index: int, facts: dict[str, float | str]) -> PictureMade:
        return PictureMade(pixels, one_of(request, self.context.package, index=index), index, facts)

    def _facts(self, place: _Place) -> dict[str, float | str]:
        """Where the picture lies on the pad."""
        if not has_map(self.manifest.settings):
            return {}
        x, y = vector_to_pad(tuple(float(value) for value in place.z), self.manifest.settings)
        return {"pad_x": x, "pad_y": y}

    def _chunk(self) -> int:
        size = self.context.size
        return max(1, min(_CHUNK, _CHUNK_PIXELS // (size.width_px * size.height_px)))
