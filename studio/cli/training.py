"""``reverie train`` and ``reverie export``."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec
from rich.progress import Progress

from studio.cli.generate import controls_from
from studio.cli.output import Say, stoppable
from studio.cli.workshop import Workshop, open_workshop
from studio.core.cancel import CancelToken
from studio.core.errors import BadInputError, TrainingError
from studio.core.package import Package
from studio.core.params import Param, Value
from studio.core.protocol import PACKAGE, SPEC_NAME, RunSpec, TrainingEvent
from studio.core.wizard import FitMode, advise, package_id
from studio.runtime.atomic import storage_error, write_bytes
from studio.runtime.intake import understand
from studio.runtime.packages import SUFFIX, export_package
from studio.runtime.prepare import prepare
from studio.workers.follow import follow_trainer

_DATASET = "dataset"


@dataclass(frozen=True)
class TrainWish:
    """What was asked for on the command line, unchecked."""

    target: Path
    base: str = ""
    name: str = ""
    preset: str = ""
    values: tuple[str, ...] = ()
    fit: str = "crop"
    consent: str = ""


def train_model(wish: TrainWish, say: Say) -> None:
    """Train to the end and put the result into the library.

    Raises:
        StudioError: the data, the base or the run cannot be used; `CancelledError` after Ctrl-C, to be resumed.
    """
    workshop = open_workshop()
    with stoppable() as token, say.progress() as bars:
        fresh = not (wish.target / SPEC_NAME).is_file()
        run = _new_run(wish, workshop, say, bars=bars, token=token) if fresh else wish.target
        say.remark(f"The run lies in {run}. To go on after a stop: reverie train {run}")
        _follow(run, "train", say, bars=bars, token=token)
    _install(run, workshop, say)


def export_model(what: str, out: Path | None, say: Say) -> None:
    """Write a model as one file; of a run's folder, its newest weights.

    Raises:
        StudioError: there is no such model, the run has no checkpoint, the file cannot be written.
    """
    workshop = open_workshop()
    run = Path(what)
    if (run / SPEC_NAME).is_file():
        with stoppable() as token, say.progress() as bars:
            _follow(run, "export", say, bars=bars, token=token)
        package = _install(run, workshop, say)
        if out is None:
            return
    else:
        package = workshop.catalogue.get(what)
    target = out or Path(f"{package.manifest.id}{SUFFIX}")
    export_package(package, target)
    say.fact({"id": package.manifest.id, "path": str(target)}, str(target))


def _new_run(wish: TrainWish, workshop: Workshop, say: Say, *, bars: Progress, token: CancelToken) -> Path:
    """A run folder with its data set prepared, or an error before anything was made."""
    if not wish.base:
        names = ", ".join(
            package.manifest.id for package in workshop.catalogue.scan().packages if package.manifest.training
        )
        raise BadInputError(
            "Training needs a model to start from.", f"Choose one with --base: {names or 'none is here'}."
        )
    base = workshop.catalogue.get(wish.base)
    manifest = base.manifest
    training, size = manifest.training, manifest.size
    if training is None or size is None:
        raise BadInputError(f"{manifest.name!r} cannot be trained further.", "Choose another base.")
    settings = _settings(wish, base)
    look = bars.add_task("Looking at the files", total=None)
    found = understand([wish.target], _bar(bars, look), token)
    bars.remove_task(look)
    say.remark(found.sentence)
    for unused in found.unused[:10]:
        say.remark(f"Not used: {unused.shown} ({unused.reason})")
    remarks = advise(found, manifest)
    if stop := next((advice for advice in remarks if advice.stops), None):
        raise BadInputError(stop.text, training.layout)
    for advice in remarks:
        say.remark(advice.text)
    name = wish.name or found.name
    taken = {package.manifest.id for package in workshop.catalogue.scan().packages}
    identity = package_id(name, taken)
    run = workshop.paths.runs / f"{time.strftime('%Y%m%d-%H%M%S')}-{identity}"
    try:
        run.mkdir(parents=True)
    except OSError as error:
        raise storage_error(error, run, 0) from error
    task = bars.add_task("Preparing the pictures", total=None)
    prepared = prepare(
        found, size, run / _DATASET, mode=cast("FitMode", wish.fit), progress=_bar(bars, task), cancel=token
    )
    bars.remove_task(task)
    spec = RunSpec(
        family=manifest.family,
        dataset=str(prepared.folder.absolute()),
        package_id=identity,
        package_name=name,
        base=str(base.folder.absolute()),
        settings=settings,
        consent=wish.consent,
    )
    write_bytes(run / SPEC_NAME, msgspec.json.format(msgspec.json.encode(spec), indent=2) + b"\n")
    return run


def _settings(wish: TrainWish, base: Package) -> dict[str, Value]:
    training = base.manifest.training
    assert training is not None
    presets = {preset.name.lower(): preset for preset in training.presets}
    if wish.preset and wish.preset.lower() not in presets:
        raise BadInputError(
            f"There is no preset called {wish.preset!r}.", f"There are: {', '.join(presets) or 'none'}."
        )
    chosen = presets.get(wish.preset.lower()) or next(iter(presets.values()), None)
    values: dict[str, Value] = dict(chosen.values) if chosen else {}
    return values | _run_values(wish.values, training.params, values)


def _run_values(words: tuple[str, ...], params: tuple[Param, ...], preset: dict[str, Value]) -> dict[str, Value]:
    """``name=value`` words; what the package does not describe takes the type of the preset's value."""
    known = {param.name for param in params}
    described = tuple(word for word in words if word.partition("=")[0] in known)
    values = controls_from(described, params)
    for word in (word for word in words if word not in described):
        name, equals, text = word.partition("=")
        if not equals:
            raise BadInputError(f"{word!r} is not of the form name=value.", "For example: --set steps=500")
        like = preset.get(name)
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError:
            value = text
        if not isinstance(value, bool | int | float | str):
            raise BadInputError(f"{name} cannot be {text}.", "Give a number, a word, true or false.")
        values[name] = float(value) if isinstance(like, float) and isinstance(value, int) else value
    return values


def _follow(run: Path, verb: str, say: Say, *, bars: Progress, token: CancelToken) -> None:
    task = bars.add_task("Starting", total=None)

    def heard(event: TrainingEvent) -> None:
        if say.as_json:
            say.fact(msgspec.to_builtins(event), "")
        if event.kind == "phase":
            bars.update(task, description=(event.phase or "").capitalize())
        elif event.kind == "loss":
            figures = "  ".join(f"{name} {value:.4f}" for name, value in list(event.losses.items())[:3])
            bars.update(task, completed=event.step, total=event.total or None, description=f"Training  {figures}")
        elif event.message:
            say.remark(event.message)

    follow_trainer(run, "export" if verb == "export" else "train", heard=heard, cancel=token)


def _install(run: Path, workshop: Workshop, say: Say) -> Package:
    made = sorted(folder for folder in (run / PACKAGE).glob("*") if folder.is_dir() and not folder.name.startswith("."))
    if not made:
        raise TrainingError("The run ended without a package.", f"Its words stand in {run / 'log.txt'}.")
    package = workshop.catalogue.import_path(made[-1])
    fields = {"id": package.manifest.id, "name": package.manifest.name, "folder": str(package.folder), "run": str(run)}
    say.fact(fields, f"{package.manifest.name} is in the library as {package.manifest.id}.")
    return package


def _bar(bars: Progress, task: object) -> Callable[[int, int], None]:
    def progress(done: int, all_of_them: int) -> None:
        bars.update(task, completed=done, total=all_of_them or None)  # pyright: ignore[reportArgumentType]

    return progress
