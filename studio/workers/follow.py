"""Runs a trainer as a child and follows it to its end: the command line's way. The window has `trainer.Supervisor`."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from studio.core.cancel import CancelToken
from studio.core.errors import CancelledError, TrainingError
from studio.core.protocol import CONTROL_NAME, EVENTS_NAME, LOG_NAME, Control, TrainingEvent, read_events
from studio.core.quiet import QUIET_ENVIRONMENT
from studio.runtime.atomic import write_bytes

_LOOK_S = 0.2
_ROOT = Path(__file__).resolve().parents[2]


Verb = Literal["train", "measure", "export"]


def trainer_command(verb: Verb, run: Path) -> list[str]:
    """The command line of the trainer."""
    return [sys.executable, "-m", "models", verb, str(run)]


def follow_trainer(
    run: Path,
    verb: Verb,
    *,
    heard: Callable[[TrainingEvent], None],
    cancel: CancelToken,
    command: Callable[[Verb, Path], list[str]] = trainer_command,
    stop_s: float = 30.0,
) -> None:
    """Run the trainer on a run folder and hand on every event until it ends.

    Cancelling asks the trainer to save a checkpoint and stop; it is killed when it does not within ``stop_s``, which
    costs the steps since its last checkpoint.

    Raises:
        TrainingError: it failed or died.
        CancelledError: it was stopped; the run can be resumed.
    """
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH", ""))))
    _, offset = read_events(run) if (run / EVENTS_NAME).exists() else ([], 0)
    write_bytes(run / CONTROL_NAME, msgspec.json.encode(Control()))
    last: TrainingEvent | None = None
    with (run / LOG_NAME).open("ab") as log:
        # A session of its own: Ctrl-C must reach us, not the trainer in the middle of a step.
        child = subprocess.Popen(
            command(verb, run),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **QUIET_ENVIRONMENT, "PYTHONPATH": path},
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    stop_at = 0.0
    try:
        while True:
            ended = child.poll() is not None
            events, offset = read_events(run, offset=offset)
            for event in events:
                last = event if event.kind == "phase" else last
                heard(event)
            if ended:
                break
            if cancel.cancelled and not stop_at:
                stop_at = time.monotonic() + stop_s
                write_bytes(run / CONTROL_NAME, msgspec.json.encode(Control("stop")))
            if stop_at and time.monotonic() > stop_at:
                child.kill()  # it does not even look for a wish, so it would not for a signal either
            time.sleep(_LOOK_S)
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()
    _tell_end(run, child.returncode, last, stopped=cancel.cancelled)


def _tell_end(run: Path, code: int, last: TrainingEvent | None, *, stopped: bool) -> None:
    if last is not None and last.phase == "failed":
        raise TrainingError(last.message or "The training failed.", last.hint)
    if stopped:
        raise CancelledError
    if code != 0:
        raise TrainingError(f"The trainer ended with code {code}.", f"Its words stand in {run / LOG_NAME}.")
