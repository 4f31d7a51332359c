"""Train, export and measure runs, and make the starter packages."""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
import psutil

from studio.core.errors import CancelledError, StudioError, TrainingError
from studio.core.protocol import PID_NAME, Phase, TrainingEvent
from studio.core.quiet import silence

if TYPE_CHECKING:
    from models.core.events import Emitter
    from models.core.loop import Trainer
    from models.core.steering import Steering

_RUN = click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
_DEVICE = click.option(
    "--device", default="", help="cpu or cuda; left out, a graphics card is taken where there is one."
)
_log = logging.getLogger("models")


@click.group(help=__doc__)
def main() -> None:
    """The trainer's command line."""
    silence()  # before anything imports onnxruntime
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


@main.command()
@_RUN
@_DEVICE
def train(run: Path, device: str) -> None:
    """Train RUN (a folder with spec.json), or go on from its last checkpoint, and make its package."""
    from models.core.steering import terminable
    from models.export.finish import publish_run
    from models.export.publish import Description
    from models.starters.playing import play

    with _alone(run), _told(run) as emitter:
        steering = _steering(run)
        with terminable(steering):
            _phase(emitter, "starting")
            trainer = _trainer(run, emitter, steering, device)
            ended = trainer.run()
            if ended.phase == "stopped":
                raise CancelledError
            publish_run(trainer, description=Description(), play=play)
            _phase(emitter, "finished", step=ended.step)


@main.command()
@_RUN
@_DEVICE
def export(run: Path, device: str) -> None:
    """Make the package of RUN's last checkpoint."""
    from models.core.steering import terminable
    from models.export.finish import publish_run
    from models.export.publish import Description
    from models.starters.playing import play

    with _alone(run), _told(run) as emitter:
        steering = _steering(run)
        with terminable(steering):
            _phase(emitter, "starting")
            trainer = _trainer(run, emitter, steering, device)
            trainer.resume()
            if trainer.step == 0:
                raise TrainingError("This run has no checkpoint to export yet.", "Train it first.")
            publish_run(trainer, description=Description(), play=play)
            _phase(emitter, "stopped", step=trainer.step, message="Exported the last checkpoint.")


@main.command()
@_RUN
@_DEVICE
def measure(run: Path, device: str) -> None:
    """Take a few steps of RUN that are thrown away: time per step, memory, time in all."""
    from models.core.measure import measure as measure_job
    from models.core.setup import prepare, read_spec
    from models.families import family

    with _alone(run), _told(run) as emitter:
        _phase(emitter, "measuring")
        spec = read_spec(run)
        job = prepare(run, spec, family(spec.family), device=device)
        measure_job(job, emitter=emitter, steering=_steering(run))
        _phase(emitter, "stopped", message="Measured.")


@main.command(context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def starters(arguments: tuple[str, ...]) -> None:
    """Make the packages that Reverie comes with; see `starters --help`."""
    from models.starters.command import main as make

    make(list(arguments))


def _trainer(run: Path, emitter: "Emitter", steering: "Steering", device: str) -> "Trainer":
    from models.core.loop import Trainer
    from models.core.setup import prepare, read_spec
    from models.families import family

    spec = read_spec(run)
    job = prepare(run, spec, family(spec.family), device=device)
    return Trainer(job, emitter=emitter, steering=steering, export=_export_now)


def _export_now(trainer: "Trainer") -> None:
    """Make a package in the middle of a run; a failure is told, and the training goes on."""
    from models.export.finish import publish_run
    from models.export.publish import Description
    from models.starters.playing import play

    try:
        publish_run(trainer, description=Description(), play=play)
    except CancelledError:
        return
    except StudioError as error:
        _log.error("%s", error)
        _phase(trainer.emitter, "exporting", step=trainer.step, message=error.message, hint=error.hint)


def _steering(run: Path) -> "Steering":
    from models.core.steering import Steering

    return Steering(run, since_s=psutil.Process().create_time())


@contextmanager
def _told(run: Path) -> "Iterator[Emitter]":
    """An emitter; however the work ends, the last event says so. Exit code 1 when it failed."""
    from models.core.events import Emitter
    from models.core.progress import Display

    display = Display()
    emitter = Emitter(run, heard=display)
    try:
        yield emitter
    except CancelledError:
        _phase(emitter, "stopped", message="Stopped; it can be resumed from its last checkpoint.")
    except StudioError as error:
        _log.error("%s", error)
        _phase(emitter, "failed", message=error.message, hint=error.hint)
        sys.exit(1)
    except Exception as error:  # noqa: BLE001  the training entry is one of the three places that may
        _log.exception("unexpected error")
        _phase(emitter, "failed", message=f"Something unexpected went wrong: {error}.", hint="The log has the details.")
        sys.exit(1)
    finally:
        emitter.close()
        display.close()


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    """Hold the run's pid file: JSON ``[process id, start time in seconds since the epoch]``.

    A second trainer ends here, before it says a word into the events of the first.
    """
    from studio.runtime.atomic import write_bytes

    path = run / PID_NAME
    if _alive(path):
        raise click.ClickException("This run is being trained already. Wait for it, or stop it first.")
    write_bytes(path, msgspec.json.encode((os.getpid(), psutil.Process().create_time())))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _alive(path: Path) -> bool:
    try:
        pid, started_s = msgspec.json.decode(path.read_bytes(), type=tuple[int, float])
        return pid != os.getpid() and abs(psutil.Process(pid).create_time() - started_s) < 1
    except (OSError, msgspec.MsgspecError, psutil.Error):
        return False


def _phase(emitter: "Emitter", phase: Phase, *, step: int = 0, message: str = "", hint: str = "") -> None:
    emitter.emit(TrainingEvent("phase", time.time(), phase=phase, step=step, message=message, hint=hint))


if __name__ == "__main__":
    main()
