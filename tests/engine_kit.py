"""The kilobyte packages and an engine over them, for tests of what runs models."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from studio.core.cancel import CancelToken
from studio.core.events import Event, FrameMade, PictureMade, Pixels
from studio.core.manifest import encode_manifest
from studio.core.package import Package
from studio.core.requests import ImageRequest
from studio.runtime.devices import Devices
from studio.runtime.engine import Engine
from studio.runtime.packages import read_package

PACKAGES = Path(__file__).resolve().parent / "fixtures" / "packages"


class NoGpu:
    """A `studio.runtime.devices.Runtime` with the processor only."""

    def providers(self) -> list[str]:
        return ["CPUExecutionProvider"]

    def driver(self, provider: str) -> str:
        return ""

    def smoke(self, provider: str) -> str:
        raise AssertionError("the processor needs no test")


def tiny(name: str) -> Package:
    """``tiny-map``, ``tiny-latent`` or ``tiny-diffusion``."""
    return read_package(PACKAGES / name)


def changed(name: str, folder: Path, *, extra: Mapping[str, bytes] | None = None, **manifest: Any) -> Package:
    """A copy of a tiny package in ``folder`` whose manifest fields were replaced; ``extra`` are more files by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for file_name, data in (extra or {}).items():
        (folder / file_name).write_bytes(data)
    for file in (PACKAGES / name).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    made = msgspec.structs.replace(tiny(name).manifest, **manifest)
    (folder / "manifest.json").write_bytes(encode_manifest(made))
    return read_package(folder)


def tiny_engine(
    *, device: str = "auto", threads: int = 1, lookup: Callable[[str], Package] = tiny, **parts: Any
) -> Engine:
    """An engine on the processor over the tiny packages."""
    return Engine(lookup, device=device, threads=threads, devices=Devices(NoGpu()), **parts)


def play(request: ImageRequest, engine: Engine | None = None, cancel: CancelToken | None = None) -> list[Event]:
    """All events of a request."""
    return list((engine or tiny_engine()).run(request, cancel or CancelToken()))


def pictures(request: ImageRequest, engine: Engine | None = None) -> list[PictureMade]:
    """The finished pictures of a request."""
    return [event for event in play(request, engine) if isinstance(event, PictureMade)]


def picture(request: ImageRequest, engine: Engine | None = None) -> Pixels:
    """The one picture of a request."""
    (made,) = pictures(request, engine)
    return made.pixels


def film(request: ImageRequest, engine: Engine | None = None) -> list[Pixels]:
    """The frames of a request, in order."""
    made = [event for event in play(request, engine) if isinstance(event, FrameMade)]
    assert [frame.index for frame in made] == list(range(len(made)))
    assert all(frame.total == len(made) for frame in made)
    return [frame.pixels for frame in made]


def saved(pixels: Pixels, path: Path) -> str:
    """Write a picture losslessly and return its path for a request."""
    Image.fromarray(pixels).save(path, "PNG")
    return str(path)


def painted(side: int, seed: int = 0) -> Pixels:
    """An opaque picture full of colour, ``(side, side, 4) uint8``."""
    made = np.random.default_rng(seed).integers(0, 256, (side, side, 4)).astype(np.uint8)
    made[..., 3] = 255
    return made
