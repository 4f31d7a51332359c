"""Requests: one frozen object carries everything a generation needs.

Same request + same package + same seed = same bytes. History, undo, recipes inside files, the queue, bug reports and
tests are all "keep the request".
"""

from typing import Literal

import msgspec

from studio.core.params import Value

SEED_LIMIT = 2**53
"""Seeds are below this, so that JSON readers that use doubles keep them exact."""


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A place in a model's latent space.

    Attributes:
        seed: the noise stream that gives the place when ``vector`` is empty.
        vector: the place itself, ``(D,)``; latent-image models only.
        labels: class weights by class name at this place.
        controls: values that differ here from the request's own (attribute sliders of a saved point).
    """

    seed: int = 0
    vector: tuple[float, ...] = ()
    labels: dict[str, float] = {}
    controls: dict[str, Value] = {}


class ImageRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="image"):
    """Make pictures or a film.

    Attributes:
        package: id of the model package.
        package_sha256: hash of its manifest, so that a replay can say "different model"; may be empty.
        seed: picture ``i`` of a batch uses ``seed + i``.
        count: how many pictures, at least 1.
        controls: values by `Param.name`; absent ones take the model's default.
        labels: class weights by class name; empty means unconditional (the first class where the model must have one).
        point: explicit place in the latent space instead of the seed's; latent-image models only.
        source: picture to start from (a file in the library's inputs folder); empty for none.
        strength: how far to leave ``source``: 0 returns it, 1 ignores it.
        mask: grey picture of ``source``'s size, white where the picture may change; empty for none.
        path: places to travel through; when not empty the result is a film.
        frames: frames between two neighbouring places of ``path``.
        loop: return from the last place to the first, without a seam.
        fps: frames per second of the film.
        film_format: container of the film.
    """

    package: str
    seed: int = 0
    package_sha256: str = ""
    count: int = 1
    controls: dict[str, Value] = {}
    labels: dict[str, float] = {}
    point: Point | None = None
    source: str = ""
    strength: float = 0.6
    mask: str = ""
    path: tuple[Point, ...] = ()
    frames: int = 24
    loop: bool = False
    fps: int = 24
    film_format: Literal["gif", "mp4"] = "mp4"

    def __post_init__(self) -> None:
        if not 0 <= self.seed < SEED_LIMIT:
            raise ValueError(f"seed {self.seed} must be from 0 to {SEED_LIMIT - 1}")
        if not 1 <= self.count <= 1024:
            raise ValueError(f"count {self.count} must be from 1 to 1024")
        if not 0.0 <= self.strength <= 1.0:
            raise ValueError(f"strength {self.strength} must be from 0 to 1")
        if not 1 <= self.frames <= 10_000 or not 1 <= self.fps <= 120:
            raise ValueError("frames must be from 1 to 10000 and fps from 1 to 120")


Request = ImageRequest
"""Any request. A later medium adds its own struct to this union; the tag keeps them apart in JSON."""


def encode_request(request: Request) -> bytes:
    """Canonical JSON of a request: same request, same bytes."""
    return msgspec.json.encode(request, order="deterministic")


def decode_request(data: bytes | str) -> Request:
    """The request in ``data``; raises `msgspec.ValidationError` or `ValueError` when it is not one."""
    return msgspec.json.decode(data, type=Request)
