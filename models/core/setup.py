"""From a run folder to the objects that a training needs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from models.core.base_package import Base, load_weights, open_base
from models.core.data import MemoryDataset, load_dataset
from models.core.family import Family
from models.core.settings import run_settings
from studio.core.errors import TrainingError
from studio.core.params import Value
from studio.core.protocol import SPEC_NAME, RunSpec


@dataclass(frozen=True)
class Job:
    """All of one run.

    Attributes:
        run: the run folder.
        settings: every setting of `models.core.settings.all_params`, checked.
        network: freshly built, or with the weights of ``base``; on ``device``.
        base: the package that is trained further; None from nothing.
    """

    run: Path
    spec: RunSpec
    family: Family
    data: MemoryDataset
    settings: dict[str, Value]
    config: Any
    network: nn.Module
    base: Base | None
    device: torch.device


def read_spec(run: Path) -> RunSpec:
    """The `RunSpec` of a run folder.

    Raises:
        TrainingError: ``spec.json`` is missing or cannot be read.
    """
    try:
        return msgspec.json.decode((run / SPEC_NAME).read_bytes(), type=RunSpec)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise TrainingError(f"The run at {run} cannot be read: {error}.", "Start a new run.") from error


def prepare(run: Path, spec: RunSpec, family: Family, *, device: str = "") -> Job:
    """Load the data, build the network and, for a fine-tune, fill it with the base weights.

    Args:
        run: the run folder.
        spec: what to train.
        family: the family that ``spec`` names.
        device: such as ``cpu`` or ``cuda``; empty takes a graphics card when there is one.

    Raises:
        StudioError: the data set, the base package or a setting cannot be used.
    """
    if spec.threads:
        torch.set_num_threads(spec.threads)
    settings = run_settings(family, spec.settings)
    base = open_base(Path(spec.base), family=family.id) if spec.base else None
    data = _data(spec, base)
    config = family.config(data.facts, spec.config) if base is None else _base_config(family, base)
    torch.manual_seed(int(settings["seed"]))
    network = family.build(config)
    if base is not None:
        load_weights(network, base)
    place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    network.to(place, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return Job(run, spec, family, data, settings, config, network, base, place)


def _data(spec: RunSpec, base: Base | None) -> MemoryDataset:
    if base is None or base.manifest.size is None:
        return load_dataset(Path(spec.dataset))
    size = base.manifest.size
    data = load_dataset(Path(spec.dataset), channels=size.channels, labels=base.manifest.labels)
    if (data.facts.width_px, data.facts.height_px) != (size.width_px, size.height_px):
        raise TrainingError(
            f"The pictures are {data.facts.width_px} x {data.facts.height_px} pixels, but {base.manifest.name!r} makes"
            f" {size.width_px} x {size.height_px}.",
            f"Prepare the data set at {size.width_px} x {size.height_px} pixels.",
        )
    return data


def _base_config(family: Family, base: Base) -> msgspec.Struct:
    try:
        return msgspec.convert(base.manifest.config, family.Config)
    except msgspec.ValidationError as error:
        raise TrainingError(
            f"The network of {base.manifest.name!r} cannot be rebuilt: {error}.", "Choose another base model."
        ) from error
