"""AE, VAE2, VAEF: autoencoders (Kingma & Welling 2014; Higgins et al. 2017 for the weight between the two terms).

* ``AE`` has no noise and no prior: its codes lie where they like, so a pane samples from their bounding box.
* ``VAE2`` is a variational autoencoder with a plane as latent space: the map. Loss: weight x mean cross-entropy per
  value + KL (Kingma & Welling 2014, section 2.3).
* ``VAEF`` has many dimensions, attribute directions (difference of the mean code with and without the attribute) and a
  mixture of Gaussians fitted to the training codes afterwards as its prior (Ghosh et al. 2020, section 4.1), because
  the prior it was trained with holds many places where no picture is.

Exported: ``decode(z) -> image`` and ``encode(image) -> mu, logvar``. Everything random stays on the host.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor, nn

from models.core.family import Batch, DataFacts, Dataset, GraphExport, Loss, PackageParts, StepContext
from models.core.layers import ResidualBlock, group_norm, normal_like, picture_levels
from models.core.mixture import fit_mixture
from models.core.settings import with_default
from studio.core.params import Param, Value
from studio.runtime.priors import LatentSettings, Mixture, drawn_places

LOGVAR_LIMIT = 10.0
COMPONENTS = 128
WIDTHS = (32, 48, 80, 96, 128)


class AutoencoderConfig(msgspec.Struct, frozen=True):
    """Encoder and decoder. ``widths`` and ``blocks``: channels and residual blocks after each halving, finest first."""

    width_px: int = 32
    height_px: int = 32
    channels: int = 1
    latent: int = 2
    widths: tuple[int, ...] = (32, 64, 96)
    blocks: tuple[int, ...] = (0, 1, 1)
    variational: bool = True
    likelihood: Literal["bernoulli", "charbonnier"] = "bernoulli"
    components: int = 0


class Encoder(nn.Module):
    """Picture to the mean and log variance of its code."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = config.channels
        for width, blocks in zip(config.widths, config.blocks, strict=True):
            layers += [nn.Conv2d(before, width, 4, stride=2, padding=1), group_norm(width), nn.SiLU()]
            layers += [ResidualBlock(width) for _ in range(blocks)]
            before = width
        self.layers = nn.Sequential(*layers, group_norm(before), nn.SiLU(), nn.Flatten())
        self.variational = config.variational
        self.head = nn.Linear(before * _area(config), config.latent * (2 if config.variational else 1))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, C, H, W)`` to ``mu (B, D)``, ``logvar (B, D)``; without noise the latter is -10 throughout."""
        code = self.head(self.layers(image))  # (B, 2D) or (B, D)
        if not self.variational:
            return code, code * 0 - LOGVAR_LIMIT
        mu, logvar = code.chunk(2, dim=1)
        return mu, logvar.clamp(-LOGVAR_LIMIT, LOGVAR_LIMIT)


class Decoder(nn.Module):
    """Code to picture. The sigmoid is inside: values are ``2 sigmoid(logits) - 1``."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        deepest, levels = config.widths[-1], len(config.widths)
        self.shape = (deepest, config.height_px >> levels, config.width_px >> levels)
        self.stem = nn.Linear(config.latent, math.prod(self.shape))
        layers: list[nn.Module] = []
        for level in reversed(range(levels)):
            width = config.widths[level]
            layers += [ResidualBlock(width) for _ in range(config.blocks[level])]
            finer = config.widths[level - 1] if level else max(8, config.widths[0] // 2)
            # Growing by a shuffle of a coarse convolution costs a quarter of a convolution at the fine size.
            layers += [nn.Conv2d(width, 4 * finer, 3, padding=1), nn.PixelShuffle(2), group_norm(finer), nn.SiLU()]
        self.layers = nn.Sequential(*layers)
        self.out = nn.Conv2d(max(8, config.widths[0] // 2), config.channels, 3, padding=1)

    def logits(self, z: Tensor) -> Tensor:
        """``(B, D)`` to ``(B, C, H, W)`` before the sigmoid."""
        h = self.stem(z).reshape(-1, *self.shape)  # (B, w_last, H/2^L, W/2^L)
        return self.out(self.layers(h))  # (B, C, H, W)

    def forward(self, z: Tensor) -> Tensor:
        """``(B, D)`` to ``(B, C, H, W) in [-1, 1]``."""
        return torch.tanh(self.logits(z) / 2)


class Autoencoder(nn.Module):
    """Encoder, decoder and, as buffers, the prior that is sampled: a box, or a mixture of diagonal Gaussians.

    They are the unit box and standard normal until `AutoencoderFamily.parts` fits them to the codes of the data.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.box_low: Tensor
        self.box_high: Tensor
        self.prior_weights: Tensor
        self.prior_means: Tensor
        self.prior_stds: Tensor
        m, d = config.components, config.latent
        if not config.variational:
            self.register_buffer("box_low", torch.full((d,), -1.0))
            self.register_buffer("box_high", torch.full((d,), 1.0))
        self.register_buffer("prior_weights", torch.full((m,), 1 / max(1, m)))
        self.register_buffer("prior_means", torch.zeros(m, d))
        self.register_buffer("prior_stds", torch.ones(m, d))


def _area(config: AutoencoderConfig) -> int:
    levels = len(config.widths)
    return (config.height_px >> levels) * (config.width_px >> levels)


def reconstruction(logits: Tensor, images: Tensor, likelihood: str) -> Tensor:
    """Mean per value: cross-entropy, or squared plus smooth absolute error (both with pictures in [0, 1])."""
    target = (images + 1) / 2
    if likelihood == "bernoulli":
        return F.binary_cross_entropy_with_logits(logits, target)
    error = torch.sigmoid(logits) - target
    # The absolute part keeps edges that the square alone would blur (Charbonnier et al. 1994).
    return error.square().mean() + 0.3 * (error.square() + 1e-4).sqrt().mean()


def divergence(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL from N(mu, exp(logvar)) to N(0, I) in nats, ``(B, D)`` by dimension."""
    return -0.5 * (1 + logvar - mu.square() - logvar.exp())


@dataclass(frozen=True)
class AutoencoderFamily:
    """``AE``, ``VAE2`` or ``VAEF``; ``defaults`` are fields of the config, ``weight`` multiplies the reconstruction."""

    id: str
    defaults: Mapping[str, Any]
    params: tuple[Param, ...]
    pipeline: str = "latent-image/1"
    Config: type[AutoencoderConfig] = AutoencoderConfig
    judged_by: Mapping[str, str] = field(default_factory=lambda: {"mse": "reconstruction error"})

    def config(self, facts: DataFacts, overrides: Mapping[str, Any]) -> AutoencoderConfig:
        """Halve down to 4 px, at most five times; more channels the coarser the map."""
        levels = picture_levels(facts.width_px, facts.height_px, deepest=len(WIDTHS))
        widths = WIDTHS[:levels] if levels > 1 else (64,)
        built: dict[str, Any] = {
            "width_px": facts.width_px,
            "height_px": facts.height_px,
            "channels": facts.channels,
            "widths": widths,
            "blocks": (0, *(1,) * (levels - 1)),
            **self.defaults,
        }
        return msgspec.convert({**built, **overrides}, AutoencoderConfig)

    def build(self, config: AutoencoderConfig) -> Autoencoder:
        """Encoder and decoder, freshly initialised."""
        return Autoencoder(config)

    def optimizers(self, network: Autoencoder, settings: Mapping[str, Value]) -> dict[str, torch.optim.Optimizer]:
        """One Adam over both."""
        return {"main": torch.optim.Adam(network.parameters(), lr=float(settings.get("learning_rate", 1e-3)))}

    def losses(self, network: Autoencoder, batch: Batch, context: StepContext) -> Iterator[Loss]:
        """Weighted reconstruction plus KL; the KL comes in over the first tenth so that no dimension collapses."""
        config, settings = network.config, context.settings
        mu, logvar = network.encoder(batch.images)
        z = mu + normal_like(mu, context.rng) * (logvar / 2).exp() if config.variational else mu
        error = reconstruction(network.decoder.logits(z), batch.images, config.likelihood)
        value, shown = float(settings.get("weight", self.default("weight"))) * error, {"reconstruction": error.item()}
        if config.variational:
            kl = divergence(mu, logvar).sum(dim=1).mean()
            warm = min(1.0, (context.step + 1) / max(1.0, 0.1 * context.total))
            value = value + warm * kl
            shown["kl_nats"] = kl.item()
        yield Loss("main", value, {"loss": value.item(), **shown})

    def default(self, name: str) -> float:
        """The default of a hyper-parameter."""
        return float(next(param.default for param in self.params if param.name == name))

    def averaged(self, network: Autoencoder) -> nn.Module:
        """All of it."""
        return network

    def sample(
        self, network: Autoencoder, config: AutoencoderConfig, *, seeds: list[int], labels: Tensor, steps: int = 20
    ) -> np.ndarray:
        """Decode codes of the prior, drawn as the pane draws them; ``labels`` and ``steps`` are not used."""
        device = next(network.parameters()).device
        z = torch.from_numpy(self._codes(network, config, seeds)).to(device)
        with torch.no_grad():
            return network.decoder(z).cpu().numpy()

    @staticmethod
    def _codes(network: Autoencoder, config: AutoencoderConfig, seeds: list[int]) -> np.ndarray:
        """``(N, D)`` of the prior, as `studio.runtime.priors` draws it."""
        d = config.latent
        if not config.variational:
            low, high = (tuple(edge.tolist()) for edge in (network.box_low, network.box_high))
            return drawn_places(seeds, LatentSettings(d, "box", box_low=low, box_high=high))
        if not config.components:
            return drawn_places(seeds, LatentSettings(d))
        tensors = (network.prior_weights, network.prior_means, network.prior_stds)
        return drawn_places(seeds, LatentSettings(d, "mixture"), Mixture(*(t.numpy(force=True) for t in tensors)))

    def validate(
        self, network: Autoencoder, config: AutoencoderConfig, batch: Batch, rng: torch.Generator
    ) -> dict[str, float]:
        """Errors of the mean code on held-out pictures, KL, and how many dimensions are in use."""
        with torch.no_grad():
            mu, logvar = network.encoder(batch.images)
            logits = network.decoder.logits(mu)
            error = (torch.sigmoid(logits) - (batch.images + 1) / 2).square().mean()
            figures = {
                "mse": error.item(),
                "bce": F.binary_cross_entropy_with_logits(logits, (batch.images + 1) / 2).item(),
            }
            if config.variational:
                figures["kl_nats"] = divergence(mu, logvar).sum(dim=1).mean().item()
                figures["active_dimensions"] = float((mu.var(dim=0, correction=0) > 0.01).sum().item())
        return figures

    def graphs(self, network: Autoencoder, config: AutoencoderConfig) -> tuple[GraphExport, ...]:
        """``decode`` and ``encode``."""
        network.eval()
        z = torch.linspace(-1.5, 1.5, 2 * config.latent).reshape(2, config.latent)
        shape = (2, config.channels, config.height_px, config.width_px)
        image = torch.linspace(-1, 1, math.prod(shape)).reshape(shape)
        return (
            GraphExport("decode", network.decoder, {"z": z}, ("image",)),
            GraphExport("encode", network.encoder, {"image": image}, ("mu", "logvar")),
        )

    def parts(self, network: Autoencoder, config: AutoencoderConfig, data: Dataset) -> PackageParts:
        """The prior and the attribute directions, measured on the codes of the training pictures."""
        mu, logvar = encoded(network, data.images("train"))
        settings: dict[str, Any] = {"latent_dim": config.latent, "map": config.latent == 2, "prior": "normal"}
        files: dict[str, bytes] = {}
        if not config.variational:
            network.box_low.copy_(mu.amin(0))
            network.box_high.copy_(mu.amax(0))
            settings |= {"prior": "box", "box_low": mu.amin(0).tolist(), "box_high": mu.amax(0).tolist()}
        elif config.components:
            settings["prior"] = "mixture"
            weights, means, stds = fit_mixture(mu, logvar.exp(), components=config.components)
            network.prior_weights.copy_(weights)
            network.prior_means.copy_(means)
            network.prior_stds.copy_(stds)
            tensors = {"weights": weights, "means": means, "stds": stds}
            files["prior.safetensors"] = save({name: tensor.contiguous() for name, tensor in tensors.items()})
        directions = attribute_directions(mu, data.attributes("train"), data.facts.attributes)
        settings["attributes"] = directions
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
        sliders = tuple(
            Param(
                f"attr:{name}",
                "float",
                0.0,
                direction["label"],
                f"Less or more of: {direction['label']}.",
                low=-4.0,
                high=4.0,
                step=0.1,
                group="Attributes",
            )
            for name, direction in directions.items()
        )
        return PackageParts((truncation, *sliders), settings, files)


def encoded(network: Autoencoder, images: Tensor) -> tuple[Tensor, Tensor]:
    """``mu`` and ``logvar``, ``(N, D)`` each, of many pictures on the processor."""
    device = next(network.parameters()).device
    with torch.no_grad():
        pairs = [network.encoder(part.to(device)) for part in images.split(256)]
    return torch.cat([mu for mu, _ in pairs]).cpu(), torch.cat([logvar for _, logvar in pairs]).cpu()


def attribute_directions(mu: Tensor, flags: Tensor, names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Slider vectors by short name: mean code with minus without (White 2016, section 3).

    One unit is a third of the way that carries an average picture across, plus its spread along that way, so a slider
    of -4..4 reaches clearly to both sides.
    """
    directions: dict[str, dict[str, Any]] = {}
    for column, label in enumerate(names):
        has = flags[:, column]
        if not 2 <= int(has.sum()) <= len(has) - 2:
            continue  # a mean of one picture is that picture
        difference = mu[has].mean(dim=0) - mu[~has].mean(dim=0)  # (D,)
        length = difference.norm().clamp_min(1e-6)
        unit = difference / length
        spread = (mu[~has] @ unit).std(correction=0)
        name = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
        directions[name] = {"vector": (unit * (length + spread) / 3).tolist(), "label": label}
    return directions


def _params(*, weight: float, steps: int, flip: bool, batch: int = 64) -> tuple[Param, ...]:
    return (
        with_default("steps", steps),
        with_default("batch", batch),
        with_default("learning_rate", 1e-3),
        with_default("ema", 0.995),
        with_default("flip", flip),
        with_default("shift_px", 0),
        Param(
            "weight",
            "float",
            weight,
            "Likeness",
            "Weight of the reconstruction; low is smoother, high is truer to the pictures.",
            low=1.0,
            high=1e6,
        ),
    )


AE = AutoencoderFamily("AE", {"variational": False}, _params(weight=500.0, steps=4000, flip=False))
VAE2 = AutoencoderFamily("VAE2", {"latent": 2}, _params(weight=500.0, steps=4000, flip=False))
VAEF = AutoencoderFamily(
    "VAEF",
    {"latent": 64, "likelihood": "charbonnier", "components": COMPONENTS},
    _params(weight=4000.0, steps=6000, flip=True, batch=32),
)
