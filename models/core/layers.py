"""Bricks that three or more families share. Everything here is plain modules and functions over tensors."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from studio.core.errors import TrainingError


def group_norm(channels: int) -> nn.GroupNorm:
    """Group normalisation with about eight channels a group (Wu & He 2018): same result at every batch size."""
    return nn.GroupNorm(math.gcd(channels, max(1, channels // 8)), channels)


def zero_weights(layer: nn.Conv2d) -> None:
    """Let a layer start as zero, so that the residual branch that it ends adds nothing at first."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


class ResidualBlock(nn.Module):
    """Pre-activation residual block (He et al. 2016): norm, swish, 3x3 twice.

    With ``embedding`` > 0 a vector ``(B, E)`` scales and shifts the second norm (as in improved DDPM, section 3).
    The second convolution starts at zero, so a new block is the identity.
    """

    def __init__(self, channels: int, *, embedding: int = 0) -> None:
        super().__init__()
        self.norm1 = group_norm(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = group_norm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.modulation = nn.Linear(embedding, 2 * channels) if embedding else None
        zero_weights(self.conv2)

    def forward(self, x: Tensor, embedded: Tensor | None = None) -> Tensor:
        """``x (B, C, H, W)`` and, when modulated, ``embedded (B, E)`` to ``(B, C, H, W)``."""
        h = self.norm2(self.conv1(F.silu(self.norm1(x))))
        if self.modulation is not None and embedded is not None:
            scale, shift = self.modulation(embedded)[:, :, None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        return x + self.conv2(F.silu(h))


def picture_levels(width_px: int, height_px: int, *, smallest_px: int = 4, deepest: int = 8) -> int:
    """How often a picture can be halved until its shorter side is ``smallest_px``.

    Raises:
        TrainingError: a side is not a multiple of what the halvings need.
    """
    levels = min(int(math.log2(max(1, min(width_px, height_px) / smallest_px))), deepest)
    if width_px % 2**levels or height_px % 2**levels or min(width_px, height_px) < smallest_px:
        raise TrainingError(
            f"Pictures of {width_px} x {height_px} px do not fit this network.",
            "Prepare the data set at a size such as 32, 64 or 128 px.",
        )
    return levels


def normal_like(x: Tensor, rng: torch.Generator) -> Tensor:
    """Standard normal noise shaped like ``x``, drawn where ``rng`` lives so that a checkpoint can replay it."""
    return torch.randn(x.shape, generator=rng, device=rng.device).to(x.device)


def uniform(shape: Sequence[int], rng: torch.Generator, *, like: Tensor) -> Tensor:
    """Uniform numbers in [0, 1) on the device of ``like``."""
    return torch.rand(list(shape), generator=rng, device=rng.device).to(like.device)
