"""The package that a fine-tune starts from."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as decode_tensors
from torch import Tensor, nn

from studio.core.errors import TrainingError
from studio.core.manifest import MANIFEST_NAME, ORIGINAL_NAME, Manifest, decode_manifest


@dataclass(frozen=True)
class Base:
    """A base package.

    Attributes:
        manifest: its checked manifest.
        sha256: hash of its manifest.json, the identity of the package.
        weights: tensors of its original.safetensors by name.
    """

    manifest: Manifest
    sha256: str
    weights: Mapping[str, Tensor]


def open_base(folder: Path, *, family: str) -> Base:
    """The base package in ``folder``.

    Raises:
        PackageError: its manifest cannot be read.
        TrainingError: it is of another family, or its original weights are missing or damaged.
    """
    try:
        data = (folder / MANIFEST_NAME).read_bytes()
        manifest = decode_manifest(data)
        original = (folder / ORIGINAL_NAME).read_bytes()
        spec = next((spec for spec in manifest.files.values() if spec.file == ORIGINAL_NAME), None)
        if spec is not None and hashlib.sha256(original).hexdigest() != spec.sha256:
            raise ValueError("the weights do not have the hash that the manifest names")
        weights = decode_tensors(original)
    except (OSError, ValueError, SafetensorError) as error:
        raise TrainingError(
            f"The model at {folder} cannot be trained further: {error}.", "Choose a package with its original weights."
        ) from error
    if manifest.family != family:
        raise TrainingError(
            f"The model {manifest.name!r} is a {manifest.family}, not a {family}.",
            "Choose the family of the base model.",
        )
    return Base(manifest=manifest, sha256=hashlib.sha256(data).hexdigest(), weights=weights)


def load_weights(network: nn.Module, base: Base) -> None:
    """Put the weights of ``base`` into ``network``; every name and shape must match.

    Raises:
        TrainingError: they do not fit.
    """
    try:
        network.load_state_dict(base.weights, strict=True)
    except RuntimeError as error:
        raise TrainingError(
            f"The weights of {base.manifest.name!r} do not fit this network: {error}.", "Choose another base model."
        ) from error


def relative_change(network: nn.Module, weights: Mapping[str, Tensor]) -> float:
    """``||now - before|| / ||before||`` over all trained parameters; 0 when nothing moved.

    Running statistics are left out: they move without any learning.
    """
    moved, size = 0.0, 0.0
    for name, now in network.named_parameters():
        before = weights[name].to(device=now.device, dtype=torch.float64)
        moved += float((now.detach().double() - before).square().sum())
        size += float(before.square().sum())
    return (moved / max(size, 1e-30)) ** 0.5
