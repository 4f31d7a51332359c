"""The recipe inside every result: versioned JSON that makes it again."""

import msgspec

from studio.core.requests import Request

RECIPE_VERSION = 1


class Recipe(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a result was made. Unknown keys of later versions are ignored.

    Attributes:
        request: makes exactly this result again.
        model_name, model_sha256: name for people and identity of the package.
        provider: ONNX Runtime provider of the live session.
        versions: ``reverie``, ``onnxruntime``, ``optimisation`` level.
        pixels_sha256: hash of the straight RGBA bytes, for verified replay; empty for films.
        created: ISO 8601 with zone.
    """

    version: int
    request: Request
    model_name: str = ""
    model_sha256: str = ""
    provider: str = ""
    versions: dict[str, str] = {}
    pixels_sha256: str = ""
    seconds: float = 0.0
    created: str = ""


class Restored(msgspec.Struct, frozen=True):
    """What could be read from a dropped file.

    Attributes:
        recipe: ours, when there is one.
        source: what wrote it: ``reverie``, ``a1111``, ``comfyui``, ``invokeai``, ``fooocus``.
        prompt, negative_prompt, seed, values: what foreign metadata says.
        problems: one sentence each on what could not be restored.
    """

    source: str
    recipe: Recipe | None = None
    prompt: str = ""
    negative_prompt: str = ""
    seed: int | None = None
    values: dict[str, str] = {}
    problems: tuple[str, ...] = ()
