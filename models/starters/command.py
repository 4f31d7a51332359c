"""``python -m models starters NAME``: prepare, train, measure and publish a package that Reverie comes with."""

import copy
import os
import statistics
import time
from pathlib import Path

import click
import psutil
import torch

from models.core.data import draw_indices
from models.core.events import Emitter
from models.core.family import StepContext
from models.core.loop import Trainer
from models.core.setup import Job, prepare, read_spec
from models.core.steering import Steering, terminable
from models.families import family
from models.starters.playing import play
from models.starters.preparation import prepare_data, prepare_run
from models.starters.publication import install, measured_package, snapshot
from models.starters.recipes import RECIPES
from studio.core.manifest import Metric
from studio.core.protocol import SPEC_NAME, TrainingEvent

PROBE_ROUNDS = 6


@click.command()
@click.argument("name", type=click.Choice(list(RECIPES)))
@click.option("--minutes", type=float, help="Training time; the steps are planned from a probe of the speed.")
@click.option("--steps", type=int, help="Steps in all, instead of minutes.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder of data sets; default REVERIE_DATA or ./data.")
@click.option("--work", type=click.Path(path_type=Path), help="Work folder; default ~/.cache/reverie-starters/NAME.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("resources/packages"), show_default=True)
@click.option("--threads", type=int, default=0, help="Processor threads; 0 lets the trainer choose.")
@click.option("--evaluate", is_flag=True, help="Measure and publish the newest checkpoint without training.")
@click.option("--publish-now", is_flag=True, help="The same from a copy, while the run goes on training elsewhere.")
def main(
    *,
    name: str,
    minutes: float | None,
    steps: int | None,
    data: Path | None,
    work: Path | None,
    out: Path,
    threads: int,
    evaluate: bool,
    publish_now: bool,
) -> None:
    """Make the starter package NAME. A run that exists already is resumed."""
    recipe = RECIPES[name]
    work = work or Path.home() / ".cache" / "reverie-starters" / name
    dataset, run = work / "data", work / "run"
    prepare_data(recipe, data or Path(os.environ.get("REVERIE_DATA", "data")), dataset)
    if publish_now:
        snapshot(run, work / "snapshot")
        run = work / "snapshot"
    elif not evaluate:
        planned = steps or (0 if (run / SPEC_NAME).exists() else -1)
        if planned:
            prepare_run(recipe, dataset, run, steps=max(planned, 1), threads=threads)
        if planned < 0:
            planned = planned_steps(_job(run), minutes or recipe.minutes)
            prepare_run(recipe, dataset, run, steps=planned, threads=threads)
        if not _train(run):
            click.echo("stopped; the same command goes on")
            return
    folder, metrics = measured_package(recipe, run, work, play=play)
    click.echo(figures_table(metrics))
    click.echo(f"{install(folder, out)}  (contact sheet: {work / 'sheet.png'})")


def figures_table(metrics: tuple[Metric, ...]) -> str:
    """One line per figure: value, baseline, whether it is beaten."""
    return "\n".join(
        f"{'ok ' if m.beats_baseline else 'BAD'} {m.name}: {m.value:g} ({m.better} is better; {m.baseline_name}: "
        f"{m.baseline:g}). {m.note}"
        for m in metrics
    )


def planned_steps(job: Job, minutes: float) -> int:
    """How many steps fit into ``minutes`` at the speed of a few real ones on a copy of the network."""
    network = copy.deepcopy(job.network).train()
    optimizers = job.family.optimizers(network, job.settings)
    rng = torch.Generator(job.device).manual_seed(0)
    batch = int(job.settings["batch"])
    times: list[float] = []
    for step in range(PROBE_ROUNDS):
        started = time.monotonic()
        rows = draw_indices(step, items=job.data.count("train"), batch=batch, seed=0)
        context = StepContext(step, PROBE_ROUNDS, rng, job.settings)
        for loss in job.family.losses(network, job.data.batch("train", rows), context):
            network.zero_grad(set_to_none=True)
            loss.value.backward()
            optimizers[loss.optimizer].step()
        times.append(time.monotonic() - started)
    return max(1, round(60 * minutes / statistics.median(times[1:])))


def _job(run: Path) -> Job:
    spec = read_spec(run)
    return prepare(run, spec, family(spec.family))


def _train(run: Path) -> bool:
    """Train to the end; False when it was stopped before."""
    emitter = Emitter(run, heard=_echo)
    steering = Steering(run, since_s=psutil.Process().create_time())
    try:
        with terminable(steering):
            return Trainer(_job(run), emitter=emitter, steering=steering).run().phase == "finished"
    finally:
        emitter.close()


def _echo(event: TrainingEvent) -> None:
    if event.kind in ("sample", "metric", "checkpoint"):
        told = "  ".join(f"{key} {value:.4g}" for key, value in event.losses.items())
        click.echo(f"{event.kind} at step {event.step}  {event.file}{told}")
