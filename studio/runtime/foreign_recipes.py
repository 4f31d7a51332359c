"""What other programs write into their pictures: AUTOMATIC1111, Fooocus, ComfyUI, InvokeAI and plain JSON.

Nothing is executed or trusted: texts are capped by `metadata`, graphs are walked with a limit, unknown things become a
sentence about what could not be restored.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from studio.core.recipe import Restored
from studio.core.requests import SEED_LIMIT
from studio.runtime.metadata import COMMENT

_A1111_FIELD = re.compile(r'\s*(\w[\w \-/]{0,60}):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)')
_WALK_LIMIT = 64
_VALUE_LIMIT = 2_000

_NAMES = {
    "prompt": ("prompt", "positive_prompt", "full_prompt", "Prompt", "caption"),
    "negative_prompt": ("negative_prompt", "negativeprompt", "uc", "Negative prompt", "Negative Prompt", "negative"),
    "seed": ("seed", "Seed", "noise_seed"),
    "steps": ("steps", "Steps", "num_inference_steps"),
    "guidance": ("cfg_scale", "guidance_scale", "CFG scale", "cfgscale", "cfg", "scale", "Guidance Scale"),
    "sampler": ("sampler", "sampler_name", "Sampler"),
    "schedule": ("scheduler", "Scheduler", "Schedule type"),
    "strength": ("strength", "denoise", "denoising_strength", "Denoising strength"),
    "width": ("width", "Width"),
    "height": ("height", "Height"),
    "model": ("model", "Model", "base_model", "Base Model", "ckpt_name", "model_name", "sd_model_name"),
}


def read_foreign(texts: Mapping[str, str]) -> Restored | None:
    """What the metadata of another program says; None when there is none that we know."""
    readers: tuple[tuple[str, Callable[[Mapping[str, str]], Restored | None]], ...] = (
        ("fooocus_scheme", _fooocus),
        ("invokeai_metadata", _invokeai),
        ("sd-metadata", _invokeai),
        ("prompt", _comfyui),
        ("workflow", _comfyui),
        ("parameters-json", _plain_json),
        ("parameters", _parameters),
        (COMMENT, _parameters),
    )
    for key, read in readers:
        if texts.get(key):
            found = read(texts)
            if found is not None:
                return found
    return None


def read_a1111(text: str) -> Restored | None:
    """A ``parameters`` text: prompt, ``Negative prompt:`` and a last line of ``Key: value`` pairs."""
    lines = text.strip().split("\n")
    fields = _a1111_fields(lines[-1])
    if len(fields) < 3 or not {"Steps", "Seed"} & set(fields):
        return None
    positive: list[str] = []
    negative: list[str] = []
    target = positive
    for line in lines[:-1]:
        if line.startswith("Negative prompt:"):
            target = negative
            target.append(line.removeprefix("Negative prompt:").strip())
        else:
            target.append(line)
    size = re.fullmatch(r"(\d{1,6})x(\d{1,6})", fields.get("Size", ""))
    if size:
        fields |= {"width": size[1], "height": size[2]}
    return _restored(
        "a1111", fields, prompt="\n".join(positive).strip(), negative="\n".join(negative).strip(), left=_extras(fields)
    )


def _a1111_fields(line: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    for match in _A1111_FIELD.finditer(line):
        value = match[2].strip()
        if value.startswith('"'):
            try:
                value = str(json.loads(value))
            except ValueError:
                value = value.strip('"')
        fields.setdefault(match[1].strip(), value)
    return fields


def _extras(fields: Mapping[str, str]) -> list[str]:
    """Things of the web UI that change the picture and that we have no counterpart for."""
    marks = ("Lora", "Hires", "ControlNet", "ADetailer", "Refiner", "TI hashes", "VAE", "Clip skip", "Ultimate SD")
    return sorted({key for key in fields if key.startswith(marks)})


def _parameters(texts: Mapping[str, str]) -> Restored | None:
    text = texts.get("parameters") or texts.get(COMMENT, "")
    data = _json(text)
    if data is None:
        return read_a1111(text)
    nested: object = data.get("sui_image_params")
    if isinstance(nested, dict):
        data = cast("dict[str, Any]", nested)
    source = "fooocus" if "base_model" in data or "Fooocus" in str(data.get("version", "")) else "json"
    return _from_json(source, data)


def _fooocus(texts: Mapping[str, str]) -> Restored | None:
    text = texts.get("parameters") or texts.get(COMMENT, "")
    data = _json(text)
    if data is not None:
        return _from_json("fooocus", data)
    found = read_a1111(text)
    return None if found is None else _relabelled(found, "fooocus")


def _relabelled(found: Restored, source: str) -> Restored:
    return Restored(
        source,
        prompt=found.prompt,
        negative_prompt=found.negative_prompt,
        seed=found.seed,
        values=found.values,
        problems=found.problems,
    )


def _invokeai(texts: Mapping[str, str]) -> Restored | None:
    data = _json(texts.get("invokeai_metadata") or texts.get("sd-metadata", ""))
    if data is None:
        return None
    image: object = data.get("image")  # the older sd-metadata keeps its fields one level down
    if isinstance(image, dict):
        data |= cast("dict[str, Any]", image)
    model: object = data.get("model")
    if isinstance(model, dict):
        named = cast("dict[str, Any]", model)
        data["model"] = named.get("name") or named.get("model_name") or ""
    prompt: object = data.get("prompt")
    if isinstance(prompt, list) and prompt and isinstance(prompt[0], dict):
        data["prompt"] = cast("dict[str, Any]", prompt[0]).get("prompt", "")
    return _from_json("invokeai", data)


def _plain_json(texts: Mapping[str, str]) -> Restored | None:
    data = _json(texts.get("parameters-json", ""))
    return None if data is None else _from_json("json", data)


def _from_json(source: str, data: dict[str, Any]) -> Restored | None:
    flat = {key: str(value) for key, value in data.items() if isinstance(value, str | int | float | bool)}
    if not any(name in flat for names in (_NAMES["prompt"], _NAMES["seed"]) for name in names):
        return None
    resolution = re.findall(r"\d{1,6}", str(data.get("resolution", "")))
    if len(resolution) == 2:
        flat |= {"width": resolution[0], "height": resolution[1]}
    left = sorted(
        key for key in data if key in ("loras", "lora", "controlnets", "refiner_model", "ipAdapters") and data[key]
    )
    return _restored(source, flat, prompt=_pick(flat, "prompt"), negative=_pick(flat, "negative_prompt"), left=left)


def _comfyui(texts: Mapping[str, str]) -> Restored | None:
    graph = _json(texts.get("prompt", ""))
    if graph is not None and any(isinstance(node, dict) and "class_type" in node for node in graph.values()):
        return _comfyui_prompt(graph)
    if _json(texts.get("workflow", "")) is None:
        return None
    return Restored(
        "comfyui",
        problems=(
            "The file holds only a ComfyUI workflow drawing, without the values that were used; nothing was restored.",
        ),
    )


def _comfyui_prompt(graph: dict[str, Any]) -> Restored:
    nodes = {key: cast("dict[str, Any]", node) for key, node in graph.items() if isinstance(node, dict)}
    sampler = next((node for node in nodes.values() if "KSampler" in str(node.get("class_type"))), None)
    if sampler is None:
        sampler = next((node for node in nodes.values() if "Sampler" in str(node.get("class_type"))), {})
    inputs = _inputs(sampler)
    values = {key: str(value) for key, value in inputs.items() if isinstance(value, str | int | float)}
    for node in nodes.values():
        for key, value in _inputs(node).items():
            if key in ("ckpt_name", "unet_name", "noise_seed", "seed", "width", "height") and not isinstance(
                value, list
            ):
                values.setdefault("ckpt_name" if key == "unet_name" else key, str(value))
    left = sorted(
        {
            str(node.get("class_type"))
            for node in nodes.values()
            if any(mark in str(node.get("class_type")) for mark in ("Lora", "ControlNet", "IPAdapter", "Upscale"))
        }
    )
    prompt, negative = (_comfyui_text(nodes, inputs.get(side)) for side in ("positive", "negative"))
    if not prompt:
        prompt = next((str(_inputs(n)["text"]) for n in nodes.values() if isinstance(_inputs(n).get("text"), str)), "")
    return _restored("comfyui", values, prompt=prompt, negative=negative, left=left)


def _inputs(node: dict[str, Any]) -> dict[str, Any]:
    inputs: object = node.get("inputs")
    return cast("dict[str, Any]", inputs) if isinstance(inputs, dict) else {}


def _comfyui_text(nodes: Mapping[str, dict[str, Any]], link: object) -> str:
    """Follow links from a sampler's input until a node holds text; gives up after `_WALK_LIMIT` nodes (cycles)."""
    waiting, seen = [link], set[str]()
    while waiting and len(seen) < _WALK_LIMIT:
        place = waiting.pop(0)
        if isinstance(place, str):
            return place
        if not isinstance(place, list) or not place:
            continue
        key = str(cast("list[object]", place)[0])
        if key in seen or key not in nodes:
            continue
        seen.add(key)
        inputs = _inputs(nodes[key])
        for name in ("text", "text_g", "string", "value", "prompt"):
            if isinstance(inputs.get(name), str):
                return str(inputs[name])
        waiting += [value for value in inputs.values() if isinstance(value, list)]
    return ""


def _json(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        data: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", data) if isinstance(data, dict) else None


def _pick(values: Mapping[str, str], what: str) -> str:
    return next((values[name] for name in _NAMES[what] if values.get(name)), "")


def _seed(text: str) -> int | None:
    # Only digits: int() of a very long or odd text raises or is slow.
    return int(text) if re.fullmatch(r"[0-9]{1,20}", text) else None


def _restored(source: str, fields: Mapping[str, str], *, prompt: str, negative: str, left: list[str]) -> Restored:
    values = {
        name: _pick(fields, name)[:_VALUE_LIMIT] for name in _NAMES if name not in ("prompt", "negative_prompt", "seed")
    }
    values = {name: value for name, value in values.items() if value}
    problems: list[str] = []
    seed = _seed(_pick(fields, "seed"))
    if seed is not None and seed >= SEED_LIMIT:
        problems.append(f"The seed {seed} is larger than Reverie's seeds and was left out.")
        seed = None
    model = values.get("model", "")
    which = f" with the model {model!r}" if model else ""
    problems.append(
        f"The picture was made by another program{which}; its noise and model are not here, "
        "so the same picture cannot be made again."
    )
    if left:
        problems.append(f"These parts have no counterpart here and were left out: {', '.join(left[:12])}.")
    return Restored(source, prompt=prompt, negative_prompt=negative, seed=seed, values=values, problems=tuple(problems))
