"""A prepared data set in memory, and the batches drawn from it.

Pictures are kept as bytes (a quarter of the memory) and become floats when they are asked for. With four channels the
colour is multiplied by alpha once, while loading.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from models.core.family import Batch, DataFacts
from studio.core.dataset import ITEMS_NAME, Item, read_items
from studio.core.errors import TrainingError
from studio.core.params import Value
from studio.runtime.pixels import to_model

SPLITS = ("train", "valid")
HELD_OUT = 256
_CLASS_STREAM = 1


class MemoryDataset:
    """`models.core.family.Dataset` over ``uint8`` tensors.

    Args:
        facts: size, classes and attributes.
        pictures: split to ``(N, C, H, W) uint8``.
        labels: split to ``(N,) int64`` index in ``facts.labels``; -1 where a picture has none of them.
        attributes: split to ``(N, A) bool``.
        digest: sha256 of the list and of every file, in hex.
        taught_to_all: no picture has a class of the base model, so each teaches every class in turn. Given none, they
            would teach what a conditional network is never asked for.
    """

    def __init__(
        self,
        facts: DataFacts,
        *,
        pictures: Mapping[str, Tensor],
        labels: Mapping[str, Tensor],
        attributes: Mapping[str, Tensor],
        digest: str,
        taught_to_all: bool = False,
    ) -> None:
        self.facts = facts
        self.digest = digest
        self._pictures = dict(pictures)
        self._labels = dict(labels)
        self._attributes = dict(attributes)
        self._taught_to_all = taught_to_all

    def count(self, split: str) -> int:
        """How many pictures ``split`` has."""
        return len(self._pictures[split])

    def images(self, split: str) -> Tensor:
        """``(N, C, H, W) float32 in [-1, 1]`` of ``train`` or ``valid``, in file order."""
        return _floats(self._pictures[split])

    def labels(self, split: str) -> Tensor:
        """``(N, K) float32`` one-hot; a row of zeros where the class is not known."""
        return _one_hot(self._labels[split], len(self.facts.labels))

    def attributes(self, split: str) -> Tensor:
        """``(N, A) bool``: which attributes of ``facts.attributes`` are true of each picture."""
        return self._attributes[split]

    def batch(self, split: str, indices: Tensor, *, turn: int = 0) -> Batch:
        """The pictures of ``split`` at ``indices`` ``(B,) int64``; ``turn`` draws the classes of unclassed ones."""
        classes = self._labels[split][indices]
        if self._taught_to_all:
            drawn = np.random.default_rng([_CLASS_STREAM, turn]).integers(0, len(self.facts.labels), len(indices))
            classes = torch.from_numpy(drawn)
        return Batch(_floats(self._pictures[split][indices]), _one_hot(classes, len(self.facts.labels)))

    def held_out(self) -> Batch:
        """The first `HELD_OUT` validation pictures: what a running training is measured on."""
        return self.batch("valid", torch.arange(min(HELD_OUT, self.count("valid"))))


def load_dataset(folder: Path, *, channels: int | None = None, labels: tuple[str, ...] | None = None) -> MemoryDataset:
    """Decode the prepared data set in ``folder``.

    Args:
        folder: holds ``items.jsonl``.
        channels: 1, 3 or 4 to convert to; None takes the least that keeps every picture whole.
        labels: the classes of a base package, in its order; None takes the data's own, sorted. Pictures of other
            classes have none, unless all do: see `MemoryDataset`.

    Raises:
        TrainingError: a file is missing, damaged or of another size, or there is no training picture.
    """
    items = read_items(folder)
    hashes = [hashlib.sha256((folder / ITEMS_NAME).read_bytes()).digest()]
    pictures = [_decoded(folder, item, hashes) for item in items]
    depth = channels or max(_depth(mode) for _, mode in pictures)
    height, width = pictures[0][0].shape[:2]
    for (picture, _), item in zip(pictures, items, strict=True):
        if picture.shape[:2] != (height, width):
            raise TrainingError(
                f"{_told(item)} has {picture.shape[1]} x {picture.shape[0]} pixels, the first {width} x {height}.",
                "Prepare the data set again: every picture must have one size.",
            )
    names = labels if labels is not None else tuple(sorted({item.label for item in items if item.label}))
    attributes = tuple(sorted({name for item in items for name in item.attributes}))
    facts = DataFacts(
        width_px=width, height_px=height, channels=depth, items=len(items), labels=names, attributes=attributes
    )
    rows = {split: [i for i, item in enumerate(items) if item.split == split] for split in SPLITS}
    if not rows["train"]:
        raise TrainingError(f"The data set at {folder} has no training pictures.", "Prepare it again.")
    place = {name: index for index, name in enumerate(names)}
    return MemoryDataset(
        facts,
        pictures={split: _packed([pictures[i][0] for i in rows[split]], depth, (height, width)) for split in SPLITS},
        labels={split: torch.tensor([place.get(items[i].label, -1) for i in rows[split]]).long() for split in SPLITS},
        attributes={split: _flags([items[i] for i in rows[split]], attributes) for split in SPLITS},
        digest=hashlib.sha256(b"".join(hashes)).hexdigest(),
        taught_to_all=bool(names) and not any(item.label in place for item in items),
    )


def draw_indices(step: int, *, items: int, batch: int, seed: int) -> Tensor:
    """The rows of batch ``step``, ``(batch,) int64``: every picture once an epoch, in an order of ``seed`` and epoch.

    A function of the step alone, so a resumed run goes on where the killed one was, without a stored position.
    """
    positions = np.arange(step * batch, (step + 1) * batch)
    epochs = positions // items
    rows = np.empty(batch, np.int64)
    for epoch in np.unique(epochs):
        order = np.random.default_rng([seed, int(epoch)]).permutation(items)
        chosen = epochs == epoch
        rows[chosen] = order[positions[chosen] % items]
    return torch.from_numpy(rows)


def augmented(images: Tensor, settings: Mapping[str, Value], rng: torch.Generator) -> Tensor:
    """``images`` mirrored (``flip``) and moved by up to ``shift_px`` pixels, each one by its own draw of ``rng``."""
    count = len(images)
    if settings.get("flip"):
        flips = torch.rand(count, generator=rng, device=rng.device).to(images.device) < 0.5
        images = torch.where(flips[:, None, None, None], images.flip(3), images)
    reach = int(settings.get("shift_px", 0))
    if reach:
        moves = torch.randint(0, 2 * reach + 1, (count, 2), generator=rng, device=rng.device).tolist()
        height, width = images.shape[2:]
        padded = torch.nn.functional.pad(images, (reach,) * 4, mode="replicate")
        images = torch.stack([padded[i, :, y : y + height, x : x + width] for i, (y, x) in enumerate(moves)])
    return images


def _decoded(folder: Path, item: Item, hashes: list[bytes]) -> tuple[np.ndarray, str]:
    """``(H, W, 4) uint8`` and the file's Pillow mode; its hash goes to ``hashes``."""
    path = folder / item.file
    try:
        hashes.append(hashlib.sha256(path.read_bytes()).digest())
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGBA")), "RGBA" if picture.has_transparency_data else picture.mode
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise TrainingError(
            f"{_told(item)} of the data set cannot be read: {error}.", "Prepare the data set again."
        ) from error


def _told(item: Item) -> str:
    return item.source or item.file


def _depth(mode: str) -> int:
    return {"1": 1, "L": 1, "I": 1, "I;16": 1, "F": 1, "RGBA": 4}.get(mode, 3)


def _packed(pictures: list[np.ndarray], channels: int, size: tuple[int, int]) -> Tensor:
    """``(N, C, H, W) uint8`` of the pictures as the network sees them."""
    packed = np.empty((len(pictures), channels, *size), np.uint8)
    for row, picture in zip(packed, pictures, strict=True):
        row[...] = np.rint((to_model(picture, channels) + 1) * 127.5)
    return torch.from_numpy(packed)


def _floats(pictures: Tensor) -> Tensor:
    return pictures.float().div_(127.5).sub_(1)


def _one_hot(indices: Tensor, classes: int) -> Tensor:
    table = torch.cat([torch.eye(classes), torch.zeros(1, classes)])
    return table[indices]  # -1 picks the row of zeros


def _flags(items: list[Item], attributes: tuple[str, ...]) -> Tensor:
    flags = torch.zeros(len(items), len(attributes), dtype=torch.bool)
    for row, item in zip(flags, items, strict=True):
        for name in item.attributes:
            row[attributes.index(name)] = True
    return flags
