"""Samplers: from noise to a picture, as functions over a callable, shared by the studio and the trainer's previews.

Everything happens in sigma space (Karras et al. 2022, "Elucidating the design space of diffusion models", section 2):
``x = x0 + sigma * eps``, and ``denoise(x, sigma) -> x0``. A schedule is ``(n + 1,) float64``, falling, its last
value 0. A run starts at ``x = sigmas[0] * noise``, with the noise of `studio.runtime.seeds`, stream ``latent``; a
sampler that adds noise asks ``noise(i)`` at step ``i``: stream ``step``, step number ``i``.

Samplers are generators: each `SamplerStep` can be shown, and not asking for the next one is a cancel.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.floating]
"""``(B, C, H, W)``, float32 in the studio; tests also use float64."""

Denoise: TypeAlias = Callable[[Array, float], Array]
"""``denoise(x, sigma) -> x0``: the picture that the network sees in ``x = x0 + sigma * eps``."""

NoiseAt: TypeAlias = Callable[[int], Array]
"""Standard normal noise of step ``i``, shaped like ``x``."""

_RHO = 7.0  # Karras et al. 2022, table 1
_BETA_LOW, _BETA_HIGH = 0.1, 20.0  # Song et al. 2021, appendix C: the continuous form of Ho et al.'s linear betas


class SamplerStep(NamedTuple):
    """After step ``i`` (0-based): the noisy ``x`` at the next sigma, and ``x0``, what the network saw."""

    i: int
    x: Array
    x0: Array


def ddim(
    denoise: Denoise, x: Array, sigmas: NDArray[np.float64], *, noise: NoiseAt, eta: float = 0.0
) -> Iterator[SamplerStep]:
    """DDIM (Song et al. 2021, "Denoising diffusion implicit models", equations 12 and 16); ``eta`` 1 is DDPM.

    Divided by the signal rate, their variance is ``(eta s'/s)^2 (s^2 - s'^2)`` for ``s`` and ``s'`` the two sigmas.
    """
    for i, (sigma, following) in enumerate(_pairs(sigmas)):
        x0 = denoise(x, sigma)
        fresh = eta * following * math.sqrt(max(0.0, 1.0 - (following / sigma) ** 2))
        kept = math.sqrt(max(0.0, following**2 - fresh**2))
        x = x0 + (kept / sigma) * (x - x0)
        if fresh > 0.0:
            x = x + fresh * noise(i)
        yield SamplerStep(i, x, x0)


def euler(denoise: Denoise, x: Array, sigmas: NDArray[np.float64]) -> Iterator[SamplerStep]:
    """Euler steps on the probability flow, ``dx/dsigma = (x - x0) / sigma`` (Karras et al. 2022, algorithm 1)."""
    for i, (sigma, following) in enumerate(_pairs(sigmas)):
        x0 = denoise(x, sigma)
        x = x0 if following == 0.0 else x + ((following - sigma) / sigma) * (x - x0)
        yield SamplerStep(i, x, x0)


def euler_ancestral(
    denoise: Denoise, x: Array, sigmas: NDArray[np.float64], *, noise: NoiseAt
) -> Iterator[SamplerStep]:
    """Euler down to less noise than wanted, then fresh noise (Ho et al. 2020, equation 7, in sigma space)."""
    for i, (sigma, following) in enumerate(_pairs(sigmas)):
        x0 = denoise(x, sigma)
        up = following * math.sqrt(max(0.0, 1.0 - (following / sigma) ** 2))
        down = following**2 / sigma
        x = x0 if following == 0.0 else x + ((down - sigma) / sigma) * (x - x0)
        if up > 0.0:
            x = x + up * noise(i)
        yield SamplerStep(i, x, x0)


def dpmpp_2m(denoise: Denoise, x: Array, sigmas: NDArray[np.float64]) -> Iterator[SamplerStep]:
    """DPM-Solver++(2M), second order from two neighbouring steps (Lu et al. 2022, "DPM-Solver++", algorithm 2)."""
    earlier: Array | None = None
    h_earlier = 0.0
    for i, (sigma, following) in enumerate(_pairs(sigmas)):
        x0 = denoise(x, sigma)
        if following == 0.0:
            yield SamplerStep(i, x0, x0)
            return
        h = math.log(sigma / following)
        guess = x0 if earlier is None else x0 + (h / (2.0 * h_earlier)) * (x0 - earlier)
        x = (following / sigma) * x - math.expm1(-h) * guess
        earlier, h_earlier = x0, h
        yield SamplerStep(i, x, x0)


def sample(
    name: str, denoise: Denoise, x: Array, sigmas: NDArray[np.float64], *, noise: NoiseAt, eta: float = 0.0
) -> Iterator[SamplerStep]:
    """The sampler called ``name`` (one of `SAMPLERS`); ``eta`` is read by ``ddim`` only.

    Raises:
        KeyError: there is no such sampler.
    """
    return {
        "ddim": lambda: ddim(denoise, x, sigmas, noise=noise, eta=eta),
        "euler": lambda: euler(denoise, x, sigmas),
        "euler_ancestral": lambda: euler_ancestral(denoise, x, sigmas, noise=noise),
        "dpmpp_2m": lambda: dpmpp_2m(denoise, x, sigmas),
    }[name]()


SAMPLERS = ("ddim", "euler", "euler_ancestral", "dpmpp_2m")
"""Names for `sample`."""


def cosine(n: int, sigma_min: float, sigma_max: float) -> NDArray[np.float64]:
    """Even steps of the angle ``atan(sigma)``: the cosine schedule (Nichol & Dhariwal 2021, section 3.2)."""
    return _closed(np.tan(np.linspace(math.atan(sigma_max), math.atan(sigma_min), n)), sigma_max)


def linear(n: int, sigma_min: float, sigma_max: float) -> NDArray[np.float64]:
    """Even steps of time where the betas grow linearly (Ho et al. 2020, section 4; Song et al. 2021, equation 32)."""
    slope = _BETA_HIGH - _BETA_LOW

    def time(sigma: float) -> float:
        # log(1 + sigma^2) = beta_low t + slope t^2 / 2, solved for t
        return (math.sqrt(_BETA_LOW**2 + 2.0 * slope * math.log1p(sigma**2)) - _BETA_LOW) / slope

    t = np.linspace(time(sigma_max), time(sigma_min), n)
    return _closed(np.sqrt(np.expm1(_BETA_LOW * t + 0.5 * slope * t * t)), sigma_max)


def karras(n: int, sigma_min: float, sigma_max: float) -> NDArray[np.float64]:
    """Even steps of ``sigma^(1/7)``: short steps near the picture (Karras et al. 2022, equation 5)."""
    return _closed(np.linspace(sigma_max ** (1 / _RHO), sigma_min ** (1 / _RHO), n) ** _RHO, sigma_max)


def schedule(name: str, n: int, *, sigma_min: float, sigma_max: float) -> NDArray[np.float64]:
    """The schedule called ``name`` (one of `SCHEDULES`): ``(n + 1,)``, from ``sigma_max`` by ``sigma_min`` to 0.

    Raises:
        KeyError: there is no such schedule.
        ValueError: ``n`` is below 1, or the ends are not ``0 < sigma_min <= sigma_max``.
    """
    if n < 1 or not 0.0 < sigma_min <= sigma_max:
        raise ValueError(f"cannot make {n} steps from sigma {sigma_max:g} to {sigma_min:g}")
    return {"cosine": cosine, "linear": linear, "karras": karras}[name](n, sigma_min, sigma_max)


SCHEDULES = ("cosine", "linear", "karras")
"""Names for `schedule`."""


def strength_sigma(strength: float, *, sigma_min: float, sigma_max: float) -> float:
    """The sigma to start at when a picture is changed by ``strength`` (0 to 1): even in the angle ``atan(sigma)``.

    Start from ``source + sigma * noise`` (Meng et al. 2022, "SDEdit", section 3.2).
    """
    low, high = math.atan(sigma_min), math.atan(sigma_max)
    return sigma_max if strength >= 1.0 else math.tan(low + strength * (high - low))


def rates(sigma: float) -> tuple[float, float]:
    """Signal rate ``a`` and noise rate ``s`` of the variance-preserving form: ``a^2 + s^2 = 1``, ``sigma = s / a``."""
    a = 1.0 / math.sqrt(1.0 + sigma * sigma)
    return a, sigma * a


def predicted_x0(prediction: str, x: Array, predicted: Array, sigma: float) -> Array:
    """The x0 that a network's output means, where ``x`` is in sigma space and ``prediction`` names the output.

    ``x0`` itself, ``eps``, or ``v = a eps - s x0`` (Salimans & Ho 2022, "Progressive distillation", section 4).

    Raises:
        ValueError: the prediction has another name.
    """
    if prediction == "x0":
        return predicted
    if prediction == "eps":
        return x - sigma * predicted
    if prediction == "v":
        a, s = rates(sigma)
        return (a * a) * x - s * predicted
    raise ValueError(f"prediction {prediction!r} is not v, eps or x0")


def inpainting(denoise: Denoise, known: Array, mask: Array, noise: Array) -> Denoise:
    """A denoiser that changes only where ``mask`` is 1 and returns ``known`` exactly where it is 0.

    At every step the known part is noised anew to the current sigma before the network looks (Lugmayr et al. 2022,
    "RePaint", section 4.1, with fixed noise). ``mask (B or 1, 1, H, W)`` in [0, 1]; between 0 and 1 both are mixed.
    """
    free, fixed = mask >= 1.0, mask <= 0.0

    def mixed(new: Array, old: Array) -> Array:
        return np.where(fixed, old, np.where(free, new, mask * new + (1 - mask) * old))

    def denoise_masked(x: Array, sigma: float) -> Array:
        return mixed(denoise(mixed(x, known + sigma * noise), sigma), known)

    return denoise_masked


def _pairs(sigmas: NDArray[np.float64]) -> Iterator[tuple[float, float]]:
    values = [float(sigma) for sigma in sigmas]
    return pairwise(values)


def _closed(sigmas: NDArray[np.float64], sigma_max: float) -> NDArray[np.float64]:
    closed = np.append(sigmas, 0.0)
    closed[0] = sigma_max  # exactly, so that a run that starts from pure noise is the same for every schedule
    return closed
