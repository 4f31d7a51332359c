"""Where latent-image models draw their places from: a normal, a box, or a mixture fitted to the training codes.

System ``latent-image``, stream ``latent`` gives the noise and stream ``component`` the uniform that picks a component.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from studio.core.errors import PackageError
from studio.core.package import Package
from studio.runtime import seeds

SYSTEM = "latent-image"
PRIOR_ROLE = "prior"
Array = NDArray[np.float32]


class Attribute(msgspec.Struct, frozen=True):
    """A direction in the latent space; ``vector (D,)`` is what a slider value of 1 adds."""

    vector: tuple[float, ...]
    label: str = ""


class LatentSettings(msgspec.Struct, frozen=True):
    """Settings of ``latent-image/1``."""

    latent_dim: int
    prior: Literal["normal", "box", "mixture"] = "normal"
    box_low: tuple[float, ...] = ()
    box_high: tuple[float, ...] = ()
    map: bool = False
    attributes: dict[str, Attribute] = {}

    def __post_init__(self) -> None:
        d = self.latent_dim
        if d < 1:
            raise ValueError(f"latent_dim {d} must be at least 1")
        if self.prior == "box" and not len(self.box_low) == len(self.box_high) == d:
            raise ValueError(f"box_low and box_high must have {d} numbers each")
        for name, attribute in self.attributes.items():
            if len(attribute.vector) != d:
                raise ValueError(f"the attribute {name!r} must have {d} numbers")


@dataclass(frozen=True, eq=False)
class Mixture:
    """Diagonal Gaussians: ``weights (M,)``, ``means (M, D)``, ``stds (M, D)``, all float32."""

    weights: Array
    means: Array
    stds: Array


def read_mixture(package: Package, settings: LatentSettings) -> Mixture | None:
    """The mixture of a package whose prior is one, else None.

    Raises:
        PackageError: the file is missing, damaged or of another shape.
    """
    if settings.prior != "mixture":
        return None
    path = package.file_path(PRIOR_ROLE)
    if path is None:
        raise PackageError("The model's prior file is missing.", "Ask for a fresh copy of the package.")
    return _decoded(path, settings.latent_dim)


def drawn_places(
    seed_list: Sequence[int], settings: LatentSettings, mixture: Mixture | None = None, *, truncation: float = 1.0
) -> Array:
    """One place per seed, ``(B, D) float32``.

    ``truncation`` below 1 stays near what is common, above 1 goes further out: it scales a normal about 0, a box about
    its centre (never leaving it) and each component of a mixture about its mean.
    """
    shape, t = (settings.latent_dim,), truncation
    if settings.prior == "box":
        low, high = np.array(settings.box_low, np.float32), np.array(settings.box_high, np.float32)
        drawn = np.stack([seeds.uniform(seed, shape, system=SYSTEM, stream="latent") for seed in seed_list])
        centre = (low + high) / 2
        return np.asarray(np.clip(centre + t * (low + drawn * (high - low) - centre), low, high), np.float32)
    z = seeds.normals(seed_list, shape, system=SYSTEM, stream="latent")
    if mixture is None:
        return np.asarray(t * z, np.float32)
    edges = mixture.weights.astype(np.float64).cumsum()
    picks = [float(seeds.uniform(seed, (1,), system=SYSTEM, stream="component")[0]) for seed in seed_list]
    chosen = np.minimum(np.searchsorted(edges, picks), len(edges) - 1)
    return np.asarray(mixture.means[chosen] + t * (mixture.stds[chosen] * z), np.float32)


def _decoded(path: Path, dimensions: int) -> Mixture:
    try:
        tensors = load(path.read_bytes())
        weights, means, stds = (tensors[name].astype(np.float32) for name in ("weights", "means", "stds"))
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise PackageError(
            f"The model's prior cannot be read: {error}.", "Ask for a fresh copy of the package."
        ) from error
    if weights.ndim != 1 or means.shape != (len(weights), dimensions) or means.shape != stds.shape or not len(weights):
        raise PackageError(
            f"The model's prior does not have {dimensions} dimensions.", "Ask for a fresh copy of the package."
        )
    return Mixture(weights, means, stds)
