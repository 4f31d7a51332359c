"""Will it fit? A few real steps on the real data, before the artist waits for hours."""

import time

from models.core.events import Emitter
from models.core.loop import Trainer, memory_mb
from models.core.setup import Job
from models.core.steering import Steering
from studio.core.protocol import TrainingEvent

_STEPS = 3


def measure(job: Job, *, emitter: Emitter, steering: Steering) -> TrainingEvent:
    """Take a few steps that are thrown away; emits and returns the ``fit`` event.

    The first step pays for memory and kernels that later ones find ready, so it is not counted.

    Raises:
        TrainingError: a batch does not fit into memory (the hint names a smaller one), or the loss is not a number.
    """
    trainer = Trainer(job, emitter=emitter, steering=steering)
    job.network.train()
    trainer.advance()
    started = time.perf_counter()
    for _ in range(_STEPS):
        trainer.advance()
    step_s = (time.perf_counter() - started) / _STEPS
    steps = int(job.settings["steps"])
    event = TrainingEvent(
        "fit", time.time(), total=steps, step_ms=step_s * 1000, memory_mb=memory_mb(), seconds_left=step_s * steps
    )
    emitter.emit(event)
    return event
