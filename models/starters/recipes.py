"""What each starter package is made of. Data only; `models.starters.sources` reads the pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.core.params import Value


@dataclass(frozen=True)
class Recipe:
    """One starter package.

    Attributes:
        id: package id.
        source: key of `models.starters.sources.SOURCES`.
        size_px: side of the square pictures.
        family: key of `models.families.FAMILIES`.
        conditional: give the classes to the network; otherwise they serve the measurements alone.
        minimum_items: pictures that a fine-tune needs at least.
        minutes: training time on two processor cores that gave the published package.
        config, settings: overrides for the family.
        layout: what a dropped data set must look like.
    """

    id: str
    name: str
    summary: str
    source: str
    size_px: int
    family: str
    conditional: bool
    minutes: float
    licence: str
    dataset: str
    credit: str
    layout: str
    minimum_items: int
    config: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Value] = field(default_factory=dict)


_FASHION = ("MIT", "fashion-mnist", "Fashion-MNIST, copyright 2017 Zalando SE")
_TILES = ("CC0-1.0", "dcss-tiles", "Dungeon Crawl Stone Soup tiles by the artists of crawl/tiles")
_EMOJI = ("MIT", "fluent-emoji", "Fluent emoji, copyright Microsoft Corporation; names by Miles Johnson (emojibase)")
_FOLDER = "A folder with at least {items} pictures; they are cut square and scaled to {px} px."
_FOLDERS = "One folder per class with at least {items} pictures in all; they are cut square and scaled to {px} px."

RECIPES: Mapping[str, Recipe] = {
    recipe.id: recipe
    for recipe in (
        Recipe(
            "fashion-map",
            "Clothes map",
            "A map of clothing: every point of the plane is a picture.",
            "fashion",
            32,
            "VAE2",
            False,
            6,
            *_FASHION,
            _FOLDER.format(items=200, px=32),
            200,
            {"widths": (32, 48, 64)},
            {"batch": 64, "learning_rate": 0.001},
        ),
        Recipe(
            "tiles-diffusion",
            "Dungeon tiles, diffusion",
            "Pixel-art tiles out of noise, by kind: monsters, walls, potions.",
            "tiles",
            32,
            "DDM",
            True,
            28,
            *_TILES,
            _FOLDERS.format(items=100, px=32),
            100,
            {"patch": 2, "widths": (48, 72, 96), "blocks": (1, 1, 1)},
            {"batch": 48, "learning_rate": 0.001, "ema": 0.9985},
        ),
        Recipe(
            "emoji-vae",
            "Emoji, variations",
            "Emoji with sliders: rounder, redder, more of a face.",
            "emoji",
            64,
            "VAEF",
            False,
            14,
            *_EMOJI,
            _FOLDER.format(items=100, px=64),
            100,
            {},
            {"batch": 32, "learning_rate": 0.001, "shift_px": 2, "weight": 10000.0},
        ),
        Recipe(
            "tiles-gan",
            "Dungeon tiles, instant",
            "Pixel-art tiles in one pass, by kind; kinds can be mixed.",
            "tiles",
            32,
            "WGANGP",
            True,
            20,
            *_TILES,
            _FOLDERS.format(items=200, px=32),
            200,
            {},
            {"batch": 64, "learning_rate": 0.0005},
        ),
        Recipe(
            "emoji-diffusion",
            "Emoji, diffusion",
            "New emoji out of noise, in two styles and seven kinds.",
            "emoji",
            64,
            "DDM",
            True,
            30,
            *_EMOJI,
            _FOLDERS.format(items=100, px=64),
            100,
            {"patch": 2, "widths": (24, 48, 72, 96), "blocks": (1, 1, 1, 1)},
            {"batch": 48, "learning_rate": 0.001, "ema": 0.9985},
        ),
    )
}
