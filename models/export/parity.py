"""Does an exported graph do what the PyTorch original does?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.core.family import GraphExport
from studio.core.errors import TrainingError
from studio.core.manifest import ParityCheck
from studio.runtime.sessions import Runner, open_session

SEEDS = (0, 1, 2)
BATCHES = (1, 3)
TOLERANCE = 1e-4
PSNR_DB = 60.0

Feeds = dict[str, NDArray[Any]]


def check_graph(graph: GraphExport, path: Path) -> tuple[ParityCheck, ...]:
    """Compare ``path`` with its original on the processor.

    Three checks: the largest error over `SEEDS` and `BATCHES`, relative to ``max(1, largest output)``; a row alone
    against the same row in a batch; and for each input, how far changing it alone moves the outputs (0 means that it
    was baked into the graph or dropped).
    """
    session = open_session(path, device="cpu", spin=False)
    error = max(_error(graph, session, _feeds(graph, seed, count)) for seed in SEEDS for count in BATCHES)
    alone = max(_batch_variance(session, _feeds(graph, seed, max(BATCHES))) for seed in SEEDS)
    checks = [
        _below(graph.role, "largest error relative to the output", error),
        _below(graph.role, "a row alone and in a batch", alone),
    ]
    for name in graph.inputs:
        change = _response(graph, session, name)
        checks.append(
            ParityCheck(graph.role, f"changing {name} alone moves the output", change, 0.0, passed=change > 0)
        )
    return tuple(checks)


def check_pictures(original: NDArray[np.uint8], played: NDArray[np.uint8]) -> ParityCheck:
    """Whole samples ``(N, H, W, 4) uint8`` of the original and of the studio's pipeline with the same seeds."""
    error = np.square(original.astype(np.float64) - played.astype(np.float64)).mean()
    psnr = 99.0 if error == 0 else float(min(99.0, 10 * np.log10(255.0**2 / error)))
    return ParityCheck("sample", "PSNR of whole samples in dB", psnr, PSNR_DB, passed=psnr >= PSNR_DB)


def require(checks: tuple[ParityCheck, ...]) -> None:
    """Refuse a package that does not do what its original does.

    Raises:
        TrainingError: a check failed.
    """
    failed = [check for check in checks if not check.passed]
    if failed:
        worst = failed[0]
        raise TrainingError(
            f"The exported {worst.graph} differs from the original ({worst.check}: {worst.value:.3g},"
            f" limit {worst.limit:.3g}), so no package was made.",
            "This is a fault of the model family, not of your data; the checkpoint is kept.",
        )


def _below(role: str, check: str, value: float) -> ParityCheck:
    return ParityCheck(role, check, value, TOLERANCE, passed=value <= TOLERANCE)


def _feeds(graph: GraphExport, seed: int, count: int) -> Feeds:
    """Random inputs of ``count`` rows, inside the range of the graph's own examples."""
    rng = np.random.default_rng(seed)
    return {name: _drawn(value, rng, count) for name, value in graph.inputs.items()}


def _drawn(example: Tensor, rng: np.random.Generator, count: int) -> NDArray[Any]:
    shape = (count, *example.shape[1:])
    if example.dtype == torch.bool:
        return rng.integers(0, 2, shape).astype(bool)
    low, high = example.min().item(), example.max().item()
    high = high if high > low else low + 1
    if example.dtype == torch.int64:
        return rng.integers(int(low), int(high) + 1, shape)
    return rng.uniform(low, high, shape).astype(np.float32)


def _original(graph: GraphExport, feeds: Feeds) -> dict[str, NDArray[Any]]:
    with torch.no_grad():
        outputs = graph.module(*(torch.from_numpy(feeds[name]) for name in graph.inputs))
    values = (outputs,) if isinstance(outputs, Tensor) else outputs
    return {name: value.numpy() for name, value in zip(graph.outputs, values, strict=True)}


def _error(graph: GraphExport, session: Runner, feeds: Feeds) -> float:
    return _distance(_original(graph, feeds), session.run(feeds))


def _batch_variance(session: Runner, feeds: Feeds) -> float:
    whole = session.run(feeds)
    worst = 0.0
    for row in range(max(BATCHES)):
        alone = session.run({name: value[row : row + 1] for name, value in feeds.items()})
        worst = max(worst, _distance({name: value[row : row + 1] for name, value in whole.items()}, alone))
    return worst


def _response(graph: GraphExport, session: Runner, name: str) -> float:
    feeds = _feeds(graph, SEEDS[0], 2)
    other = _feeds(graph, SEEDS[1], 2)[name]
    return _distance(session.run(feeds), session.run({**feeds, name: other}))


def _distance(wanted: Mapping[str, NDArray[Any]], given: Mapping[str, NDArray[Any]]) -> float:
    """Largest difference over all outputs, relative to ``max(1, largest output)``; infinite when shapes differ."""
    worst = 0.0
    for name, value in wanted.items():
        if value.shape != given[name].shape or not np.isfinite(given[name]).all():
            return float("inf")
        scale = max(1.0, float(np.abs(value).max()))
        worst = max(worst, float(np.abs(value.astype(np.float64) - given[name]).max()) / scale)
    return worst
