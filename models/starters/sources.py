"""The public pictures behind the starters, read from the folder of data sets as it is handed out."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.starters.looks import looks
from studio.core.errors import BadInputError

FASHION_TRAIN, FASHION_VALID = 24_000, 4_000
FASHION_CLASSES = (
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

KINDS = ("face", "person", "nature", "food", "place", "object", "sign")
_KIND_OF_GROUP = {
    "smileys-emotion": "sign",
    "people-body": "person",
    "animals-nature": "nature",
    "food-drink": "food",
    "travel-places": "place",
    "objects": "object",
    "activities": "object",
    "symbols": "sign",
    "flags": "sign",
}


@dataclass(frozen=True)
class Sourced:
    """One picture with what is known of it: ``label`` is its class, ``attributes`` are true of it."""

    name: str
    picture: Image.Image
    split: Literal["train", "valid"]
    label: str
    caption: str = ""
    attributes: tuple[str, ...] = ()


def fashion(data: Path, size_px: int) -> Iterator[Sourced]:
    """Fashion-MNIST in the middle of a black square: the first 24,000 training and 4,000 test pictures."""
    parts: tuple[tuple[str, Literal["train", "valid"], int], ...] = (
        ("train", "train", FASHION_TRAIN),
        ("t10k", "valid", FASHION_VALID),
    )
    for stem, split, count in parts:
        pictures = _idx(data / "fashion-mnist" / f"{stem}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)[:count]
        labels = _idx(data / "fashion-mnist" / f"{stem}-labels-idx1-ubyte.gz", 8)[:count]
        margin = (size_px - 28) // 2
        for index, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
            padded = np.pad(picture, margin)
            yield Sourced(f"{split}-{index:05d}", Image.fromarray(padded), split, FASHION_CLASSES[label])


def tiles(data: Path, size_px: int) -> Iterator[Sourced]:
    """Dungeon Crawl tiles with their group as class."""
    for line, picture in _pack(data / "dcss-tiles"):
        yield Sourced(line["file"], scaled(picture, size_px), _split(line), line["group"], line["caption"])


def emoji(data: Path, size_px: int) -> Iterator[Sourced]:
    """Fluent emoji with attributes from their captions and from their pixels; the class is kind and style."""
    for line, picture in _pack(data / "fluent-emoji"):
        small = scaled(picture, size_px)
        attributes = (*_said(line), *looks(np.asarray(small)))
        yield Sourced(line["file"], small, _split(line), kind(line), line["caption"], attributes)


def kind(line: Mapping[str, Any]) -> str:
    """Kind and style of an emoji, such as ``3-D face``."""
    is_face = "face" in str(line["subgroup"])
    style = "3-D" if line["style"] == "3d" else "Flat"
    return f"{style} {'face' if is_face else _KIND_OF_GROUP[line['group']]}"


def scaled(picture: Image.Image, size_px: int) -> Image.Image:
    """RGBA at ``size_px``; colour is weighted by alpha, so what is hidden does not bleed in."""
    picture = picture.convert("RGBA")
    if picture.size == (size_px, size_px):
        return picture
    return picture.convert("RGBa").resize((size_px, size_px), Image.Resampling.LANCZOS).convert("RGBA")


def _said(line: Mapping[str, Any]) -> Iterator[str]:
    # Animals and food look too unlike one another: measured, one direction turned 21 % and 4 % of pictures into them.
    told = {
        "3-D style": line["style"] == "3d",
        "Face": "face" in str(line["subgroup"]),
        "Person": str(line["subgroup"]).startswith(("person", "family")),
    }
    return (name for name, true in told.items() if true)


def _split(line: Mapping[str, Any]) -> Literal["train", "valid"]:
    return "train" if line["split"] == "train" else "valid"


def _pack(folder: Path) -> Iterator[tuple[dict[str, Any], Image.Image]]:
    try:
        lines = (folder / "captions.jsonl").read_text(encoding="utf-8").splitlines()
        with zipfile.ZipFile(folder / "images.zip") as pictures:
            for text in lines:
                line = json.loads(text)
                with Image.open(io.BytesIO(pictures.read(line["file"]))) as picture:
                    yield line, picture.copy()
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise _unreadable(folder, error) from error


def _idx(path: Path, header: int) -> NDArray[np.uint8]:
    try:
        with gzip.open(path) as stream:
            return np.frombuffer(stream.read(), np.uint8, offset=header)
    except (OSError, EOFError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BadInputError:
    return BadInputError(
        f"The pictures at {path} cannot be read: {error}.", "Set REVERIE_DATA or --data to the folder of data sets."
    )


SOURCES: Mapping[str, Callable[[Path, int], Iterator[Sourced]]] = {
    "fashion": fashion,
    "tiles": tiles,
    "emoji": emoji,
}
