"""A mixture of diagonal Gaussians by expectation maximisation (Dempster et al. 1977), started by k-means++."""

import math

import torch
from torch import Tensor

ROUNDS = 60


def fit_mixture(
    means: Tensor, variances: Tensor, *, components: int, seed: int = 0, floor: float = 0.05
) -> tuple[Tensor, Tensor, Tensor]:
    """Fit to uncertain points ``N(means, variances)``, ``(N, D)`` each.

    Args:
        means: where the points are.
        variances: how uncertain each one is; it widens the components, so none closes around a single point.
        components: how many Gaussians, at most a quarter of the points.
        seed: of the starting centres.
        floor: least variance of a component.

    Returns:
        weights ``(M,)``, means ``(M, D)`` and standard deviations ``(M, D)``.
    """
    rng = torch.Generator().manual_seed(seed)
    count, _ = means.shape
    kept = max(1, min(components, count // 4))
    centres = _spread(means, kept, rng)
    spreads = means.var(dim=0, correction=0).clamp_min(floor).expand(kept, -1).clone()
    weights = torch.full((kept,), 1 / kept)
    for _ in range(ROUNDS):
        shares = _log_densities(means, variances, weights, centres, spreads).softmax(dim=1)  # (N, M)
        mass = shares.sum(dim=0).clamp_min(1e-6)  # (M,)
        centres = (shares.T @ means) / mass[:, None]
        squares = (shares.T @ (means.square() + variances)) / mass[:, None]
        spreads = (squares - centres.square()).clamp_min(floor)
        weights = (mass + 1) / (mass + 1).sum()
    if kept < components:  # the caller's table has a fixed height: empty rows get no weight
        missing = components - kept
        weights = torch.cat([weights, torch.zeros(missing)])
        centres = torch.cat([centres, torch.zeros(missing, centres.shape[1])])
        spreads = torch.cat([spreads, torch.ones(missing, centres.shape[1])])
    return weights, centres, spreads.sqrt()


def _spread(points: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """Starting centres, each drawn with probability growing with its distance to those before (k-means++)."""
    chosen = [points[int(torch.randint(len(points), (1,), generator=rng))]]
    nearest = (points - chosen[0]).square().sum(dim=1)
    for _ in range(count - 1):
        index = int(torch.multinomial(nearest.clamp_min(1e-12), 1, generator=rng))
        chosen.append(points[index])
        nearest = torch.minimum(nearest, (points - points[index]).square().sum(dim=1))
    return torch.stack(chosen)


def _log_densities(means: Tensor, variances: Tensor, weights: Tensor, centres: Tensor, spreads: Tensor) -> Tensor:
    """``(N, M)``: expected log density of each uncertain point under each weighted component."""
    inverse = 1 / spreads
    squares = (
        (means.square() + variances) @ inverse.T
        - 2 * means @ (centres * inverse).T
        + (centres.square() * inverse).sum(dim=1)
    )
    constant = spreads.log().sum(dim=1) + centres.shape[1] * math.log(2 * math.pi)
    return weights.log() - 0.5 * (squares + constant)
