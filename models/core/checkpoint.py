"""Checkpoints: everything a run needs to go on to the same weights, written whole or not at all.

``checkpoints/step-NNNNNNNN/`` holds ``state.safetensors`` (network, moving average, optimisers, random generators) and
``state.json`` (step, sizes, sha256 of the former). The two newest are kept: when the newest is damaged, the one before
is loaded.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load as decode_tensors
from safetensors.torch import save as encode_tensors
from torch import Tensor, nn
from torch.optim import Optimizer

from models.core.average import Average
from studio.core.errors import StorageError, TrainingError
from studio.runtime.atomic import part_path, publish_folder, remove_folder, storage_error, sweep

FORMAT = 1
KEPT = 2
STATE_NAME = "state.json"
TENSORS_NAME = "state.safetensors"
_PREFIX = "step-"
T = TypeVar("T")


class CheckpointState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``state.json``.

    Attributes:
        step: optimiser rounds done.
        dataset: digest of the data set; another one gives other batches.
        seconds: time spent training so far.
        scalars: optimiser figures that are no tensors, ``name/row/key`` to value.
        bytes, sha256: of ``state.safetensors``.
    """

    format: int
    step: int
    dataset: str
    seconds: float
    scalars: dict[str, float | int | bool]
    bytes: int
    sha256: str


@dataclass(frozen=True)
class TrainState:
    """The live objects that a checkpoint is taken of and restored into."""

    network: nn.Module
    optimizers: Mapping[str, Optimizer]
    average: Average | None
    rng: torch.Generator


def save_checkpoint(folder: Path, state: TrainState, *, step: int, dataset: str, seconds: float) -> Path:
    """Write the checkpoint of ``step`` into ``folder`` and drop all but the `KEPT` newest; returns its folder.

    Raises:
        StorageError: the disk is full or gone; the earlier checkpoints are whole.
    """
    tensors, scalars = _collected(state)
    data = encode_tensors(tensors)
    record = CheckpointState(
        FORMAT, step, dataset, round(seconds, 3), scalars, len(data), hashlib.sha256(data).hexdigest()
    )
    target = folder / f"{_PREFIX}{step:08d}"
    staging = part_path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        staging.mkdir()
        (staging / TENSORS_NAME).write_bytes(data)
        (staging / STATE_NAME).write_bytes(msgspec.json.encode(record))
        publish_folder(staging, target)
    except OSError as error:
        raise storage_error(error, target, len(data)) from error
    finally:
        sweep(folder)
    with suppress(OSError, StorageError):  # saved it is; what is left over goes next time
        for old in checkpoints(folder)[KEPT:]:
            remove_folder(old)
    return target


def checkpoints(folder: Path) -> list[Path]:
    """Published checkpoints, newest first."""
    return sorted((path for path in folder.glob(f"{_PREFIX}*") if path.is_dir()), reverse=True)


def read_checkpoint(folder: Path) -> tuple[CheckpointState, dict[str, Tensor]] | None:
    """The newest whole checkpoint under ``folder``; None when there is none at all.

    Raises:
        TrainingError: there are checkpoints, and all are damaged.
    """
    sweep(folder)
    found = checkpoints(folder)
    for path in found:
        whole = _read(path)
        if whole is not None:
            return whole
    if found:
        raise TrainingError(
            f"All checkpoints in {folder} are damaged.", "Start the training again, or bring back a copy of the folder."
        )
    return None


def restore(state: TrainState, record: CheckpointState, tensors: Mapping[str, Tensor]) -> None:
    """Put a checkpoint into the live objects.

    Raises:
        TrainingError: it belongs to another network.
    """
    try:
        state.network.load_state_dict(_under(tensors, "model/"), strict=True)
        if state.average is not None:
            state.average.load(_under(tensors, "average/"))
        for name, optimizer in state.optimizers.items():
            _restore_optimizer(optimizer, f"optimizer/{name}/", record.scalars, tensors)
    except (RuntimeError, KeyError, ValueError) as error:
        raise TrainingError(
            "The checkpoint belongs to another network than the one to train.",
            "Start a new run for the changed settings.",
        ) from error
    state.rng.set_state(tensors["rng/step"])
    torch.set_rng_state(tensors["rng/torch"])


def _collected(state: TrainState) -> tuple[dict[str, Tensor], dict[str, float | int | bool]]:
    tensors = {f"model/{name}": value for name, value in state.network.state_dict().items()}
    scalars: dict[str, float | int | bool] = {}
    if state.average is not None:
        tensors.update({f"average/{name}": value for name, value in state.average.state().items()})
    for name, optimizer in state.optimizers.items():
        for row, entries in optimizer.state_dict()["state"].items():
            for key, value in entries.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer/{name}/{row}/{key}"] = value
                elif value is not None:
                    scalars[f"optimizer/{name}/{row}/{key}"] = value
    tensors["rng/step"] = state.rng.get_state()
    tensors["rng/torch"] = torch.get_rng_state()
    # Tied weights share memory, which safetensors refuses; channels-last ones are not contiguous.
    plain = torch.contiguous_format
    return {name: value.detach().cpu().clone(memory_format=plain) for name, value in tensors.items()}, scalars


def _restore_optimizer(
    optimizer: Optimizer, prefix: str, scalars: Mapping[str, float | int | bool], tensors: Mapping[str, Tensor]
) -> None:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    rows: dict[int, dict[str, Tensor | float | int | bool]] = {}
    for source in (_under(scalars, prefix), _under(tensors, prefix)):
        for name, value in source.items():
            row, _, key = name.partition("/")
            rows.setdefault(int(row), {})[key] = _laid_out(value, parameters[int(row)])
    optimizer.load_state_dict({"state": rows, "param_groups": optimizer.state_dict()["param_groups"]})


def _laid_out(value: "Tensor | float | int | bool", parameter: Tensor) -> "Tensor | float | int | bool":
    """``value`` in the memory layout of its parameter, so that the same kernels run as before and round alike."""
    if isinstance(value, Tensor) and value.shape == parameter.shape:
        return torch.empty_like(parameter, dtype=value.dtype).copy_(value)
    return value


def _under(entries: Mapping[str, T], prefix: str) -> dict[str, T]:
    return {name[len(prefix) :]: value for name, value in entries.items() if name.startswith(prefix)}


def _read(path: Path) -> tuple[CheckpointState, dict[str, Tensor]] | None:
    """None when the checkpoint is damaged."""
    try:
        record = msgspec.json.decode((path / STATE_NAME).read_bytes(), type=CheckpointState)
        data = (path / TENSORS_NAME).read_bytes()
        if record.format != FORMAT or hashlib.sha256(data).hexdigest() != record.sha256:
            return None
        return record, decode_tensors(data)
    except (OSError, ValueError, msgspec.MsgspecError, SafetensorError):
        return None
