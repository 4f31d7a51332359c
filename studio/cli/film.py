"""``reverie generate film``: a journey from seed to seed."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from studio.cli.generate import controls_from, labels_from, make_folder
from studio.cli.output import Say, stoppable
from studio.cli.workshop import open_workshop
from studio.core.errors import BadInputError, CancelledError
from studio.core.events import FrameMade, RunFacts, Step
from studio.core.gallery import Entry
from studio.core.package import Package
from studio.core.recipe import Recipe
from studio.core.requests import SEED_LIMIT, ImageRequest, Point
from studio.runtime.recipes import make_recipe
from studio.runtime.results import FilmResult


@dataclass(frozen=True)
class FilmWish:
    """What was asked for on the command line, unchecked; ``seeds`` are separated by commas."""

    model_id: str
    seeds: str
    frames: int = 24
    fps: int = 24
    loop: bool = False
    labels: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    out: Path | None = None
    device: str = ""


@dataclass(frozen=True)
class _NamedFile:
    """A `studio.runtime.results.FilmHome` that is one file of the person's choice, outside the gallery."""

    path: Path

    def film_path(self, recipe: Recipe) -> AbstractContextManager[Path]:
        del recipe
        return nullcontext(self.path)

    def finished_film(self, path: Path, recipe: Recipe, size: tuple[int, int]) -> Entry:
        return Entry(0, str(path), "film", datetime.fromisoformat(recipe.created).timestamp(), *size)


def make_film(wish: FilmWish, say: Say) -> None:
    """Make the film and say where it lies; after Ctrl-C what is done so far is kept when it still is a film.

    Raises:
        StudioError: the model, a seed, a control or the file cannot be used; `CancelledError` after Ctrl-C.
    """
    workshop = open_workshop()
    package = workshop.catalogue.get(wish.model_id)
    request = _request(wish, package)
    if wish.out is not None:
        make_folder(wish.out.parent)
    engine = workshop.engine(wish.device)
    film: FilmResult | None = None
    with stoppable() as token, say.progress() as bars:
        task = bars.add_task(package.manifest.name, total=None)
        try:
            for event in engine.run(request, token):
                if isinstance(event, Step):
                    bars.update(task, completed=event.index, total=event.total)
                elif isinstance(event, FrameMade):
                    if film is None:
                        recipe = _recipe(request, engine.facts() or RunFacts(""), package)
                        film = FilmResult(_NamedFile(wish.out) if wish.out else workshop.results(), recipe, scale=0)
                    film.add(event.pixels)
            assert film is not None  # a path of two places has frames
            entry, frames = film.finish(), film.frames
        except CancelledError:
            if film is not None and (kept := film.keep()) is not None:
                say.remark(f"Kept so far: {kept.path}")
            raise
        except BaseException:
            if film is not None:
                film.abort()
            raise
    say.fact({"path": entry.path, "model": package.manifest.id, "frames": frames}, entry.path)


def _request(wish: FilmWish, package: Package) -> ImageRequest:
    manifest = package.manifest
    seeds = _seeds(wish.seeds)
    return ImageRequest(
        manifest.id,
        seeds[0],
        package.sha256,
        controls=controls_from(wish.values, manifest.controls),
        labels=labels_from(wish.labels, manifest.labels),
        path=tuple(Point(seed=seed) for seed in seeds),
        frames=wish.frames,
        loop=wish.loop,
        fps=wish.fps,
        film_format=_format(wish.out),
    )


def _seeds(words: str) -> list[int]:
    try:
        seeds = [int(word) for word in words.split(",")]
    except ValueError:
        raise BadInputError(f"{words!r} are not seeds.", "Write whole numbers with commas: --seeds 1,2,3") from None
    if len(seeds) < 2:
        raise BadInputError("A film needs at least two seeds to travel between.", "For example: --seeds 1,2,3")
    if any(not 0 <= seed < SEED_LIMIT for seed in seeds):
        raise BadInputError(f"A seed is outside 0 to {SEED_LIMIT - 1}.", "Choose other seeds.")
    return seeds


def _format(out: Path | None) -> Literal["gif", "mp4"]:
    suffix = ".mp4" if out is None else out.suffix.lower()
    if suffix == ".gif":
        return "gif"
    if suffix == ".mp4":
        return "mp4"
    raise BadInputError(f"A film cannot be written as {suffix or 'a file without a suffix'}.", "Use .mp4 or .gif.")


def _recipe(request: ImageRequest, facts: RunFacts, package: Package) -> Recipe:
    return make_recipe(
        request,
        facts,
        model_name=package.manifest.name,
        model_sha256=package.sha256,
        created=datetime.now().astimezone(),
    )
