"""Did a fine-tune help? The base model and the result, measured on the same held-out pictures."""

import torch
from torch import nn

from models.core.base_package import load_weights
from models.core.setup import Job
from studio.core.manifest import Metric

SEED = 0


def compared(job: Job, network: nn.Module) -> tuple[Metric, ...]:
    """The figures of ``network`` on the held-out pictures beside those of its base model.

    Nothing when it was trained from nothing, no picture is held out, or the family has no comparable figure.
    """
    if job.base is None or not job.data.count("valid"):
        return ()
    base = job.family.build(job.config)
    load_weights(base, job.base)
    base.to(job.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    batch = job.data.held_out().to(job.device)
    with torch.no_grad():
        before, after = (
            job.family.validate(each, job.config, batch, torch.Generator(job.device).manual_seed(SEED))
            for each in (base.eval(), network)
        )
    note = f"On {len(batch.images)} held-out pictures of its own data."
    return tuple(
        Metric(
            name=words,
            value=round(after[figure], 6),
            baseline=round(before[figure], 6),
            baseline_name=f"{job.base.manifest.name} before the training",
            better="lower",
            command="python -m models train RUN",
            seed=SEED,
            note=note,
        )
        for figure, words in job.family.judged_by.items()
    )
