"""The contract between a model family and everything that trains, exports and measures it.

A family is one file under ``models/families`` that defines one class with these methods. It never imports another
family, never loops over steps and never writes a file: the loop, the exporter and the recipes do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from studio.core.params import Param, Value


@dataclass(frozen=True)
class Batch:
    """One batch of pictures.

    Attributes:
        images: ``(B, C, H, W) float32 in [-1, 1]``; with four channels the colour is premultiplied by alpha.
        labels: ``(B, K) float32`` one-hot; ``K = 0`` when the data has no classes.
    """

    images: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same on ``device``, pictures in the memory layout that convolutions like best."""
        return Batch(self.images.to(device, memory_format=torch.channels_last), self.labels.to(device))


@dataclass(frozen=True)
class DataFacts:
    """What a family may know of a data set before it builds its network."""

    width_px: int
    height_px: int
    channels: int
    items: int
    labels: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepContext:
    """What changes from step to step. ``rng`` is the only source of randomness and is part of the checkpoint."""

    step: int
    total: int
    rng: torch.Generator
    settings: Mapping[str, Value]


@dataclass(frozen=True)
class Loss:
    """A loss to take one optimiser step on, in the middle of `Family.losses`.

    Attributes:
        optimizer: key of `Family.optimizers`.
        value: scalar tensor with a graph.
        shown: figures for the plot, by name.
    """

    optimizer: str
    value: Tensor
    shown: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class GraphExport:
    """One graph to export.

    Attributes:
        role: key in ``Manifest.graphs`` (``decode``, ``encode``, ``denoise``, ``critic``).
        module: eval-mode module whose forward takes exactly ``inputs`` in order.
        inputs: name to example tensor with batch size 2; axis 0 is dynamic and called ``batch``.
        outputs: names in order.
    """

    role: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class PackageParts:
    """What a trained network adds to its manifest. ``files`` are extra files by name (never code, never pickles)."""

    controls: tuple[Param, ...]
    settings: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


class Dataset(Protocol):
    """Random access to a prepared data set held in memory."""

    facts: DataFacts

    def images(self, split: str) -> Tensor:
        """``(N, C, H, W) float32 in [-1, 1]`` of ``train`` or ``valid``, in file order."""
        ...

    def labels(self, split: str) -> Tensor:
        """``(N, K) float32`` one-hot of ``train`` or ``valid``."""
        ...

    def attributes(self, split: str) -> Tensor:
        """``(N, A) bool``: which attributes of ``facts.attributes`` are true of each picture."""
        ...


class Family(Protocol):
    """One generative system of `studio.core.families_table`."""

    @property
    def id(self) -> str:
        """As in the table, such as ``VAE2``."""
        ...

    @property
    def pipeline(self) -> str:
        """The runtime pipeline that plays its packages."""
        ...

    @property
    def Config(self) -> type[msgspec.Struct]:  # noqa: N802 - it names a class
        """Struct with a default for every field; ``Config(**manifest.config)`` rebuilds the network."""
        ...

    @property
    def judged_by(self) -> Mapping[str, str]:
        """Figures of `validate` that compare two networks, with their names for people; lower is better."""
        ...

    @property
    def params(self) -> tuple[Param, ...]:
        """Hyper-parameters for the wizard and the command line (``steps``, ``batch``, ``learning_rate`` ...)."""
        ...

    def config(self, facts: DataFacts, overrides: Mapping[str, Any]) -> msgspec.Struct:
        """The Config that fits a data set, with overrides applied; raises `TrainingError` when nothing fits."""
        ...

    def build(self, config: Any) -> nn.Module:
        """The whole trainable system (generator and critic, encoder and decoder ...), freshly initialised."""
        ...

    def optimizers(self, network: Any, settings: Mapping[str, Value]) -> dict[str, torch.optim.Optimizer]:
        """Optimisers by name."""
        ...

    def losses(self, network: Any, batch: Batch, context: StepContext) -> Iterator[Loss]:
        """Yield one `Loss` per optimiser step; the loop zeroes, runs backward, clips and steps between yields."""
        ...

    def averaged(self, network: Any) -> nn.Module:
        """The part whose exponential moving average is kept, sampled and exported."""
        ...

    def sample(self, network: Any, config: Any, *, seeds: list[int], labels: Tensor, steps: int = 20) -> np.ndarray:
        """``(N, C, H, W) float32 in [-1, 1]`` with the studio's own noise and samplers, one picture per seed."""
        ...

    def validate(self, network: Any, config: Any, batch: Batch, rng: torch.Generator) -> dict[str, float]:
        """Figures on held-out pictures; the first is the one the wizard plots."""
        ...

    def graphs(self, network: Any, config: Any) -> tuple[GraphExport, ...]:
        """What to export."""
        ...

    def parts(self, network: Any, config: Any, data: Dataset) -> PackageParts:
        """Controls and settings of the package, measured on ``data`` where they depend on it (attribute vectors)."""
        ...
