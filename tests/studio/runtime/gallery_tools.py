"""Small real results for tests of the gallery and the queue."""

from datetime import UTC, datetime, timedelta

import numpy as np

from studio.core.events import PictureMade, RunFacts
from studio.core.requests import ImageRequest
from studio.runtime.gallery_index import GalleryIndex
from studio.runtime.results import Results


def pixels(seed=0, size=8):
    return np.random.default_rng(seed).integers(0, 256, (size, size, 4)).astype(np.uint8)


class Clock:
    """Goes on by a second at each look."""

    def __init__(self):
        self.now = datetime(2026, 11, 21, 14, 32, 5, tzinfo=UTC)

    def __call__(self):
        self.now += timedelta(seconds=1)
        return self.now


def library(folder):
    index = GalleryIndex(folder / "data" / "index.sqlite", folder / "data" / "trash")
    return index, Results(lambda: folder / "results", index, now=Clock())


def save(results, seed=0, package="emoji-diffusion", name="Emoji diffusion", **request):
    made = PictureMade(pixels(seed), ImageRequest(package, seed=seed, **request))
    return results.save_picture(made, RunFacts("CPU"), model_name=name, model_sha256="ab" * 32)
