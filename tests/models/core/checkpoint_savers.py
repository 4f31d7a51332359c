"""What the checkpoint crash tests run in a child: our saver, and a naive one that the same tests must catch."""

import tempfile
from pathlib import Path

import torch
from torch import nn

from models.core.average import Average
from models.core.checkpoint import STATE_NAME, TENSORS_NAME, CheckpointState, TrainState, save_checkpoint


def state_of(step: int) -> TrainState:
    """A training state whose every weight is ``step``."""
    network = nn.Conv2d(2, 3, 3)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(step)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 2, 3, 3)).sum().backward()
    optimizer.step()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(step)
    return TrainState(network, {"main": optimizer}, Average(network, 0.9), torch.Generator().manual_seed(step))


def warm() -> None:
    """Import what torch and safetensors only import at the first save."""
    with tempfile.TemporaryDirectory() as folder:
        save_step(folder, 0)


def save_step(folder: str, step: int) -> None:
    torch.set_num_threads(1)
    save_checkpoint(Path(folder), state_of(step), step=step, dataset="d", seconds=1.0)


def save_step_naively(folder: str, step: int) -> None:
    """One folder, overwritten in place."""
    import msgspec
    from safetensors.torch import save_file

    place = Path(folder) / "step-00000001"
    place.mkdir(parents=True, exist_ok=True)
    save_file(
        {f"model/{name}": value for name, value in state_of(step).network.state_dict().items()}, place / TENSORS_NAME
    )
    record = CheckpointState(1, step, "d", 1.0, {}, 0, "")
    (place / STATE_NAME).write_bytes(msgspec.json.encode(record))
