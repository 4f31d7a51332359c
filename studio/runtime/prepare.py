"""From an `Understanding` to a prepared data set: upright PNGs of one size, split, hashed, published as a whole."""

import hashlib
import io
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from studio.core.cancel import CancelToken
from studio.core.dataset import ITEMS_NAME, Item, encode_items
from studio.core.errors import BadInputError
from studio.core.events import Pixels
from studio.core.findings import FoundItem, Place, Understanding
from studio.core.manifest import Size
from studio.core.wizard import FitMode
from studio.runtime.atomic import part_path, publish_folder, storage_error
from studio.runtime.intake_files import Progress, Reader
from studio.runtime.pictures import read_picture

VALID_SHARE = 0.1
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class Prepared:
    """A data set on the disk.

    Attributes:
        folder: holds ``items.jsonl`` and the pictures.
        sha256: of the list and every file, as the trainer computes it, in hex.
        train, valid: how many items on each side.
        failed: names that could be read when they were dropped, but no more.
    """

    folder: Path
    sha256: str
    train: int
    valid: int
    failed: tuple[str, ...] = ()


def prepare(
    found: Understanding,
    size: Size,
    target: Path,
    *,
    mode: FitMode,
    progress: Progress,
    cancel: CancelToken,
) -> Prepared:
    """Write the usable items of ``found`` at ``size`` to the folder ``target``; it appears whole or not at all.

    Every tenth group of look-alikes (by hash, so always the same ones, and at least one) is held back for validation.

    Raises:
        BadInputError: fewer than two different pictures can be read.
        StorageError: the disk is full, read-only or gone.
        CancelledError: cancelled.
    """
    held_back = valid_groups(found.items)
    staging = part_path(target.parent)
    items: list[Item] = []
    failed: list[str] = []
    written: dict[str, bytes] = {}
    try:
        _make_folder(staging / "pictures", staging)
        with Reader() as reader:
            for index, item in enumerate(found.items):
                cancel.raise_if_cancelled()
                progress(index, len(found.items))
                try:
                    picture = fitted(_read(item.place, reader), size, mode)
                except BadInputError:
                    failed.append(item.place.shown)
                    continue
                file = _write(_png(picture, size.channels), staging, written)
                split = "valid" if item.group in held_back else "train"
                line = Item(file, split, item.label, item.caption, item.attributes, item.place.shown)
                items += [line] * (item.repeats if split == "train" else 1)
        _refuse_too_few(items)
        sha256 = _finish(items, written, staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    progress(len(found.items), len(found.items))
    train = sum(item.split == "train" for item in items)
    return Prepared(target, sha256, train, len(items) - train, tuple(failed))


def valid_groups(items: Sequence[FoundItem]) -> frozenset[str]:
    """The groups of look-alikes to hold back: a tenth by hash, at least one and never all."""
    groups = sorted({item.group for item in items}, key=_draw)
    share = [group for group in groups if _draw(group) < VALID_SHARE]
    if len(groups) < 2:
        return frozenset()
    return frozenset(share[: len(groups) - 1] or groups[:1])


def fitted(pixels: Pixels, size: Size, mode: FitMode) -> Pixels:
    """``(H, W, 4) uint8`` brought to ``size``: ``crop`` the middle, ``pad`` the short side, or ``stretch``.

    Padding is transparent where the model knows transparency, else of the picture's border colour. Without an alpha
    channel in ``size`` transparent parts are laid on white.
    """
    image = Image.fromarray(pixels, "RGBA")
    target = (size.width_px, size.height_px)
    if mode == "stretch":
        made = image.resize(target, Image.Resampling.LANCZOS)
    elif mode == "crop":
        made = image.resize(target, Image.Resampling.LANCZOS, box=_middle(image.size, target))
    else:
        scale = min(target[0] / image.width, target[1] / image.height)
        inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        made = Image.new("RGBA", target, (0, 0, 0, 0) if size.channels == 4 else _border_colour(pixels))
        corner = ((target[0] - inner[0]) // 2, (target[1] - inner[1]) // 2)
        made.paste(image.resize(inner, Image.Resampling.LANCZOS), corner)
    if size.channels < 4:
        made = Image.alpha_composite(Image.new("RGBA", target, "white"), made)
    return np.array(made, dtype=np.uint8)


def read_item(item: FoundItem, reader: Reader) -> Pixels:
    """The picture of a found item; raises `BadInputError` when it cannot be read any more."""
    return _read(item.place, reader)


def _read(place: Place, reader: Reader) -> Pixels:
    return read_picture(reader.read(place))


def _draw(group: str) -> float:
    """A number in [0, 1) that is a function of the content alone."""
    return int(hashlib.sha256(b"split" + group.encode()).hexdigest()[:13], 16) / 16**13


def _middle(size: tuple[int, int], target: tuple[int, int]) -> tuple[float, float, float, float]:
    scale = min(size[0] / target[0], size[1] / target[1])
    width, height = target[0] * scale, target[1] * scale
    left, top = (size[0] - width) / 2, (size[1] - height) / 2
    return left, top, left + width, top + height


def _border_colour(pixels: Pixels) -> tuple[int, int, int, int]:
    edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    red, green, blue, alpha = (int(value) for value in np.median(edges, axis=0))
    return red, green, blue, alpha


def _png(pixels: Pixels, channels: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels, "RGBA").convert(_MODES[channels]).save(stream, "PNG", compress_level=6)
    return stream.getvalue()


def _make_folder(folder: Path, staging: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise storage_error(error, staging, 0) from error


def _write(data: bytes, staging: Path, written: dict[str, bytes]) -> str:
    digest = hashlib.sha256(data)
    file = str(PurePosixPath("pictures", f"{digest.hexdigest()[:24]}.png"))
    if file not in written:
        try:
            (staging / file).write_bytes(data)
        except OSError as error:
            raise storage_error(error, staging / file, len(data)) from error
        written[file] = digest.digest()
    return file


def _refuse_too_few(items: Sequence[Item]) -> None:
    sides = {item.split for item in items}
    if sides != {"train", "valid"}:
        raise BadInputError(
            "There are not two different pictures to train and to check with.", "Add pictures that differ."
        )


def _finish(items: Sequence[Item], written: dict[str, bytes], staging: Path, target: Path) -> str:
    data = encode_items(tuple(items))
    try:
        (staging / ITEMS_NAME).write_bytes(data)
    except OSError as error:
        raise storage_error(error, target, len(data)) from error
    publish_folder(staging, target)
    hashes = [hashlib.sha256(data).digest(), *(written[item.file] for item in items)]
    return hashlib.sha256(b"".join(hashes)).hexdigest()
