"""``reverie generate image`` and ``reverie tour``."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.progress import Progress, TaskID

from studio.cli.output import Say, stoppable
from studio.cli.workshop import Workshop, open_workshop
from studio.core.cancel import CancelToken
from studio.core.errors import BadInputError, PackageError
from studio.core.events import Done, PictureMade, RunFacts, Step
from studio.core.package import Package
from studio.core.params import Param, Value, checked_values
from studio.core.requests import SEED_LIMIT, ImageRequest
from studio.runtime.atomic import storage_error, write_bytes
from studio.runtime.engine import Engine
from studio.runtime.pictures import read_picture
from studio.runtime.pixels import fitted_picture
from studio.runtime.recipes import SUFFIXES, PictureFormat, make_recipe, picture_bytes, pixels_hash
from studio.runtime.results import Results

_FORMATS: dict[str, PictureFormat] = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line, unchecked."""

    model_id: str
    seed: int | None = None
    count: int = 1
    labels: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    source: Path | None = None
    strength: float = 0.6
    mask: Path | None = None
    out: Path | None = None
    device: str = ""


def flags_as_values(arguments: Sequence[str]) -> tuple[str, ...]:
    """``--steps 20`` or ``--steps=20`` as ``steps=20``, for controls that only the model knows.

    Raises:
        BadInputError: a word that belongs to no flag, or a flag without a value.
    """
    found: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--") or len(word) < 3:
            raise BadInputError(f"{word!r} belongs to no option.", "Write controls as --name value.")
        name, equals, value = word[2:].partition("=")
        if not equals:
            if not rest:
                raise BadInputError(f"--{name} needs a value.", "Write controls as --name value.")
            value = rest.pop(0)
        found.append(f"{name}={value}")
    return tuple(found)


def make_images(wish: Wish, say: Say) -> None:
    """Make what was asked for; every picture is saved the moment it exists.

    Raises:
        StudioError: the model, a control or a file cannot be used; `CancelledError` after Ctrl-C.
    """
    workshop = open_workshop()
    package = workshop.catalogue.get(wish.model_id)
    request = _request(wish, package, workshop)
    if wish.seed is None:
        say.remark(f"Seed {request.seed}.")
    save = _Saver(workshop, package, wish.out, many=wish.count > 1)
    with stoppable() as token, say.progress() as bars:
        task = bars.add_task(package.manifest.name, total=None)
        for made, facts in _pictures(workshop.engine(wish.device), request, token, bars, task):
            path = save(made, facts)
            say.fact(_fields(path, made, facts), str(path))


def make_tour(out: Path, seed: int, say: Say) -> None:
    """One result of each starter into ``out``; of every model when there are no starters.

    Raises:
        PackageError: there is no model at all.
        StudioError: a model cannot be used.
    """
    workshop = open_workshop()
    packages = workshop.catalogue.scan().packages
    chosen = [package for package in packages if package.bundled] or list(packages)
    if not chosen:
        raise PackageError("There are no models here.", "Import one: reverie import FILE.reverie")
    make_folder(out)
    engine = workshop.engine()
    with stoppable() as token, say.progress() as bars:
        whole = bars.add_task("Tour", total=len(chosen))
        for listed in chosen:
            package = workshop.catalogue.get(listed.manifest.id)
            labels = {package.manifest.labels[0]: 1.0} if package.manifest.labels else {}
            request = ImageRequest(package.manifest.id, seed, package.sha256, labels=labels)
            save = _Saver(workshop, package, out / f"{package.manifest.id}.png", many=False)
            task = bars.add_task(package.manifest.name, total=None)
            for made, facts in _pictures(engine, request, token, bars, task):
                path = save(made, facts)
                say.fact(_fields(path, made, facts), str(path))
            bars.remove_task(task)
            bars.advance(whole)


class _Saver:
    """Saves pictures with their recipe: in a named file, in a named folder, or in the person's results."""

    def __init__(self, workshop: Workshop, package: Package, out: Path | None, *, many: bool) -> None:
        self._package = package
        self._out = out
        self._many = many
        self._format: PictureFormat = workshop.settings.save_format
        self._results: Results | None = None
        if out is None:
            self._results = workshop.results()
        elif out.suffix.lower() in _FORMATS and not out.is_dir():
            make_folder(out.parent)
        else:
            make_folder(out)

    def __call__(self, made: PictureMade, facts: RunFacts) -> Path:
        manifest = self._package.manifest
        if self._results is not None:
            entry = self._results.save_picture(
                made, facts, model_name=manifest.name, model_sha256=self._package.sha256, format=self._format
            )
            return Path(entry.path)
        path = self._path(made)
        recipe = make_recipe(
            made.request,
            facts,
            model_name=manifest.name,
            model_sha256=self._package.sha256,
            created=datetime.now().astimezone(),
            pixels=made.pixels,
        )
        write_bytes(path, picture_bytes(made.pixels, _FORMATS[path.suffix.lower()], recipe))
        return path

    def _path(self, made: PictureMade) -> Path:
        assert self._out is not None
        seed = made.request.seed
        if self._out.is_dir():
            return self._out / f"{self._package.manifest.id}_seed{seed}{SUFFIXES[self._format]}"
        return self._out.with_stem(f"{self._out.stem}_seed{seed}") if self._many else self._out


def _pictures(
    engine: Engine, request: ImageRequest, token: CancelToken, bars: Progress, task: TaskID
) -> Iterator[tuple[PictureMade, RunFacts]]:
    """Every picture as it is made, with what is known of the run by then; the bar follows."""
    for event in engine.run(request, token):
        facts = engine.facts() or RunFacts("")
        if isinstance(event, Step):
            bars.update(task, completed=event.index, total=event.total)
        elif isinstance(event, PictureMade):
            yield event, facts
        elif isinstance(event, Done) and event.facts.reason:
            bars.console.print(event.facts.reason, style="dim", markup=False)


def _request(wish: Wish, package: Package, workshop: Workshop) -> ImageRequest:
    manifest = package.manifest
    seed = random.SystemRandom().randrange(2**31) if wish.seed is None else wish.seed
    if not 0 <= seed < SEED_LIMIT:
        raise BadInputError(f"The seed {seed} is outside 0 to {SEED_LIMIT - 1}.", "Choose another seed.")
    if not 0 <= wish.strength <= 1:
        raise BadInputError(f"The strength {wish.strength:g} is outside 0 to 1.", "0 keeps the source, 1 ignores it.")
    if wish.mask is not None and wish.source is None:
        raise BadInputError("A mask needs a source picture.", "Give one with --source.")
    return ImageRequest(
        manifest.id,
        seed,
        package.sha256,
        count=wish.count,
        controls=controls_from(wish.values, manifest.controls),
        labels=labels_from(wish.labels, manifest.labels),
        source=_kept(wish.source, package, workshop) if wish.source else "",
        strength=wish.strength,
        mask=_kept(wish.mask, package, workshop) if wish.mask else "",
    )


def controls_from(values: Sequence[str], params: tuple[Param, ...]) -> dict[str, Value]:
    """``name=value`` words as checked values; only those that were given.

    Raises:
        BadInputError: an unknown name or a value out of range.
    """
    given: dict[str, Value] = {}
    for word in values:
        name, equals, value = word.partition("=")
        if not equals:
            raise BadInputError(f"{word!r} is not of the form name=value.", "For example: --set steps=20")
        known = {param.name for param in params}
        given[name if name in known else name.replace("-", "_")] = value
    checked = checked_values(params, given)
    return {name: checked[name] for name in given}


def labels_from(words: Sequence[str], known: tuple[str, ...]) -> dict[str, float]:
    """``name`` or ``name=weight`` words as weights by class.

    Raises:
        BadInputError: an unknown class, or a weight that is no number.
    """
    weights: dict[str, float] = {}
    for word in words:
        name, _, weight = word.rpartition("=") if "=" in word and word not in known else (word, "", "1")
        if name not in known:
            raise BadInputError(
                f"This model has no class called {name!r}.", f"It has: {', '.join(known) if known else 'none'}."
            )
        try:
            weights[name] = float(weight)
        except ValueError:
            raise BadInputError(
                f"The weight of {name!r} is not a number: {weight!r}.", "For example: cat=0.5"
            ) from None
    return weights


def _kept(path: Path, package: Package, workshop: Workshop) -> str:
    pixels = read_picture(path)
    size = package.manifest.size
    if size is not None:
        pixels = fitted_picture(pixels, width_px=size.width_px, height_px=size.height_px)
    return workshop.inputs.put(pixels)


def make_folder(folder: Path) -> None:
    """Make a folder with those above it; raises `StorageError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, folder, 0) from error


def _fields(path: Path, made: PictureMade, facts: RunFacts) -> dict[str, object]:
    return {
        "path": str(path),
        "model": made.request.package,
        "seed": made.request.seed,
        "pixels_sha256": pixels_hash(made.pixels),
        "provider": facts.provider,
    }
