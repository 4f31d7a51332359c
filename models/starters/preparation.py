"""From a recipe to a prepared data set and a run folder. Both are made once and found again afterwards."""

import hashlib
from pathlib import Path

import msgspec

from models.starters.recipes import Recipe
from models.starters.sources import SOURCES
from studio.core.dataset import ITEMS_NAME, Item, encode_items
from studio.core.params import Value
from studio.core.protocol import SPEC_NAME, RunSpec
from studio.runtime.atomic import write_bytes

CLASSES_NAME = "classes.json"
SEED = 7


def prepare_data(recipe: Recipe, data: Path, folder: Path) -> None:
    """Write the pictures of ``recipe`` and ``items.jsonl`` into ``folder``, unless they are there.

    ``classes.json`` beside them names the class of every file, also where the network is not given it.
    """
    if (folder / ITEMS_NAME).exists():
        return
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    items: list[Item] = []
    classes: dict[str, str] = {}
    for index, sourced in enumerate(SOURCES[recipe.source](data, recipe.size_px)):
        file = f"pictures/{index:05d}.png"
        sourced.picture.save(folder / file, compress_level=1)
        classes[file] = sourced.label
        items.append(
            Item(
                file=file,
                split=sourced.split,
                label=sourced.label if recipe.conditional else "",
                caption=sourced.caption,
                attributes=() if recipe.conditional else sourced.attributes,
                source=sourced.name,
            )
        )
    write_bytes(folder / CLASSES_NAME, msgspec.json.encode(classes))
    write_bytes(folder / ITEMS_NAME, encode_items(tuple(items)))


def prepare_run(recipe: Recipe, dataset: Path, run: Path, *, steps: int, threads: int = 0) -> None:
    """Write ``spec.json`` of a run that trains ``recipe`` for ``steps`` steps in all."""
    run.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Value] = {"seed": SEED, "sample_s": 100.0, "sheet": 36, **recipe.settings, "steps": steps}
    spec = RunSpec(
        family=recipe.family,
        dataset=str(dataset),
        package_id=recipe.id,
        package_name=recipe.name,
        config=dict(recipe.config),
        settings=settings,
        licence=recipe.licence,
        threads=threads,
    )
    write_bytes(run / SPEC_NAME, msgspec.json.format(msgspec.json.encode(spec), indent=2))


def classes_of(folder: Path) -> dict[str, str]:
    """File to class of a data set that `prepare_data` made."""
    return msgspec.json.decode((folder / CLASSES_NAME).read_bytes(), type=dict[str, str])


def digest_of(folder: Path) -> str:
    """SHA-256 of the list of items, which names every file."""
    return hashlib.sha256((folder / ITEMS_NAME).read_bytes()).hexdigest()
