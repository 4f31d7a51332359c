"""DDM: denoising diffusion for small pictures (Ho et al. 2020; Song et al. 2021, DDIM).

* Variance preserving: ``x_t = a x_0 + s eps``, ``a^2 + s^2 = 1``, with the cosine schedule of Nichol & Dhariwal 2021,
  section 3.2, written as an angle: ``a = cos(angle)``, ``s = sin(angle)``, angle uniform between the two end rates.
* The network predicts ``v = a eps - s x_0`` (Salimans & Ho 2022, section 4) unless the config says ``eps`` or ``x0``.
* Classes enter as a soft vector; some are dropped in training so that one network serves classifier-free guidance
  (Ho & Salimans 2022): all zeros means "no class".
* ``patch`` folds squares of pixels into channels first and unfolds them last, so 64 px costs as much as 32 px.

Exported: ``denoise(x, noise_variance[, y]) -> prediction``. Schedule, sampler and noise stay on the host.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.core.family import Batch, DataFacts, Dataset, GraphExport, Loss, PackageParts, StepContext
from models.core.layers import ResidualBlock, group_norm, normal_like, uniform, zero_weights
from models.core.settings import with_default
from studio.core.errors import TrainingError
from studio.core.params import Param, Value
from studio.runtime.samplers import SAMPLERS, SCHEDULES, ddim, predicted_x0, rates, schedule
from studio.runtime.seeds import normals

FREQUENCIES = 16
GUIDANCE = 1.5


class DiffusionConfig(msgspec.Struct, frozen=True):
    """The U-Net. ``widths`` and ``blocks``: channels and residual blocks per resolution, finest first."""

    width_px: int = 32
    height_px: int = 32
    channels: int = 4
    labels: int = 0
    patch: int = 2
    widths: tuple[int, ...] = (64, 96, 128)
    blocks: tuple[int, ...] = (1, 1, 1)
    attention_px: int = 8
    embedding: int = 96
    prediction: Literal["v", "eps", "x0"] = "v"
    signal_low: float = 0.02
    signal_high: float = 0.999


class Attention(nn.Module):
    """Self-attention over the pixels of a small feature map (Vaswani et al. 2017), residual, four heads."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = math.gcd(4, channels)
        self.norm = group_norm(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        zero_weights(self.out)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to the same shape."""
        b, c, h, w = x.shape
        qkv = self.qkv(self.norm(x)).reshape(b, 3, self.heads, c // self.heads, h * w)  # (B, 3, heads, C/heads, HW)
        q, k, v = (part.transpose(-1, -2) for part in qkv.unbind(1))  # (B, heads, HW, C/heads)
        weights = (q @ k.transpose(-1, -2) / math.sqrt(c / self.heads)).softmax(-1)  # (B, heads, HW, HW)
        return x + self.out((weights @ v).transpose(-1, -2).reshape(b, c, h, w))


class Stage(nn.Module):
    """The residual blocks of one resolution, each followed by attention where the map is small enough."""

    def __init__(self, channels: int, blocks: int, *, embedding: int, attention: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ResidualBlock(channels, embedding=embedding) for _ in range(blocks))
        self.attention = Attention(channels) if attention else nn.Identity()

    def forward(self, h: Tensor, embedded: Tensor) -> Tensor:
        """``h (B, C, H, W)``, ``embedded (B, E)`` to ``(B, C, H, W)``."""
        for block in self.blocks:
            h = block(h, embedded)
        return self.attention(h)


class UNet(nn.Module):
    """Predicts v, eps or x0 from a noisy picture, its noise variance and a soft class vector."""

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        self.config, self.patch = config, config.patch
        folded = config.channels * config.patch**2
        widths, e = config.widths, config.embedding
        side = min(config.width_px, config.height_px) // config.patch
        attends = [side >> level <= config.attention_px for level in range(len(widths))]
        self.frequencies: Tensor
        self.register_buffer("frequencies", torch.logspace(math.log2(0.25), 4, FREQUENCIES, base=2.0), persistent=False)
        self.embed_noise = nn.Sequential(nn.Linear(2 * FREQUENCIES, e), nn.SiLU(), nn.Linear(e, e))
        self.embed_label = nn.Linear(config.labels, e, bias=False) if config.labels else None
        self.stem = nn.Conv2d(folded, widths[0], 3, padding=1)
        self.down_stages = nn.ModuleList(
            Stage(w, n, embedding=e, attention=a) for w, n, a in zip(widths, config.blocks, attends, strict=True)
        )
        pairs = list(itertools.pairwise(widths))
        self.shrink = nn.ModuleList(nn.Conv2d(wide, deep, 3, stride=2, padding=1) for wide, deep in pairs)
        self.middle = ResidualBlock(widths[-1], embedding=e)
        self.up_stages = nn.ModuleList(
            Stage(w, n, embedding=e, attention=a) for w, n, a in zip(widths, config.blocks, attends, strict=True)
        )
        self.grow = nn.ModuleList(nn.Conv2d(deep, wide, 1) for wide, deep in pairs)
        self.merge = nn.ModuleList(nn.Conv2d(2 * w, w, 1) for w in widths)
        self.norm = group_norm(widths[0])
        self.out = nn.Conv2d(widths[0], folded, 3, padding=1)
        zero_weights(self.out)

    def forward(self, x: Tensor, noise_variance: Tensor, y: Tensor | None = None) -> Tensor:
        """``x (B, C, H, W)``, ``noise_variance (B,)``, ``y (B, K)`` to the prediction ``(B, C, H, W)``."""
        embedded = F.silu(self._embedding(noise_variance, y))  # (B, E)
        h = self.stem(F.pixel_unshuffle(x, self.patch))  # (B, w0, H/p, W/p)
        skips: list[Tensor] = []
        for level, stage in enumerate(self.down_stages):
            h = stage(h, embedded)
            skips.append(h)
            if level < len(self.shrink):
                h = self.shrink[level](h)  # (B, w_next, H/2, W/2)
        h = self.middle(h, embedded)
        for level in reversed(range(len(self.up_stages))):
            h = self.merge[level](torch.cat([h, skips[level]], dim=1))  # (B, 2w, ..) -> (B, w, ..)
            h = self.up_stages[level](h, embedded)
            if level:
                h = F.interpolate(self.grow[level - 1](h), scale_factor=2.0, mode="nearest")  # (B, w_finer, 2H, 2W)
        return F.pixel_shuffle(self.out(F.silu(self.norm(h))), self.patch)  # (B, C, H, W)

    def _embedding(self, noise_variance: Tensor, y: Tensor | None) -> Tensor:
        variance = noise_variance.clamp(1e-5, 1 - 1e-5)
        log_sigma = 0.5 * torch.log(variance / (1 - variance))  # noise over signal, -3.1 .. 3.9 on the schedule
        angles = log_sigma[:, None] * self.frequencies  # (B, F)
        embedded = self.embed_noise(torch.cat([angles.sin(), angles.cos()], dim=1))
        return embedded if self.embed_label is None or y is None else embedded + self.embed_label(y)


def _angles(config: DiffusionConfig) -> tuple[float, float]:
    return math.acos(config.signal_high), math.acos(config.signal_low)


def _target(prediction: str, x0: Tensor, eps: Tensor, rates: tuple[Tensor, Tensor]) -> Tensor:
    a, s = rates
    return {"v": a * eps - s * x0, "eps": eps, "x0": x0}[prediction]


def _sigmas(config: DiffusionConfig) -> tuple[float, float]:
    low, high = _angles(config)
    return math.tan(low), math.tan(high)


class Diffusion:
    """Family ``DDM``."""

    id = "DDM"
    pipeline = "diffusion-image/1"
    Config = DiffusionConfig
    judged_by: Mapping[str, str] = {"loss": "prediction error"}
    params = (
        with_default("steps", 6000),
        with_default("batch", 64),
        with_default("learning_rate", 1e-3),
        with_default("ema", 0.999),
        with_default("flip", True),
        with_default("shift_px", 0),
        Param(
            "label_dropout",
            "float",
            0.12,
            "Class dropout",
            "Share of pictures shown without their class; needed for guidance.",
            low=0.0,
            high=1.0,
            group="Advanced",
        ),
    )

    def config(self, facts: DataFacts, overrides: Mapping[str, Any]) -> DiffusionConfig:
        """A U-Net whose finest map is at most 32 px and whose coarsest is 4 px."""
        side = min(facts.width_px, facts.height_px)
        patch = 2 if side >= 32 else 1
        levels = max(2, min(4, int(math.log2(max(8, side // patch) / 4)) + 1))
        built: dict[str, Any] = {
            "width_px": facts.width_px,
            "height_px": facts.height_px,
            "channels": facts.channels,
            "labels": len(facts.labels),
            "patch": patch,
            "widths": (32, 64, 96, 128)[-levels:],
            "blocks": (1,) * levels,
        }
        config = msgspec.convert({**built, **overrides}, DiffusionConfig)
        multiple = config.patch << (len(config.widths) - 1)
        if config.width_px % multiple or config.height_px % multiple or len(config.widths) != len(config.blocks):
            raise TrainingError(
                f"Pictures of {config.width_px} x {config.height_px} px do not fit a network with "
                f"{len(config.widths)} resolutions.",
                f"Prepare the data set at a multiple of {multiple} px.",
            )
        return config

    def build(self, config: DiffusionConfig) -> UNet:
        """The U-Net, freshly initialised."""
        return UNet(config)

    def optimizers(self, network: UNet, settings: Mapping[str, Value]) -> dict[str, torch.optim.Optimizer]:
        """One AdamW over everything."""
        rate = float(settings.get("learning_rate", 1e-3))
        return {"main": torch.optim.AdamW(network.parameters(), lr=rate, betas=(0.9, 0.99), weight_decay=1e-4)}

    def losses(self, network: UNet, batch: Batch, context: StepContext) -> Iterator[Loss]:
        """Mean squared error of the prediction at a random angle of the cosine schedule."""
        rng, settings = context.rng, context.settings
        x0 = batch.images
        keep = uniform((len(x0), 1), rng, like=x0) >= float(settings.get("label_dropout", 0.12))
        labels = batch.labels * keep if batch.labels.shape[1] else None
        value = _error(network, x0, labels, rng)
        yield Loss("main", value, {"loss": value.item()})

    def averaged(self, network: UNet) -> nn.Module:
        """All of it."""
        return network

    def sample(
        self, network: UNet, config: DiffusionConfig, *, seeds: list[int], labels: Tensor, steps: int = 20
    ) -> np.ndarray:
        """DDIM with the studio's sampler, noise and standard guidance; ``labels (N, K)``."""
        low, high = _sigmas(config)
        shape = (config.channels, config.height_px, config.width_px)
        noise = normals(seeds, shape, system="diffusion-image", stream="latent")  # (N, C, H, W)
        sigmas = schedule("cosine", steps, sigma_min=low, sigma_max=high)
        denoise = _denoiser(network, labels if config.labels else None)
        x = np.asarray(high * noise, np.float32)
        for step in ddim(denoise, x, sigmas, noise=lambda _: noise):
            x = np.asarray(step.x, np.float32)
        return x

    def validate(self, network: UNet, config: DiffusionConfig, batch: Batch, rng: torch.Generator) -> dict[str, float]:
        """Prediction error, and the absolute noise error at mid noise beside that of predicting zero (0.80)."""
        labels = batch.labels if batch.labels.shape[1] else None
        with torch.no_grad():
            value = _error(network, batch.images, labels, rng)
            middle = torch.full((len(batch.images), 1, 1, 1), math.pi / 4, device=batch.images.device)
            a, s = middle.cos(), middle.sin()
            eps = normal_like(batch.images, rng)
            x = a * batch.images + s * eps
            predicted = network(x, s.square().flatten(), labels)
            # At 45 degrees noise and signal rate are equal, so eps = x / a - x0 whatever is predicted.
            x0 = predicted_x0(config.prediction, (x / a).numpy(force=True), predicted.numpy(force=True), 1.0)
            guess = x / a - torch.from_numpy(x0).to(x.device)
        return {
            "loss": value.item(),
            "noise_error_mid": (guess - eps).abs().mean().item(),
            "zero_error_mid": eps.abs().mean().item(),
        }

    def graphs(self, network: UNet, config: DiffusionConfig) -> tuple[GraphExport, ...]:
        """``denoise``; ``y`` only when the data has classes."""
        inputs = {
            "x": torch.linspace(-1, 1, 2 * config.channels * config.height_px * config.width_px).reshape(
                2, config.channels, config.height_px, config.width_px
            ),
            "noise_variance": torch.tensor([0.3, 0.8]),
        }
        if config.labels:
            inputs["y"] = torch.eye(config.labels)[[0, config.labels - 1]]
        return (GraphExport("denoise", network.eval(), inputs, ("prediction",)),)

    def parts(self, network: UNet, config: DiffusionConfig, data: Dataset) -> PackageParts:
        """Sampler controls and the ends of the noise schedule."""
        low, high = _sigmas(config)
        guidance = Param(
            "guidance",
            "float",
            GUIDANCE,
            "Guidance",
            "How strongly the class is followed; 1 is as trained, 0 ignores it.",
            low=0.0,
            high=8.0,
            step=0.1,
        )
        controls = (
            Param("steps", "int", 20, "Steps", "More steps are slower and finer.", low=1, high=100, unit="steps"),
            Param("sampler", "choice", "ddim", "Sampler", "How noise is taken away.", choices=SAMPLERS),
            *((guidance,) if config.labels else ()),
            Param(
                "schedule",
                "choice",
                "cosine",
                "Schedule",
                "Where the steps are spent.",
                choices=SCHEDULES,
                group="Advanced",
            ),
            Param(
                "eta",
                "float",
                0.0,
                "Eta",
                "Fresh noise per step; 0 is deterministic.",
                low=0.0,
                high=1.0,
                step=0.05,
                group="Advanced",
            ),
        )
        settings = {"prediction": config.prediction, "sigma_min": low, "sigma_max": high}
        return PackageParts(controls, settings)


def _error(network: UNet, x0: Tensor, labels: Tensor | None, rng: torch.Generator) -> Tensor:
    """Mean squared error of the prediction at random angles, one per equal slice of the schedule (less variance)."""
    low, high = _angles(network.config)
    count = len(x0)
    slices = torch.arange(count, device=x0.device) + uniform((count,), rng, like=x0)
    angle = (low + (high - low) * slices / count)[:, None, None, None]  # (B, 1, 1, 1)
    a, s = angle.cos(), angle.sin()
    eps = normal_like(x0, rng)
    predicted = network(a * x0 + s * eps, s.square().flatten(), labels)
    return F.mse_loss(predicted, _target(network.config.prediction, x0, eps, (a, s)))


def _denoiser(network: UNet, labels: Tensor | None) -> Callable[[np.ndarray, float], np.ndarray]:
    """``denoise(x, sigma) -> x0`` in sigma space, with guidance when there are classes."""
    device = next(network.parameters()).device

    def denoise(x: np.ndarray, sigma: float) -> np.ndarray:
        a, s = rates(sigma)
        x_vp = torch.from_numpy(np.asarray(x * a, np.float32)).to(device)
        variance = torch.full((len(x),), s * s, dtype=torch.float32, device=device)
        with torch.no_grad():
            predicted = network(x_vp, variance, labels)
            if labels is not None:
                free = network(x_vp, variance, torch.zeros_like(labels))
                predicted = free + GUIDANCE * (predicted - free)
        x0 = predicted_x0(network.config.prediction, x, predicted.cpu().numpy(), sigma)
        return np.clip(x0, -1.0, 1.0).astype(np.float32)

    return denoise
