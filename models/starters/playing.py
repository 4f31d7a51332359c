"""The studio's own engine over a package that is not published yet: what the artist will see, for comparison."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from studio.core.cancel import CancelToken
from studio.core.events import PictureMade
from studio.core.package import Package
from studio.core.requests import ImageRequest
from studio.runtime.engine import Engine


def play(package: Package, seeds: list[int], labels: Tensor) -> NDArray[np.uint8]:
    """``(N, H, W, 4) uint8``: one picture per seed and row of ``labels (N, K)``, every control at its default."""
    engine = Engine(lambda _: package, device="cpu", spin=lambda: False)
    names = package.manifest.labels
    pictures: list[NDArray[np.uint8]] = []
    for seed, row in zip(seeds, labels.tolist(), strict=True):
        weights = {name: weight for name, weight in zip(names, row, strict=True) if weight}
        request = ImageRequest(package.manifest.id, seed=seed, labels=weights)
        events = engine.run(request, CancelToken())
        pictures.extend(event.pixels for event in events if isinstance(event, PictureMade))
    return np.stack(pictures)
