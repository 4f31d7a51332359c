"""From the newest checkpoint of a starter's run to a measured package in the folder of bundled packages."""

import shutil
import time
from pathlib import Path

import psutil
import torch

from models.core.checkpoint import checkpoints
from models.core.events import Emitter
from models.core.family import Family
from models.core.loop import Trainer
from models.core.setup import prepare, read_spec
from models.core.sheets import sheet_labels, sheet_png
from models.core.steering import Steering
from models.export.finish import publish_run
from models.export.publish import Description, Play
from models.families import family
from models.starters.bench import SEED, make_bench
from models.starters.evaluation import Tested, evaluate
from models.starters.recipes import Recipe
from studio.core.errors import TrainingError
from studio.core.manifest import Metric, Preset, TrainingBlock
from studio.core.protocol import CHECKPOINTS, EVENTS_NAME, SPEC_NAME
from studio.runtime.atomic import publish_folder, write_bytes

SHEET_NAME = "sheet.png"
SHEET_ITEMS = 64


def snapshot(run: Path, target: Path) -> None:
    """Copy what an export needs of a run that may go on training: the settings and the newest checkpoint."""
    shutil.rmtree(target, ignore_errors=True)
    newest = next(iter(checkpoints(run / CHECKPOINTS)), None)
    if newest is None:
        raise TrainingError("This starter has no checkpoint yet.", "Let it train for a minute first.")
    (target / CHECKPOINTS).mkdir(parents=True)
    shutil.copytree(newest, target / CHECKPOINTS / newest.name)
    for name in (SPEC_NAME, EVENTS_NAME):
        shutil.copy2(run / name, target / name)


def measured_package(
    recipe: Recipe, run: Path, work: Path, *, play: Play | None = None, device: str = ""
) -> tuple[Path, tuple[Metric, ...]]:
    """Measure the newest checkpoint of ``run``, export it and return its package folder with the figures.

    A contact sheet for looking at is left in ``work``.

    Raises:
        TrainingError: there is no checkpoint, or the export differs from the original.
    """
    spec = read_spec(run)
    system = family(spec.family)
    emitter = Emitter(run)
    try:
        job = prepare(run, spec, system, device=device or "cpu")
        trainer = Trainer(job, emitter=emitter, steering=Steering(run, since_s=psutil.Process().create_time()))
        trainer.resume()
        if trainer.step == 0:
            raise TrainingError("This starter has no checkpoint yet.", "Train it first.")
        command = f"python -m models starters {recipe.id} --evaluate"
        with trainer.finished_weights() as network:
            with torch.no_grad():
                system.parts(network, job.config, job.data)  # fits the prior that samples are drawn from
            bench = make_bench(job.data, Path(spec.dataset), work)
            tested = Tested(system, network, job.config, job.data, command)
            metrics = evaluate(tested, bench)
            labels = sheet_labels(SHEET_ITEMS, len(job.data.facts.labels))
            seeds = list(range(SEED, SEED + SHEET_ITEMS))
            sheet = system.sample(network, job.config, seeds=seeds, labels=labels)
        write_bytes(work / SHEET_NAME, sheet_png(sheet))
        folder = publish_run(trainer, description=_description(recipe, system, metrics, step=trainer.step), play=play)
    finally:
        emitter.close()
    return folder, metrics


def install(package: Path, out: Path) -> Path:
    """Copy a package into ``out``, replacing the one of the same name in one step."""
    out.mkdir(parents=True, exist_ok=True)
    staging = out / f".{package.name}.{time.time_ns()}.part"
    shutil.copytree(package, staging)
    target = out / package.name
    publish_folder(staging, target)
    return target


def _description(recipe: Recipe, system: Family, metrics: tuple[Metric, ...], *, step: int) -> Description:
    defaults = {param.name: param.default for param in system.params}
    # A fine-tune starts from averaged weights: steps half as long keep what they know.
    kept = {"batch": int(defaults["batch"]), "learning_rate": float(defaults["learning_rate"]) / 2}
    presets = (
        Preset("Quick", "A first impression in a few minutes.", {"steps": 300, **kept}),
        Preset("Normal", "Clearly your pictures.", {"steps": 1500, **kept}),
        Preset("Long", "As close as this network gets.", {"steps": 6000, **kept}),
    )
    block = TrainingBlock(recipe.minimum_items, recipe.layout, presets, system.params)
    return Description(
        summary=recipe.summary,
        dataset=recipe.dataset,
        licence=recipe.licence,
        credit=recipe.credit,
        command=f"python -m models starters {recipe.id} --steps {step}",
        training=block,
        metrics=metrics,
    )
