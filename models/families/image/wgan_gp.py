"""WGANGP and CGAN: Wasserstein GAN with gradient penalty (Gulrajani et al. 2017), conditional by a soft class vector.

* The critic's score is unbounded; its gradient on straight lines between real and made pictures is held at length 1 by
  a two-sided penalty, with the weight between the two ends uniform in (0, 1) as in the paper's algorithm 1.
* Classes (Mirza & Osindero 2014): joined to the code in the generator, repeated into planes beside the picture in the
  critic. Soft vectors mix classes.
* Little data: both real and made pictures are mirrored, moved and cut out before the critic sees them, so it cannot
  learn the data by heart while the generator does not learn the damage (Zhao et al. 2020, section 3).
* The generator is averaged (Yazici et al. 2019) and normalises each pixel's features (Karras et al. 2018, section 4.2),
  so there are no running statistics and a picture does not depend on its batch.

Exported: ``decode(z[, y]) -> image`` and ``critic(image[, y]) -> score``.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from models.core.family import Batch, DataFacts, Dataset, GraphExport, Loss, PackageParts, StepContext
from models.core.layers import normal_like, picture_levels, uniform
from models.core.metrics import sliced_distance
from models.core.settings import with_default
from studio.core.errors import TrainingError
from studio.core.params import Param, Value
from studio.runtime.seeds import normals

SLOPE = 0.2


class WassersteinConfig(msgspec.Struct, frozen=True):
    """Generator and critic. Widths: channels at each resolution, finest first."""

    width_px: int = 32
    height_px: int = 32
    channels: int = 4
    labels: int = 0
    latent: int = 64
    generator_widths: tuple[int, ...] = (48, 64, 96)
    critic_widths: tuple[int, ...] = (48, 96, 160)


class PixelNorm(nn.Module):
    """Each pixel's feature vector to length sqrt(C)."""

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class Generator(nn.Module):
    """Code and class to picture."""

    def __init__(self, config: WassersteinConfig) -> None:
        super().__init__()
        widths, levels = config.generator_widths, len(config.generator_widths)
        self.shape = (2 * widths[-1], config.height_px >> levels, config.width_px >> levels)
        self.stem = nn.Linear(config.latent + config.labels, math.prod(self.shape))
        layers: list[nn.Module] = [PixelNorm(), nn.LeakyReLU(SLOPE)]
        before = self.shape[0]
        for width in reversed(widths):
            layers += [nn.ConvTranspose2d(before, width, 4, stride=2, padding=1), PixelNorm(), nn.LeakyReLU(SLOPE)]
            before = width
        self.layers = nn.Sequential(*layers)
        self.out = nn.Conv2d(before, config.channels, 3, padding=1)

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """``z (B, D)``, ``y (B, K)`` to ``(B, C, H, W) in [-1, 1]``."""
        code = z if y is None else torch.cat([z, y], dim=1)  # (B, D + K)
        h = self.stem(code).reshape(-1, *self.shape)  # (B, 2w, H/2^L, W/2^L)
        return torch.tanh(self.out(self.layers(h)))  # (B, C, H, W)


class Critic(nn.Module):
    """How real a picture looks for its class: an unbounded score."""

    def __init__(self, config: WassersteinConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = config.channels + config.labels
        for width in config.critic_widths:
            layers += [nn.Conv2d(before, width, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
            before = width
        levels = len(config.critic_widths)
        self.layers = nn.Sequential(*layers, nn.Conv2d(before, before, 3, padding=1), nn.LeakyReLU(SLOPE))
        self.out = nn.Linear(before * (config.height_px >> levels) * (config.width_px >> levels), 1)

    def forward(self, image: Tensor, y: Tensor | None = None) -> Tensor:
        """``image (B, C, H, W)``, ``y (B, K)`` to the score ``(B,)``."""
        if y is not None:
            planes = y[:, :, None, None].expand(-1, -1, image.shape[2], image.shape[3])  # (B, K, H, W)
            image = torch.cat([image, planes], dim=1)
        return self.out(self.layers(image).flatten(1)).squeeze(1)


class Pair(nn.Module):
    """Generator and critic together: what is trained and what a package keeps as its original."""

    def __init__(self, config: WassersteinConfig) -> None:
        super().__init__()
        self.config = config
        self.generator, self.critic = Generator(config), Critic(config)


def damaged(images: Tensor, rng: torch.Generator) -> Tensor:
    """Mirror half, move by up to an eighth, blank a square in half of ``(B, C, H, W)``; differentiable."""
    count, _, height, width = images.shape
    mirror = uniform((count, 1, 1, 1), rng, like=images) < 0.5
    images = torch.where(mirror, images.flip(-1), images)
    rows = torch.arange(height, device=images.device)[None, :]  # (1, H)
    columns = torch.arange(width, device=images.device)[None, :]  # (1, W)
    draws = uniform((5, count, 1), rng, like=images)
    down = ((draws[0] * 2 - 1) * height / 8).round().long()  # (B, 1)
    right = ((draws[1] * 2 - 1) * width / 8).round().long()
    from_row, from_column = rows - down, columns - right  # (B, H), (B, W)
    inside = ((from_row >= 0) & (from_row < height))[:, :, None] & ((from_column >= 0) & (from_column < width))[:, None]
    batch = torch.arange(count, device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[
        batch, from_row.clamp(0, height - 1)[:, :, None], from_column.clamp(0, width - 1)[:, None]
    ]
    near_row = (rows - draws[2] * height).abs() < height / 8
    near_column = (columns - draws[3] * width).abs() < width / 8
    hole = near_row[:, :, None] & near_column[:, None] & (draws[4] < 0.5)[:, :, None]  # (B, H, W)
    shown = (inside & ~hole)[:, None]
    return torch.where(shown, moved.permute(0, 3, 1, 2), -1.0)  # -1 is black, or nothing at all with alpha


def gradient_penalty(
    critic: Critic, real: Tensor, made: Tensor, labels: Tensor | None, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Mean of ``(length - 1)^2`` of the critic's gradient between real and made pictures, and the mean length."""
    weight = uniform((len(real), 1, 1, 1), rng, like=real)
    between = (weight * real + (1 - weight) * made).requires_grad_(True)
    score = critic(between, labels).sum()
    (gradient,) = torch.autograd.grad(score, between, create_graph=True)
    length = (gradient.flatten(1).square().sum(dim=1) + 1e-12).sqrt()  # (B,)
    return (length - 1).square().mean(), length.mean().detach()


@dataclass(frozen=True)
class WassersteinFamily:
    """``WGANGP`` takes classes when the data has them; ``CGAN`` insists on them."""

    id: str
    needs_labels: bool
    pipeline: str = "latent-image/1"
    Config: type[WassersteinConfig] = WassersteinConfig
    judged_by: Mapping[str, str] = field(default_factory=lambda: {"sliced_distance": "sliced Wasserstein distance"})
    params: tuple[Param, ...] = (
        with_default("steps", 4000),
        with_default("batch", 96),  # shared among the critic's rounds
        with_default("learning_rate", 5e-4),
        with_default("ema", 0.995),
        with_default("clip", 0.0),  # the penalty does this work
        Param(
            "critic_rounds",
            "int",
            2,
            "Critic rounds",
            "Critic steps per generator step.",
            low=1,
            high=10,
            group="Advanced",
        ),
        Param(
            "penalty",
            "float",
            10.0,
            "Gradient penalty",
            "Weight of the gradient penalty.",
            low=0.0,
            high=1000.0,
            group="Advanced",
        ),
        Param(
            "damage",
            "bool",
            True,
            "Augment",
            "Mirror, move and cut out what the critic sees; for small data.",
            group="Advanced",
        ),
    )

    def config(self, facts: DataFacts, overrides: Mapping[str, Any]) -> WassersteinConfig:
        """Halve down to 4 px; more channels the coarser the map.

        Raises:
            TrainingError: ``CGAN`` on data without classes, or a size that cannot be halved.
        """
        if self.needs_labels and len(facts.labels) < 2:
            raise TrainingError(
                "A conditional network needs at least two classes.", "Put the pictures into one folder per class."
            )
        levels = picture_levels(facts.width_px, facts.height_px)
        built: dict[str, Any] = {
            "width_px": facts.width_px,
            "height_px": facts.height_px,
            "channels": facts.channels,
            "labels": len(facts.labels),
            "generator_widths": (24, 48, 64, 96, 128)[-max(levels, 1) :] if levels > 3 else (48, 64, 96)[:levels],
            "critic_widths": (24, 48, 96, 160, 192)[:levels] if levels > 3 else (48, 96, 160)[:levels],
        }
        return msgspec.convert({**built, **overrides}, WassersteinConfig)

    def build(self, config: WassersteinConfig) -> Pair:
        """Generator and critic, freshly initialised."""
        return Pair(config)

    def optimizers(self, network: Pair, settings: Mapping[str, Value]) -> dict[str, torch.optim.Optimizer]:
        """One Adam each, with little momentum as the paper has it."""
        rate = float(settings.get("learning_rate", 5e-4))
        return {
            "critic": torch.optim.Adam(network.critic.parameters(), lr=rate, betas=(0.0, 0.9)),
            "generator": torch.optim.Adam(network.generator.parameters(), lr=rate, betas=(0.0, 0.9)),
        }

    def losses(self, network: Pair, batch: Batch, context: StepContext) -> Iterator[Loss]:
        """Several critic steps on slices of the batch, then one generator step."""
        settings, rng = context.settings, context.rng
        rounds = max(1, min(int(settings.get("critic_rounds", 2)), len(batch.images) // 2))
        labels = batch.labels if network.config.labels else None
        parts = zip(
            batch.images.chunk(rounds), labels.chunk(rounds) if labels is not None else (None,) * rounds, strict=False
        )
        for part in parts:
            yield self._critic_loss(network, part, context)
        count = math.ceil(len(batch.images) / rounds)
        chosen = (
            None
            if labels is None
            else labels[torch.randperm(len(labels), generator=rng, device=rng.device)[:count].to(labels.device)]
        )
        made = network.generator(self._codes(network, count, rng, like=batch.images), chosen)
        value = -network.critic(damaged(made, rng) if settings.get("damage", True) else made, chosen).mean()
        yield Loss("generator", value, {"generator": value.item()})

    def _critic_loss(self, network: Pair, data: tuple[Tensor, Tensor | None], context: StepContext) -> Loss:
        (real, labels), settings, rng = data, context.settings, context.rng
        with torch.no_grad():
            made = network.generator(self._codes(network, len(real), rng, like=real), labels)
        if settings.get("damage", True):
            real, made = damaged(real, rng), damaged(made, rng)
        both = network.critic(torch.cat([real, made]), None if labels is None else labels.repeat(2, 1))
        real_score, made_score = both.chunk(2)
        penalty, length = gradient_penalty(network.critic, real, made, labels, rng)
        distance = real_score.mean() - made_score.mean()
        # The scores' level is free; holding it near zero keeps them readable (Karras et al. 2018, appendix A.1).
        drift = real_score.square().mean()
        value = -distance + float(settings.get("penalty", 10.0)) * penalty + 1e-3 * drift
        return Loss("critic", value, {"distance": distance.item(), "gradient_norm": length.item()})

    @staticmethod
    def _codes(network: Pair, count: int, rng: torch.Generator, *, like: Tensor) -> Tensor:
        return normal_like(torch.empty(count, network.config.latent, device=like.device), rng)

    def averaged(self, network: Pair) -> nn.Module:
        """The generator."""
        return network.generator

    def sample(
        self, network: Pair, config: WassersteinConfig, *, seeds: list[int], labels: Tensor, steps: int = 20
    ) -> np.ndarray:
        """One pass from the studio's noise; ``steps`` is not used."""
        codes = normals(seeds, (config.latent,), system="latent-image", stream="latent")  # (N, D)
        device = next(network.parameters()).device
        with torch.no_grad():
            z = torch.from_numpy(codes).to(device)
            return network.generator(z, labels.to(device) if config.labels else None).cpu().numpy()

    def validate(
        self, network: Pair, config: WassersteinConfig, batch: Batch, rng: torch.Generator
    ) -> dict[str, float]:
        """Held-out against made pictures: as the critic sees them, its gradient between them, and without a critic."""
        labels = batch.labels if config.labels else None
        with torch.no_grad():
            made = network.generator(self._codes(network, len(batch.images), rng, like=batch.images), labels)
            real_score, made_score = network.critic(batch.images, labels), network.critic(made, labels)
        with torch.enable_grad():
            _, length = gradient_penalty(network.critic, batch.images, made, labels, rng)
        return {
            "distance": (real_score.mean() - made_score.mean()).item(),
            "gradient_norm": length.item(),
            "real_ranked_higher": (real_score[:, None] > made_score[None, :]).float().mean().item(),
            "sliced_distance": sliced_distance(batch.images, made, rng),
        }

    def graphs(self, network: Pair, config: WassersteinConfig) -> tuple[GraphExport, ...]:
        """``decode`` and ``critic``; ``y`` only when the data has classes."""
        network.eval()
        z = torch.linspace(-1.5, 1.5, 2 * config.latent).reshape(2, config.latent)
        shape = (2, config.channels, config.height_px, config.width_px)
        image = torch.linspace(-1, 1, math.prod(shape)).reshape(shape)
        y = {"y": torch.eye(config.labels)[[0, config.labels - 1]]} if config.labels else {}
        return (
            GraphExport("decode", network.generator, {"z": z, **y}, ("image",)),
            GraphExport("critic", network.critic, {"image": image, **y}, ("score",)),
        )

    def parts(self, network: Pair, config: WassersteinConfig, data: Dataset) -> PackageParts:
        """Temperature, and a standard normal prior."""
        truncation = Param(
            "truncation",
            "float",
            1.0,
            "Temperature",
            "Below 1 plays safe, above 1 is wilder.",
            low=0.0,
            high=1.5,
            step=0.05,
        )
        settings: dict[str, Any] = {"latent_dim": config.latent, "map": False, "prior": "normal", "attributes": {}}
        return PackageParts((truncation,), settings)


WGANGP = WassersteinFamily("WGANGP", needs_labels=False)
CGAN = WassersteinFamily("CGAN", needs_labels=True)
