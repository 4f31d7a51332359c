"""The plain diffusers loop (PyTorch eager, ``DDIMScheduler``) around the weights of one of our diffusion packages.

``python -m models.peers.diffusion PACKAGE --threads 2`` answers JSON lines: one ``ready`` line (floating-point
operations of one network call, versions), then one line per line of standard input (``{"steps": 20, "batch": 1,
"seed": 7}`` gives ``{"seconds": ..., "mean": ...}``). The caller interleaves it with the studio's own run.
"""

import json
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor, nn

from models.core.base_package import load_weights, open_base
from models.families import family
from studio.core.manifest import MANIFEST_NAME, decode_manifest
from studio.core.quiet import silence

TRAIN_STEPS = 1000


def alphas_cumprod(sigma_min: float, sigma_max: float) -> Tensor:
    """``(TRAIN_STEPS,)`` squared signal rates, evenly spaced in angle between the package's two ends of the noise."""
    angles = torch.linspace(math.atan(sigma_min), math.atan(sigma_max), TRAIN_STEPS, dtype=torch.float64)
    return angles.cos().square().to(torch.float32)


def sample(network: nn.Module, scheduler: Any, *, shape: tuple[int, ...], labels: Tensor | None, seed: int) -> Tensor:
    """DDIM (eta 0) as the diffusers documentation writes it: scheduler, network, scheduler step."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        for t in scheduler.timesteps:
            variance = (1 - scheduler.alphas_cumprod[t]).expand(shape[0])
            predicted = network(x, variance, labels)
            x = scheduler.step(predicted, t, x).prev_sample
    return x


def _answers(
    network: nn.Module, scheduler: Any, *, size: tuple[int, int, int], labels: int
) -> Iterator[dict[str, float]]:
    for line in sys.stdin:
        asked = json.loads(line)
        scheduler.set_timesteps(int(asked["steps"]))
        batch = int(asked["batch"])
        y = torch.eye(labels)[torch.zeros(batch, dtype=torch.int64)] if labels else None
        start = time.perf_counter()
        x = sample(network, scheduler, shape=(batch, *size), labels=y, seed=int(asked["seed"]))
        yield {"seconds": time.perf_counter() - start, "mean": x.mean().item()}


def _flops(network: nn.Module, size: tuple[int, int, int], labels: int) -> int:
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(torch.zeros(1, *size), torch.full((1,), 0.5), torch.zeros(1, labels) if labels else None)
    return counter.get_total_flops()


@click.command(help=__doc__)
@click.argument("package", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--threads", default=2, help="Processor threads for PyTorch.")
def main(package: Path, threads: int) -> None:
    """Serve the loop until standard input ends."""
    silence()
    import diffusers

    torch.set_num_threads(threads)
    manifest = decode_manifest((package / MANIFEST_NAME).read_bytes())
    built = family(manifest.family)
    base = open_base(package, family=manifest.family)
    network = built.build(built.Config(**manifest.config))
    load_weights(network, base)
    network.eval()
    if manifest.size is None:
        raise click.ClickException("The package has no picture size.")
    size = (manifest.size.channels, manifest.size.height_px, manifest.size.width_px)
    squared = alphas_cumprod(float(manifest.settings["sigma_min"]), float(manifest.settings["sigma_max"]))
    ratios = squared / torch.cat([torch.ones(1), squared[:-1]])
    scheduler = diffusers.DDIMScheduler(
        num_train_timesteps=TRAIN_STEPS,
        trained_betas=(1 - ratios).tolist(),
        prediction_type={"v": "v_prediction", "eps": "epsilon", "x0": "sample"}[str(manifest.settings["prediction"])],
        clip_sample=True,
        timestep_spacing="trailing",
        set_alpha_to_one=False,
    )
    ready = {
        "flops": _flops(network, size, len(manifest.labels)),
        "parameters": sum(p.numel() for p in network.parameters()),
        "versions": {"diffusers": diffusers.__version__, "torch": torch.__version__},
    }
    click.echo(json.dumps(ready))
    for answer in _answers(network, scheduler, size=size, labels=len(manifest.labels)):
        click.echo(json.dumps(answer))


if __name__ == "__main__":
    main()
