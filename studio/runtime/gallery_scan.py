"""What a result file says about itself: enough to put it into the index again when the database is lost."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from studio.core.errors import BadInputError
from studio.core.recipe import Recipe, Restored
from studio.runtime.atomic import ASIDE, PART
from studio.runtime.containers import Container, container_of, size_px
from studio.runtime.recipes import prompt_of, read_recipe

Kind = Literal["picture", "film"]
_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".mp4"}
_SEED_LIMIT = 2**63


@dataclass(frozen=True)
class Found:
    """One result as the index keeps it; ``home`` is where a trashed one belongs."""

    path: Path
    kind: Kind
    created_s: float
    width_px: int = 0
    height_px: int = 0
    model: str = ""
    seed: int = -1
    title: str = ""
    prompt: str = ""
    day: str = ""
    bytes: int = 0
    changed_ns: int = 0
    home: str = ""


def result_files(folder: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Every file below ``folder`` that may be a result, with its size in bytes and time of change in ns."""
    waiting = [str(folder)]
    while waiting:
        try:
            places = sorted(os.scandir(waiting.pop()), key=lambda each: each.name)
        except OSError:
            continue  # a folder that may not be read holds nothing for us
        for place in places:
            if place.name.startswith((PART, ASIDE, ".")):
                continue
            if place.is_dir(follow_symlinks=False):
                waiting.append(place.path)
            elif place.is_file() and Path(place.name).suffix.lower() in _SUFFIXES:
                state = place.stat()
                yield Path(place.path), (state.st_size, state.st_mtime_ns)


def inspect(path: Path, *, home: str = "") -> Found | None:
    """Read a file for the index; None when it is not a picture or film, or damaged."""
    try:
        str(path).encode()  # the index keeps names as text; a name that is no text stays a file only
        state = path.stat()
        with path.open("rb") as stream:
            container = container_of(stream.read(16))
            if container is None:
                return None
            size = (0, 0) if container == "mp4" else size_px(stream, container)
        if container == "mp4":
            size = _film_size(path)
        restored = read_recipe(path)
    except (BadInputError, OSError, UnicodeEncodeError):
        return None
    recipe = None if restored is None else restored.recipe
    created_s = _created(recipe, state.st_mtime)
    return described(
        path,
        kind=_kind(container, recipe),
        created_s=created_s,
        size=size,
        recipe=recipe,
        foreign=restored,
        home=home,
        state=(state.st_size, state.st_mtime_ns),
    )


def described(
    path: Path,
    *,
    kind: Kind,
    created_s: float,
    size: tuple[int, int],
    recipe: Recipe | None,
    foreign: Restored | None = None,
    home: str = "",
    state: tuple[int, int] = (0, 0),
) -> Found:
    """The row of a result: what a search will find."""
    seed = -1
    model = prompt = ""
    if recipe is not None:
        seed, model, prompt = (
            recipe.request.seed,
            recipe.model_name or recipe.request.package,
            prompt_of(recipe.request),
        )
    elif foreign is not None:
        seed = foreign.seed if foreign.seed is not None and foreign.seed < _SEED_LIMIT else -1
        model, prompt = foreign.values.get("model", ""), foreign.prompt
    return Found(
        path=path,
        kind=kind,
        created_s=created_s,
        width_px=size[0],
        height_px=size[1],
        model=_storable(model),
        seed=seed,
        title=_storable(path.stem if not home else Path(home).stem),
        prompt=_storable(prompt),
        day=time.strftime("%Y-%m-%d %B %A", time.localtime(created_s)),
        bytes=state[0],
        changed_ns=state[1],
        home=home,
    )


def _storable(text: str) -> str:
    """Names of files may hold bytes that are no text; SQLite takes only text."""
    return text.encode("utf-8", "replace").decode()


def _kind(container: Container, recipe: Recipe | None) -> Kind:
    if container == "gif":
        return "film"
    return "film" if container == "mp4" or (recipe is not None and recipe.request.path) else "picture"


def _created(recipe: Recipe | None, changed_s: float) -> float:
    if recipe is not None and recipe.created:
        try:
            return datetime.fromisoformat(recipe.created).timestamp()
        except (ValueError, OverflowError, OSError):
            return changed_s
    return changed_s


def _film_size(path: Path) -> tuple[int, int]:
    import av

    try:
        with av.open(str(path)) as film:
            stream = film.streams.video[0]
            return stream.codec_context.width, stream.codec_context.height
    except (OSError, ValueError, IndexError) as error:
        raise BadInputError(f"{path.name} is not a film: {error}.") from error
