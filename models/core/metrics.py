"""Figures of quality as plain functions over tensors, float64 where sums cancel.

The distance between real and made pictures is called *feature distance*: a Fréchet distance (Heusel et al. 2017) in the
features of a small network of our own (`models.core.classifier`). It is not an FID and compares with no published one.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Whitening:
    """``(x - mean) @ matrix``: features of the training pictures become uncorrelated with variance one."""

    mean: Tensor
    matrix: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """``(N, F)`` to ``(N, F)`` float64."""
        return (features.double() - self.mean) @ self.matrix


def fit_whitening(features: Tensor, *, floor: float = 1e-3) -> Whitening:
    """From ``(N, F)``; directions with less than ``floor`` of the greatest variance are not blown up further."""
    mean, covariance = moments(features)
    values, vectors = torch.linalg.eigh(covariance)
    scale = values.clamp_min(floor * float(values.max())).rsqrt()
    return Whitening(mean, vectors * scale)


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean ``(F,)`` and covariance ``(F, F)`` of ``(N, F)``, float64."""
    x = features.double()
    mean = x.mean(dim=0)
    centred = x - mean
    return mean, centred.T @ centred / max(1, len(x) - 1)


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Squared Fréchet distance of the Gaussians fitted to ``(N, F)`` and ``(M, F)`` (Dowson & Landau 1982)."""
    (mean_a, cov_a), (mean_b, cov_b) = moments(first), moments(second)
    root = _symmetric_root(cov_a)
    # The trace of sqrt(A B) equals that of sqrt(sqrt(A) B sqrt(A)), which is symmetric.
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp_min(0).sqrt().sum()
    distance = (mean_a - mean_b).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross
    return max(0.0, float(distance))


def nearest_distances(points: Tensor, others: Tensor, *, skip_self: bool = False) -> Tensor:
    """Distance of each of ``(N, F)`` to its nearest of ``(M, F)``: ``(N,)``; ``skip_self`` when both are one set."""
    rows: list[Tensor] = []
    for start in range(0, len(points), 256):
        distances = torch.cdist(points[start : start + 256].flatten(1), others.flatten(1))  # (<=256, M)
        if skip_self:
            index = torch.arange(len(distances))
            distances[index, start + index] = torch.inf
        rows.append(distances.amin(dim=1))
    return torch.cat(rows)


def sliced_distance(first: Tensor, second: Tensor, rng: torch.Generator, *, directions: int = 256) -> float:
    """Sliced Wasserstein distance of two equally large sets ``(N, ...)`` (Bonneel et al. 2015, section 3).

    The mean distance of their sorted projections on random directions of length one: a difference of 1 in every value
    counts about 0.8, whatever the size of a picture.
    """
    flat, other = first.flatten(1), second.flatten(1)
    drawn = torch.randn(flat.shape[1], directions, generator=rng, device=rng.device).to(flat.device)
    axes = drawn / drawn.norm(dim=0, keepdim=True)  # (P, directions)
    return float(((flat @ axes).sort(dim=0).values - (other @ axes).sort(dim=0).values).abs().mean())


def memorisation(made: Tensor, held_out: Tensor, train: Tensor) -> float:
    """Median distance of made pictures to the nearest training picture over that of held-out real ones.

    Near 1: as new as real pictures are. Below 0.5: suspiciously close to what was learnt from. 0: copies.
    """
    real = nearest_distances(held_out, train).median()
    return float(nearest_distances(made, train).median() / real.clamp_min(1e-9))


def coverage(real: Tensor, made: Tensor, *, neighbours: int = 5) -> float:
    """Share of ``real (N, F)`` with one of ``made (M, F)`` nearer than their k-th real neighbour.

    Naeem et al. 2020, "Reliable fidelity and diversity metrics", section 3.2.
    """
    distances = torch.cdist(real, real)
    radius = distances.kthvalue(min(neighbours + 1, len(real)), dim=1).values  # the nearest is the point itself
    return float((torch.cdist(real, made).amin(dim=1) <= radius).double().mean())


def diversity(features: Tensor) -> float:
    """Mean distance between two of ``(N, F)``."""
    count = len(features)
    return float(torch.cdist(features, features).sum() / max(1, count * (count - 1)))


@dataclass(frozen=True)
class Principal:
    """The best linear code of a set: ``mean (P,)``, ``axes (D, P)`` orthonormal, ``stds (D,)``."""

    mean: Tensor
    axes: Tensor
    stds: Tensor

    def codes(self, images: Tensor) -> Tensor:
        """``(N, ...)`` pictures to ``(N, D)``."""
        return (images.flatten(1) - self.mean) @ self.axes.T

    def decoded(self, codes: Tensor, shape: torch.Size) -> Tensor:
        """``(N, D)`` to pictures of ``shape[1:]``, clipped to [-1, 1]."""
        return (self.mean + codes @ self.axes).clamp(-1, 1).reshape(len(codes), *shape[1:])

    def rebuilt(self, images: Tensor) -> Tensor:
        """Pictures after a pass through the code."""
        return self.decoded(self.codes(images), images.shape)

    def sampled(self, count: int, shape: torch.Size, *, seed: int) -> Tensor:
        """Pictures from the Gaussian fitted to the codes: the trivial generator."""
        rng = torch.Generator().manual_seed(seed)
        codes = torch.randn(count, len(self.stds), generator=rng) * self.stds
        return self.decoded(codes, shape)


def fit_principal(images: Tensor, dimensions: int, *, at_most: int = 6000) -> Principal:
    """Principal components of the first ``at_most`` of ``(N, C, H, W)``."""
    flat = images[:at_most].flatten(1)
    mean = flat.mean(dim=0)
    kept = min(dimensions, len(flat) - 1, flat.shape[1])
    if len(flat) <= flat.shape[1]:  # fewer pictures than values: the small side has the same eigenvalues
        values, vectors = torch.linalg.eigh((flat - mean) @ (flat - mean).T)
        axes = (vectors[:, -kept:].T @ (flat - mean)) / values[-kept:].clamp_min(1e-12).sqrt()[:, None]
    else:
        values, vectors = torch.linalg.eigh((flat - mean).T @ (flat - mean))
        axes = vectors[:, -kept:].T
    stds = (values[-kept:].clamp_min(0) / max(1, len(flat) - 1)).sqrt()
    return Principal(mean, axes.flip(0).contiguous(), stds.flip(0).contiguous())


def squared_error(images: Tensor, others: Tensor) -> float:
    """Mean squared error with values in [0, 1]."""
    return float(((images - others) / 2).square().mean())


def cross_entropy(made: Tensor, real: Tensor) -> float:
    """Mean binary cross-entropy per value, both in [-1, 1], predictions kept a thousandth away from certain."""
    p = ((made + 1) / 2).clamp(1e-3, 1 - 1e-3)
    return float(torch.nn.functional.binary_cross_entropy(p, (real + 1) / 2))


def neighbour_accuracy(
    codes: Tensor, classes: Tensor, others: Tensor, other_classes: Tensor, *, neighbours: int = 15
) -> float:
    """Share of ``others (M, D)`` whose class is that of most of their nearest ``codes (N, D)``."""
    near = torch.cdist(others, codes).topk(neighbours, largest=False).indices  # (M, k)
    votes = torch.nn.functional.one_hot(classes[near]).sum(dim=1)  # (M, K)
    return float((votes.argmax(dim=1) == other_classes).double().mean())


def _symmetric_root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(0).sqrt()) @ vectors.T
