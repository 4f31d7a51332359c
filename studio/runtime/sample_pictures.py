"""Pictures of our own for a first try of the wizard: suns, leaves and gems, drawn from a seed."""

import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from studio.runtime.atomic import storage_error

KINDS = ("gems", "leaves", "suns")
_SIDE_PX = 96
_FINE = 4


def write_samples(folder: Path, *, count: int = 60, seed: int = 0) -> Path:
    """Write ``count`` transparent pictures in one folder for each kind; returns ``folder``. Ones that are there stay.

    Raises:
        StorageError: the disk is full or read-only.
    """
    try:
        for index in range(count):
            kind = KINDS[index % len(KINDS)]
            path = folder / kind / f"{kind}-{index // len(KINDS) + 1:02d}.png"
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                sample_picture(kind, seed + index).save(path)
    except OSError as error:
        raise storage_error(error, folder, count * 4_000) from error
    return folder


def sample_picture(kind: str, seed: int) -> Image.Image:
    """One RGBA picture of 96 px, drawn four times as large so that its edges are smooth."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    image = Image.new("RGBA", (_SIDE_PX * _FINE, _SIDE_PX * _FINE))
    {"gems": _gem, "leaves": _leaf, "suns": _sun}[kind](ImageDraw.Draw(image), rng)
    return image.resize((_SIDE_PX, _SIDE_PX), Image.Resampling.LANCZOS)


def _sun(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    rays, middle = int(rng.integers(6, 15)), _middle()
    inner, outer = rng.uniform(0.2, 0.28) * middle * 2, rng.uniform(0.36, 0.48) * middle * 2
    turn, colour = rng.uniform(0, math.tau), _colour(rng, (20, 55))
    for ray in range(rays):
        angle, half = turn + math.tau * ray / rays, math.tau / rays * rng.uniform(0.25, 0.35)
        draw.polygon([_at(inner, angle - half), _at(outer, angle), _at(inner, angle + half)], fill=colour)
    draw.ellipse(_round(inner * 0.92), fill=_colour(rng, (38, 60)))
    draw.ellipse(_round(inner * 0.6), fill=colour)


def _leaf(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    tilt, width = rng.uniform(-0.7, 0.7), rng.uniform(0.16, 0.34)
    length = rng.uniform(0.8, 0.94) * _middle()
    colour, dark = _colour(rng, (80, 150)), _colour(rng, (100, 170), value=0.45)
    along = np.linspace(-1, 1, 40)
    side = width * 2 * length * np.cos(along * math.pi / 2) * (1 - 0.25 * along)
    edge = [_turned(along[i] * length, side[i], tilt) for i in range(40)]
    back = [_turned(along[i] * length, -side[i], tilt) for i in reversed(range(40))]
    draw.polygon(edge + back, fill=colour)
    draw.line([_turned(-length, 0, tilt), _turned(length, 0, tilt)], fill=dark, width=3 * _FINE)
    for at in np.linspace(-0.6, 0.6, int(rng.integers(3, 7))):
        reach = width * 1.1 * length * math.cos(at * math.pi / 2)
        for sign in (-1, 1):
            draw.line(
                [_turned(at * length, 0, tilt), _turned(at * length + reach * 0.7, sign * reach, tilt)],
                fill=dark,
                width=2 * _FINE,
            )


def _gem(draw: ImageDraw.ImageDraw, rng: np.random.Generator) -> None:
    sides, turn = int(rng.integers(5, 9)), rng.uniform(0, math.tau)
    radius, table = rng.uniform(0.7, 0.92) * _middle(), rng.uniform(0.4, 0.62)
    hue = rng.uniform(0, 360)
    light = rng.uniform(0, math.tau)
    for side in range(sides):
        one, two = turn + math.tau * side / sides, turn + math.tau * (side + 1) / sides
        value = 0.62 + 0.35 * math.cos((one + two) / 2 - light)
        corners = [_at(radius, one), _at(radius, two), _at(radius * table, two), _at(radius * table, one)]
        draw.polygon(corners, fill=_hsv(hue, 0.7, value))
    top = [_at(radius * table, turn + math.tau * side / sides) for side in range(sides)]
    draw.polygon(top, fill=_hsv(hue, 0.45, 0.97))


def _middle() -> float:
    return _SIDE_PX * _FINE / 2


def _at(radius: float, angle: float) -> tuple[float, float]:
    return _middle() + radius * math.cos(angle), _middle() + radius * math.sin(angle)


def _turned(x: float, y: float, tilt: float) -> tuple[float, float]:
    cos, sin = math.cos(tilt - math.pi / 2), math.sin(tilt - math.pi / 2)
    return _middle() + x * cos - y * sin, _middle() + x * sin + y * cos


def _round(radius: float) -> tuple[float, float, float, float]:
    return _middle() - radius, _middle() - radius, _middle() + radius, _middle() + radius


def _colour(rng: np.random.Generator, hues: tuple[float, float], *, value: float = 0.9) -> tuple[int, int, int]:
    return _hsv(rng.uniform(*hues), rng.uniform(0.6, 0.9), value * rng.uniform(0.85, 1.1))


def _hsv(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    """A colour from hue in degrees, saturation and value in 0..1."""
    sector = hue % 360 / 60
    parts = [1 - saturation * max(0.0, min(1.0, abs((sector + shift) % 6 - 3) * -1 + 2)) for shift in (0, 4, 2)]
    red, green, blue = (round(255 * min(1.0, max(0.0, value)) * part) for part in parts)
    return red, green, blue
