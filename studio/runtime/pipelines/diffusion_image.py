"""``diffusion-image/1``: noise becomes a picture step by step; the loop, the noise and the schedule are ours.

Graph ``denoise``: ``x (B, C, H, W)``, ``noise_variance (B,)`` and, with classes, ``y (B, K)`` (all zeros: no class) to
``prediction (B, C, H, W)``. Inside the graph ``x = a x0 + s eps`` with ``a^2 + s^2 = 1`` and ``noise_variance = s^2``;
outside everything is in sigma space (`studio.runtime.samplers`).

Noise: stream ``latent`` of the picture's seed starts it, ``step`` feeds the samplers that add noise, ``encode`` covers
a start picture.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from studio.core.errors import BadInputError, PackageError
from studio.core.events import Event, FrameMade, PictureMade, Pixels, Preview, Step
from studio.core.params import Value
from studio.core.requests import ImageRequest, Point
from studio.runtime import samplers, seeds
from studio.runtime.pipelines import travel
from studio.runtime.pipelines.conditions import (
    keep_unmasked,
    label_weights,
    mask_picture,
    one_of,
    picture_seed,
    pipeline_settings,
    placed_controls,
    placed_labels,
    source_picture,
)
from studio.runtime.pipelines.contract import Context, Pace, checked_finite, chunked
from studio.runtime.pixels import to_picture

SYSTEM = "diffusion-image"
Array = NDArray[np.float32]
_CHUNK_PIXELS, _CHUNK = 2**19, 8
_TOGETHER = ("steps", "sampler", "schedule", "eta")  # frames that differ in these cannot share a batch


class DiffusionSettings(msgspec.Struct, frozen=True):
    """Settings of ``diffusion-image/1``."""

    prediction: Literal["v", "eps", "x0"]
    sigma_min: float
    sigma_max: float

    def __post_init__(self) -> None:
        if not 0.0 < self.sigma_min < self.sigma_max < 1e6:
            raise ValueError("sigma_min and sigma_max must be 0 < sigma_min < sigma_max")


@dataclass(frozen=True, eq=False)
class _Rows:
    """What differs from picture to picture of a batch, and how one finds their noise.

    ``y (B, K)``, ``guidance (B,)``; ``noise(stream, step)`` gives ``(B, C, H, W)``.
    """

    y: Array
    guidance: Array
    noise: Callable[[str, int], Array]


@dataclass(frozen=True, eq=False)
class _Start:
    """A start picture: its ``pixels``, its ``planes (C, H, W)``, and ``mask (1, H, W)`` or None."""

    pixels: Pixels
    planes: Array
    mask: Array | None


def run(request: ImageRequest, context: Context) -> Iterator[Event]:
    """Play a diffusion-image package; see `studio.runtime.pipelines.contract.Pipeline`.

    Raises:
        BadInputError: the request asks for what this model does not have.
    """
    if any(point.vector for point in (*request.path, *([request.point] if request.point else []))):
        raise BadInputError(
            f"Places of the diffusion model {context.package.manifest.name!r} are seeds, not vectors.",
            "Use places that were saved with this model.",
        )
    diffusion = _Diffusion(context)
    yield from diffusion.film(request) if request.path else diffusion.pictures(request)


class _Diffusion:
    """One run over one package."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.manifest = context.package.manifest
        self.settings = pipeline_settings(self.manifest, DiffusionSettings)
        size = context.size
        self.shape = (size.channels, size.height_px, size.width_px)
        self.pace = Pace(context.clock)

    def pictures(self, request: ImageRequest) -> Iterator[Event]:
        """``request.count`` pictures."""
        controls = placed_controls(self.manifest, request, request.point)
        y = label_weights(self.manifest, placed_labels(request, request.point), whole=False)
        start = self._start(request)
        if start is not None and request.strength == 0.0:
            for index in range(request.count):
                yield self._picture(start.pixels, request, index)
            return
        sigmas = self._sigmas(controls, request.strength if start is not None else 1.0)
        steps = len(sigmas) - 1

        def work(chunk: range) -> Iterator[Event]:
            batch = [self._noise_seed(request, index) for index in chunk]
            rows = _Rows(
                np.repeat(y[None], len(chunk), axis=0),
                np.full(len(chunk), float(controls.get("guidance", 1.0)), np.float32),
                lambda stream, step: self._noise(batch, stream, step),
            )
            images: Array = np.empty(0, np.float32)
            for i, images in self._sampled(rows, controls, sigmas, start):
                yield Step(chunk.start * steps + (i + 1) * len(chunk), request.count * steps)
                if i + 1 < steps and self.pace.due():
                    for index, image in zip(chunk, images, strict=True):
                        yield Preview(self._finished(image, start), index)
            for index, image in zip(chunk, images, strict=True):
                yield self._picture(self._finished(image, start), request, index)

        self.context.session("denoise")
        yield from chunked(request.count, self._chunk(controls), work)

    def film(self, request: ImageRequest) -> Iterator[Event]:
        """Frames along ``request.path``: the noise of every stream travels from seed to seed."""
        if request.source or request.mask or request.point is not None:
            raise BadInputError(
                "A film travels along its path only.", "Clear the start picture, the mask and the fixed place."
            )
        frames = travel.frames(request)
        placed = [placed_controls(self.manifest, request, point) for point in request.path]
        labels = [label_weights(self.manifest, placed_labels(request, point), whole=False) for point in request.path]

        def controls_of(frame: travel.Frame) -> dict[str, Value]:
            return travel.blended_controls(placed[frame.start], placed[frame.end], frame.t)

        def together(frame: travel.Frame) -> tuple[Value, ...]:
            return tuple(controls_of(frame).get(name, 0) for name in _TOGETHER)

        self.context.session("denoise")
        for group in travel.alike(frames, together):
            controls = controls_of(group[0])

            def work(chunk: range, *, run_of: Sequence[travel.Frame] = group) -> Iterator[Event]:
                part = run_of[chunk.start : chunk.stop]
                y = np.stack([travel.straight(labels[f.start], labels[f.end], f.t) for f in part])
                guidance = np.array([float(controls_of(f).get("guidance", 1.0)) for f in part], np.float32)
                rows = _Rows(y, guidance, lambda stream, step: self._travelled(request, part, stream, step))
                yield from self._film_chunk(rows, controls_of(part[0]), part, len(frames))

            yield from chunked(len(group), self._chunk(controls), work)

    def _film_chunk(
        self, rows: _Rows, controls: Mapping[str, Value], part: Sequence[travel.Frame], total: int
    ) -> Iterator[Event]:
        sigmas = self._sigmas(controls, 1.0)
        steps = len(sigmas) - 1
        images: Array = np.empty(0, np.float32)
        for i, images in self._sampled(rows, controls, sigmas, None):  # noqa: B007  # the last ones count
            yield Step(part[0].index * steps + (i + 1) * len(part), total * steps)
        for frame, image in zip(part, images, strict=True):
            yield FrameMade(to_picture(image), frame.index, total)

    def _sampled(
        self, rows: _Rows, controls: Mapping[str, Value], sigmas: NDArray[np.float64], start: _Start | None
    ) -> Iterator[tuple[int, Array]]:
        """Yield ``(i, x0)`` after every step; the last x0 is the picture."""
        denoise: samplers.Denoise = self._denoiser(rows)
        from_noise = start is None or sigmas[0] >= self.settings.sigma_max
        noise = rows.noise("latent" if from_noise else "encode", 0)
        x = np.float32(sigmas[0]) * noise
        if start is not None and not from_noise:
            x = start.planes[None] + x
        if start is not None and start.mask is not None:
            denoise = samplers.inpainting(denoise, start.planes[None], start.mask[None], noise)
        steps = samplers.sample(
            str(controls.get("sampler", "ddim")),
            denoise,
            x,
            sigmas,
            noise=lambda i: rows.noise("step", i),
            eta=float(controls.get("eta", 0.0)),
        )
        for step in steps:
            yield step.i, step.x0.astype(np.float32, copy=False)

    def _denoiser(self, rows: _Rows) -> samplers.Denoise:
        """``denoise(x, sigma) -> x0``, clipped, with classifier-free guidance in one doubled batch.

        Ho & Salimans 2022, "Classifier-free diffusion guidance", equation 6: from what the network sees without a class
        towards what it sees with it, ``guidance`` times as far. 1 is the class as trained, 0 ignores it.
        """
        classed = bool(self.manifest.labels)
        guided = classed and bool(rows.y.any())
        only_class = not guided or bool((rows.guidance == 1.0).all())
        only_free = guided and bool((rows.guidance == 0.0).all())
        nothing = np.zeros_like(rows.y)
        g = rows.guidance[:, None, None, None]

        def denoise(x: samplers.Array, sigma: float) -> samplers.Array:
            if only_class or only_free:
                predicted = self._predicted(x, sigma, nothing if only_free else rows.y)
            else:
                both = self._predicted(np.concatenate([x, x]), sigma, np.concatenate([rows.y, nothing]))
                with_class, free = both[: len(x)], both[len(x) :]
                mixed = free + g * (with_class - free)
                # Rows at 0 and 1 get the bytes that they get alone.
                predicted = np.where(g == 1.0, with_class, np.where(g == 0.0, free, mixed))
            return np.clip(samplers.predicted_x0(self.settings.prediction, x, predicted, sigma), -1.0, 1.0)

        return denoise

    def _predicted(self, x: samplers.Array, sigma: float, y: Array) -> Array:
        self.context.cancel.raise_if_cancelled()
        a, s = samplers.rates(sigma)
        feeds: dict[str, Array] = {
            "x": np.asarray(x * a, np.float32),
            "noise_variance": np.full(len(x), s * s, np.float32),
        }
        if self.manifest.labels:
            feeds["y"] = y
        outputs = self.context.session("denoise").run(feeds, cancel=self.context.cancel)
        if "prediction" not in outputs:
            raise PackageError(
                f"The graph of the model {self.manifest.name!r} has no output 'prediction'.",
                "Ask for a fresh copy of the package.",
            )
        return checked_finite(outputs["prediction"], self.manifest.name)

    def _sigmas(self, controls: Mapping[str, Value], strength: float) -> NDArray[np.float64]:
        low, high = self.settings.sigma_min, self.settings.sigma_max
        first = samplers.strength_sigma(strength, sigma_min=low, sigma_max=high)
        n = max(1, round(int(controls.get("steps", 20)) * strength))
        return samplers.schedule(str(controls.get("schedule", "cosine")), n, sigma_min=low, sigma_max=first)

    def _start(self, request: ImageRequest) -> _Start | None:
        mask = mask_picture(request, self.context) if request.mask else None
        if not request.source:
            return None
        pixels, planes = source_picture(request, self.context)
        return _Start(pixels, planes, mask)

    def _noise_seed(self, request: ImageRequest, index: int) -> int:
        return picture_seed(request, index) if request.point is None else request.point.seed

    def _noise(self, seed_list: Sequence[int], stream: str, step: int) -> Array:
        return seeds.normals(seed_list, self.shape, system=SYSTEM, stream=stream, step=step)

    def _travelled(self, request: ImageRequest, part: Sequence[travel.Frame], stream: str, step: int) -> Array:
        used = {place for frame in part for place in (frame.start, frame.end)}
        ends = {place: self._noise([_seed(request.path[place])], stream, step)[0] for place in used}
        return np.stack([travel.round_trip(ends[f.start], ends[f.end], f.t) for f in part])

    def _finished(self, image: Array, start: _Start | None) -> Pixels:
        pixels = to_picture(image)
        if start is None or start.mask is None:
            return pixels
        return keep_unmasked(pixels, start.pixels, start.mask)

    def _picture(self, pixels: Pixels, request: ImageRequest, index: int) -> PictureMade:
        return PictureMade(pixels, one_of(request, self.context.package, index=index), index)

    def _chunk(self, controls: Mapping[str, Value]) -> int:
        size = self.context.size
        doubled = 2 if self.manifest.labels and float(controls.get("guidance", 1.0)) not in (0.0, 1.0) else 1
        return max(1, min(_CHUNK, _CHUNK_PIXELS // (size.width_px * size.height_px)) // doubled)


def _seed(point: Point) -> int:
    return point.seed
