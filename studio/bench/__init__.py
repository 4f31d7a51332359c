"""Benchmarks: ratios from interleaved A B A B runs in one go, printed with machine, versions, medians and targets.

``reverie bench paint``. Absolute times mean little on a noisy machine; a ratio measured side by side does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One printed figure. ``target`` and ``verdict`` are words; ``verdict`` is ``ok``, ``short`` or empty."""

    name: str
    value: str
    target: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class Plan:
    """What to measure with.

    Attributes:
        packages: folder of the packages to measure.
        seconds: length of each event-loop measurement.
        rounds: A B A B rounds of each ratio.
        scratch: empty folder for runs and results.
    """

    packages: Path
    seconds: float
    rounds: int
    scratch: Path


def _paint(plan: Plan) -> Iterator[Row]:
    from studio.bench.paint import bench_paint

    return bench_paint(plan)


BENCHES: dict[str, Callable[[Plan], Iterator[Row]]] = {"paint": _paint}
"""Name to a function that yields rows as they are measured."""
