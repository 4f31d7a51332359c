"""The training protocol: a run folder and JSON lines, the only thing that window and trainer share besides packages.

``python -m models train RUN`` where ``RUN/`` holds::

    spec.json           RunSpec, written by whoever starts the run
    control.json        Control, written by the window (atomic replace), read by the trainer once a step
    events.jsonl        one TrainingEvent a line, appended by the trainer
    checkpoints/        step-NNNNNNNN/ folders, published by rename; the two newest are kept
    samples/            step-NNNNNNNN.png contact sheets on fixed seeds
    log.txt             stdout and stderr of the trainer
    pid                 process id and start time of the live trainer
    package/ID/         the finished package, published by rename after parity

State is read from the folder, never assumed: the window can close and re-attach, the trainer can be killed at any
instant and resumed to the same weights.
"""

from pathlib import Path
from typing import Literal

import msgspec

from studio.core.params import Value

SPEC_NAME = "spec.json"
CONTROL_NAME = "control.json"
EVENTS_NAME = "events.jsonl"
LOG_NAME = "log.txt"
PID_NAME = "pid"
CHECKPOINTS = "checkpoints"
SAMPLES = "samples"
PACKAGE = "package"


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Immutable, unknown keys refused."""


class RunSpec(_Part, frozen=True, omit_defaults=True):
    """What to train.

    Attributes:
        family: such as ``DDM``.
        dataset: prepared data folder (see `studio.core.dataset`) that holds ``items.jsonl``.
        base: folder of the base package to fine-tune, or empty to train from nothing.
        package_id, package_name: identity of the result.
        config: overrides of the family's network Config; empty for a fine-tune.
        settings: hyper-parameters: ``steps``, ``batch``, ``learning_rate``, ``seed``, ``ema`` ...
        consent: the artist's note on the rights to the data.
        threads: CPU threads; 0 lets the trainer choose.
    """

    family: str
    dataset: str
    package_id: str
    package_name: str
    base: str = ""
    config: dict[str, Value | list[int]] = {}
    settings: dict[str, Value] = {}
    licence: str = ""
    consent: str = ""
    threads: int = 0


class Control(_Part, frozen=True, omit_defaults=True):
    """What the window wants of the trainer. Counters ask once each time they grow."""

    action: Literal["run", "pause", "stop"] = "run"
    sample_requests: int = 0
    export_requests: int = 0


Phase = Literal["starting", "measuring", "training", "paused", "exporting", "checking", "finished", "stopped", "failed"]


class TrainingEvent(_Part, frozen=True, omit_defaults=True):
    """One line of ``events.jsonl``. Only the fields that belong to ``kind`` are set.

    kinds: ``phase`` (phase, message, hint), ``loss`` (step, total, losses, seconds_left, memory_mb),
    ``sample`` (step, file), ``checkpoint`` (step), ``heartbeat``, ``fit`` (step_ms, memory_mb, seconds_left),
    ``parity`` (message), ``moved`` (value: relative change of the weights), ``package`` (file: folder of the package).
    """

    kind: Literal["phase", "loss", "sample", "checkpoint", "heartbeat", "fit", "parity", "moved", "package", "metric"]
    time_s: float
    step: int = 0
    total: int = 0
    phase: Phase | None = None
    message: str = ""
    hint: str = ""
    losses: dict[str, float] = {}
    seconds_left: float = -1.0
    memory_mb: float = 0.0
    step_ms: float = 0.0
    value: float = 0.0
    file: str = ""


def read_events(run: Path, *, offset: int = 0) -> tuple[list[TrainingEvent], int]:
    """Whole lines of ``events.jsonl`` from byte ``offset`` on, and the offset after them.

    A last line without its newline (a trainer killed while writing) is left for the next call; a line that does not
    parse is skipped.
    """
    try:
        with (run / EVENTS_NAME).open("rb") as stream:
            stream.seek(offset)
            data = stream.read()
    except FileNotFoundError:
        return [], offset
    end = data.rfind(b"\n") + 1
    events: list[TrainingEvent] = []
    for line in data[:end].splitlines():
        try:
            events.append(msgspec.json.decode(line, type=TrainingEvent))
        except (msgspec.MsgspecError, ValueError):
            continue
    return events, offset + end
