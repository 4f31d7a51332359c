"""A prepared data set: what the wizard (or a recipe) hands to the trainer.

A folder with ``items.jsonl`` (one `Item` a line) and the normalised files it names. Whoever prepares it has decoded,
checked, de-duplicated, rotated and split the pictures, so the trainer meets only clean ones.
"""

from pathlib import Path
from typing import Literal

import msgspec

from studio.core.errors import TrainingError

ITEMS_NAME = "items.jsonl"


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One picture (or text, or piece). ``file`` is relative to the data set's folder.

    ``label`` is the class (folder name or given), ``attributes`` are tags that are true of it, ``source`` is the file
    name that the artist knows.
    """

    file: str
    split: Literal["train", "valid"] = "train"
    label: str = ""
    caption: str = ""
    attributes: tuple[str, ...] = ()
    source: str = ""


def read_items(folder: Path) -> tuple[Item, ...]:
    """The items of a prepared data set in file order.

    Raises:
        TrainingError: the list is missing, unreadable or empty, or a path leaves the folder.
    """
    try:
        lines = (folder / ITEMS_NAME).read_bytes().splitlines()
        items = tuple(msgspec.json.decode(line, type=Item) for line in lines if line.strip())
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise TrainingError(
            f"The data set at {folder} cannot be read: {error}.", "Prepare it again from the folder you dropped."
        ) from error
    if not items:
        raise TrainingError(f"The data set at {folder} is empty.", "Add pictures and prepare it again.")
    if any(Path(item.file).is_absolute() or ".." in Path(item.file).parts for item in items):
        raise TrainingError(f"The data set at {folder} names files outside its folder.", "Prepare it again.")
    return items


def encode_items(items: tuple[Item, ...]) -> bytes:
    """The bytes of ``items.jsonl``."""
    return b"".join(msgspec.json.encode(item) + b"\n" for item in items)
