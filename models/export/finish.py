"""The last part of a run: from the trainer's weights to a visible package, told step by step."""

import time
from dataclasses import replace
from pathlib import Path

from models.core.loop import Trainer
from models.core.steering import abandonable
from models.export.comparison import compared
from models.export.publish import Description, Play, publish
from studio.core.manifest import ParityCheck
from studio.core.protocol import Phase, TrainingEvent


def publish_run(trainer: Trainer, *, description: Description, play: Play | None = None) -> Path:
    """Publish the current weights of ``trainer`` as the run's package; returns its folder.

    Raises:
        TrainingError: the weights are those of the base, or a graph differs from its original.
        StorageError: the disk is full or gone.
        CancelledError: stop was asked for; nothing is published.
    """

    def tell(phase: Phase) -> None:
        trainer.emitter.emit(TrainingEvent("phase", time.time(), step=trainer.step, phase=phase))

    tell("exporting")
    trainer.check_moved()
    with abandonable(trainer.steering), trainer.finished_weights() as network:
        if not description.metrics:
            description = replace(description, metrics=compared(trainer.job, network))
        folder, checks = publish(
            trainer.job,
            network,
            step=trainer.step,
            description=description,
            play=play,
            checking=lambda: tell("checking"),
        )
    trainer.emitter.emit(TrainingEvent("parity", time.time(), step=trainer.step, message=parity_sentence(checks)))
    file = str(folder.relative_to(trainer.job.run))
    trainer.emitter.emit(TrainingEvent("package", time.time(), step=trainer.step, file=file))
    return folder


def parity_sentence(checks: tuple[ParityCheck, ...]) -> str:
    """What was compared, in one line."""
    errors = [check.value for check in checks if check.limit > 0 and "PSNR" not in check.check]
    psnr = [check.value for check in checks if "PSNR" in check.check]
    words = f"{len(checks)} checks passed; largest relative error {max(errors, default=0.0):.1e}"
    return f"{words}; whole samples agree to {psnr[0]:.0f} dB." if psnr else f"{words}."
