"""Recipes inside results: written into PNG, JPEG, WebP, GIF and MP4, and read back.

PNG holds two texts: ``parameters`` in the form of the AUTOMATIC1111 web UI, which many programs show, and ``reverie``,
versioned JSON. The other containers hold one text; there the JSON is the last field of the same ``parameters`` text.
"""

import hashlib
import io
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec

from studio.core.errors import BadInputError
from studio.core.events import Pixels, RunFacts
from studio.core.recipe import RECIPE_VERSION, Recipe, Restored
from studio.core.requests import ImageRequest, Request
from studio.runtime.foreign_recipes import read_foreign
from studio.runtime.metadata import COMMENT, exif_with_comment, read_texts

if TYPE_CHECKING:  # Pillow is loaded when the first picture is written: the first window does not need it
    from PIL import Image, PngImagePlugin

PictureFormat = Literal["png", "jpeg", "webp"]
SUFFIXES: dict[PictureFormat, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
KEY = "reverie"
_FIELD = 'Reverie: "'
_EXIF_LIMIT_BYTES = 60_000  # an APP1 segment of a JPEG ends at 65,535
_PAPER = (255, 255, 255)


def make_recipe(
    request: Request,
    facts: RunFacts,
    *,
    model_name: str,
    model_sha256: str,
    created: datetime,
    pixels: Pixels | None = None,
) -> Recipe:
    """The recipe of a result; ``pixels`` is None for films."""
    return Recipe(
        version=RECIPE_VERSION,
        request=request,
        model_name=model_name,
        model_sha256=model_sha256,
        provider=facts.provider,
        versions=dict(facts.versions),
        pixels_sha256="" if pixels is None else pixels_hash(pixels),
        seconds=round(facts.seconds, 3),
        created=created.astimezone().isoformat(timespec="milliseconds"),
    )


def pixels_hash(pixels: Pixels) -> str:
    """SHA-256 of the shape and the straight RGBA bytes."""
    height, width = pixels.shape[:2]
    return hashlib.sha256(f"{width}x{height}:".encode() + pixels.tobytes()).hexdigest()


def prompt_of(request: Request) -> str:
    """What the artist asked for in words: the prompt, or the classes with their weights."""
    prompt = request.controls.get("prompt")
    if isinstance(prompt, str) and prompt:
        return prompt
    weights = {name: weight for name, weight in request.labels.items() if weight}
    if len(weights) == 1:
        return next(iter(weights))
    return ", ".join(f"({name}:{weight:g})" for name, weight in weights.items())


def parameters_text(recipe: Recipe, *, size_px: tuple[int, int], with_json: bool) -> str:
    """The recipe as ``parameters`` of the AUTOMATIC1111 web UI; ``with_json`` appends ours as the last field."""
    request = recipe.request
    controls = request.controls
    fields: dict[str, object] = {
        "Steps": controls.get("steps", 1),
        "Sampler": controls.get("sampler", ""),
        "Schedule type": controls.get("schedule", ""),
        "CFG scale": controls.get("guidance", ""),
        "Seed": request.seed,
        "Size": f"{size_px[0]}x{size_px[1]}",
        "Model hash": recipe.model_sha256[:10],
        "Model": recipe.model_name or request.package,
        "Denoising strength": request.strength if request.source else "",
    }
    known = {"prompt", "negative_prompt", "steps", "sampler", "schedule", "guidance"}
    fields |= {name.replace(":", " "): value for name, value in controls.items() if name not in known}
    lines = [_printable(prompt_of(request))]
    if negative := str(controls.get("negative_prompt", "")):
        lines.append(f"Negative prompt: {_printable(negative)}")
    line = ", ".join(f"{key}: {_quoted(value)}" for key, value in fields.items() if value != "")
    line += ", Version: Reverie"
    if with_json:
        line += f", Reverie: {json.dumps(msgspec.json.encode(recipe).decode())}"
    return "\n".join([*lines, line]).lstrip("\n")


def picture_bytes(pixels: Pixels, file_format: PictureFormat, recipe: Recipe | None) -> bytes:
    """The file of a picture with its recipe inside, or clean when ``recipe`` is None.

    PNG and WebP keep every bit and the alpha; JPEG has no alpha and is laid on white.

    Raises:
        BadInputError: the recipe is too long for this format.
    """
    from PIL import Image

    height, width = pixels.shape[:2]
    image = Image.fromarray(pixels)
    if pixels[..., 3].min(initial=255) == 255:
        image = image.convert("RGB")
    out = io.BytesIO()
    if file_format == "png":
        image.save(out, "PNG", pnginfo=_png_texts(recipe, (width, height)))
        return out.getvalue()
    exif = b"" if recipe is None else _exif(recipe, (width, height))
    if file_format == "webp":
        image.save(out, "WEBP", lossless=True, exact=True, exif=exif)
        return out.getvalue()
    _on_paper(image).save(out, "JPEG", quality=95, subsampling=0, exif=exif)
    return out.getvalue()


def fits(recipe: Recipe, file_format: PictureFormat) -> bool:
    """Whether the recipe can go into a file of this format."""
    return file_format == "png" or len(_exif_text(recipe, (99_999, 99_999))) < _EXIF_LIMIT_BYTES // 2


def read_recipe(path: Path) -> Restored | None:
    """What a file says about how it was made; None when it says nothing.

    Raises:
        BadInputError: the file is gone, damaged, or not of a kind that can carry a recipe.
    """
    texts = read_texts(path)
    own = texts.get(KEY) or _own_field(texts.get(COMMENT, ""))
    if own:
        return _restored(own)
    return read_foreign(texts)


def _restored(text: str) -> Restored:
    try:
        raw: object = json.loads(text)
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict) or not isinstance(cast("dict[str, Any]", raw).get("request"), dict):
        return Restored(KEY, problems=("The recipe inside the file is damaged and could not be read.",))
    data = cast("dict[str, Any]", raw)
    problems = _newer(data)
    wanted = cast("dict[str, Any]", data["request"])
    unknown = sorted(set(wanted) - set(ImageRequest.__struct_fields__) - {"type"})
    data["request"] = {key: value for key, value in wanted.items() if key not in unknown}
    problems += [f"The setting {key!r} is not known to this Reverie and was left out." for key in unknown]
    try:
        recipe = msgspec.convert(data, Recipe)
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        return Restored(KEY, problems=(*problems, f"The recipe inside the file does not fit: {error}."))
    request = recipe.request
    return Restored(
        KEY,
        recipe=recipe,
        prompt=str(request.controls.get("prompt", "")),
        negative_prompt=str(request.controls.get("negative_prompt", "")),
        seed=request.seed,
        values={name: str(value) for name, value in request.controls.items()},
        problems=tuple(problems),
    )


def _newer(data: dict[str, Any]) -> list[str]:
    version = data.get("version")
    if isinstance(version, int) and version > RECIPE_VERSION:
        return [f"The file was made by a later Reverie (recipe version {version}); some settings may be missing."]
    return []


def _own_field(text: str) -> str:
    """Our JSON, the last field of a ``parameters`` text. Quotes inside it are escaped, so a prompt cannot fake one."""
    at = text.rfind(_FIELD)
    if at < 0:
        return ""
    try:
        value, _ = json.JSONDecoder().raw_decode(text, at + len(_FIELD) - 1)
    except ValueError:
        return "{"  # there is one, but it is damaged
    return str(value)


def _png_texts(recipe: Recipe | None, size_px: tuple[int, int]) -> "PngImagePlugin.PngInfo":
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    if recipe is not None:
        # add_text writes tEXt when the text is Latin-1, else iTXt.
        info.add_text("parameters", parameters_text(recipe, size_px=size_px, with_json=False))
        info.add_text(KEY, msgspec.json.encode(recipe).decode())
    return info


def _exif_text(recipe: Recipe, size_px: tuple[int, int]) -> str:
    return parameters_text(recipe, size_px=size_px, with_json=True)


def _exif(recipe: Recipe, size_px: tuple[int, int]) -> bytes:
    data = exif_with_comment(_exif_text(recipe, size_px))
    if len(data) > _EXIF_LIMIT_BYTES:
        raise BadInputError("The recipe of this picture is too long for JPEG and WebP.", "Save it as PNG.")
    return data


def _on_paper(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    if image.mode == "RGB":
        return image
    paper = Image.new("RGBA", image.size, (*_PAPER, 255))
    return Image.alpha_composite(paper, image).convert("RGB")


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter in "\n\t" or ord(letter) >= 32)


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ',:\n\r"') else text
