"""``python -m models``: train, export and measure a run, or make the starter packages."""

from studio.core.quiet import silence

silence()

import logging  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING  # noqa: E402

import click  # noqa: E402
import msgspec  # noqa: E402
import psutil  # noqa: E402

from studio.core.errors import StudioError, TrainingError  # noqa: E402
from studio.core.protocol import PID_NAME, Phase, RunSpec, TrainingEvent  # noqa: E402

if TYPE_CHECKING:
    from models.core.events import Emitter
    from models.core.family import Family
    from models.core.setup import Job

RUN = click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
_log = logging.getLogger("models")


@click.group(help=__doc__)
def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


@main.command(help="Train RUN (a folder with spec.json) or go on from its last checkpoint.")
@RUN
@click.option("--device", default="", help="cpu or cuda; by itself it takes a graphics card when there is one.")
def train(run: Path, device: str) -> None:
    from models.core.loop import Trainer
    from models.core.steering import Steering, terminable

    with _told(run) as emitter, _alone(run):
        steering = Steering(run, since_s=psutil.Process().create_time())
        with terminable(steering):
            _phase(emitter, "starting")
            trainer = Trainer(_prepared(run, device), emitter=emitter, steering=steering)
            ended = trainer.run()
            _phase(emitter, ended.phase, step=ended.step)


def _prepared(run: Path, device: str) -> "Job":
    from models.core.setup import prepare, read_spec

    spec = read_spec(run)
    return prepare(run, spec, _family(spec), device=device)


def _family(spec: RunSpec) -> "Family":
    from models.families import FAMILIES

    family = FAMILIES.get(spec.family)
    if family is None:
        raise TrainingError(f"There is no family {spec.family!r}.", f"Choose one of: {', '.join(sorted(FAMILIES))}.")
    return family() if isinstance(family, type) else family


@contextmanager
def _told(run: Path) -> "Iterator[Emitter]":
    """An emitter; whatever goes wrong ends as one ``failed`` event and exit code 1."""
    from models.core.events import Emitter

    emitter = Emitter(run, heard=_print if sys.stdout.isatty() else None)
    try:
        yield emitter
    except StudioError as error:
        _phase(emitter, "failed", message=error.message, hint=error.hint)
        _log.error("%s", error)
        raise SystemExit(1) from None
    except Exception as error:
        _log.exception("unexpected error")
        _phase(emitter, "failed", message=f"Something unexpected went wrong: {error}.", hint="The log has the details.")
        raise SystemExit(1) from None
    finally:
        emitter.close()


@contextmanager
def _alone(run: Path) -> Iterator[None]:
    """Hold the run's pid file: JSON ``[process id, start time in seconds]``."""
    from studio.runtime.atomic import write_bytes

    path = run / PID_NAME
    try:
        pid, started_s = msgspec.json.decode(path.read_bytes(), type=tuple[int, float])
        alive = pid != os.getpid() and abs(psutil.Process(pid).create_time() - started_s) < 1
    except (OSError, msgspec.MsgspecError, psutil.Error):
        alive = False
    if alive:
        raise TrainingError("This run is being trained already.", "Wait for it, or stop it first.")
    write_bytes(path, msgspec.json.encode((os.getpid(), psutil.Process().create_time())))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _phase(emitter: "Emitter", phase: Phase, *, step: int = 0, message: str = "", hint: str = "") -> None:
    emitter.emit(TrainingEvent("phase", time.time(), phase=phase, step=step, message=message, hint=hint))


def _print(event: TrainingEvent) -> None:
    if event.kind == "loss":
        losses = "  ".join(f"{name} {value:.4g}" for name, value in event.losses.items())
        click.echo(f"step {event.step} of {event.total}  {losses}  {event.seconds_left:.0f} s left")
    elif event.kind == "phase":
        click.echo(f"{event.phase} {event.message} {event.hint}".strip())


if __name__ == "__main__":
    main()
