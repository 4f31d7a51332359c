"""The model package's ``manifest.json``: what a model is, what it needs and how good it was measured to be.

A package is a folder (or the same folder zipped as ``name.reverie``)::

    manifest.json           this file
    *.onnx                  deterministic graphs; every random tensor is a named input
    original.safetensors    the PyTorch original, so that it can be fine-tuned (never a pickle)
    preview.png             what it makes

Pictures inside graphs are ``(B, C, H, W) float32 in [-1, 1]``; with four channels the colour is premultiplied by alpha.
"""

import re
from typing import Any, Literal

import msgspec

from studio.core.errors import NewerFormatError, PackageError
from studio.core.params import Param

FORMAT = 1
MANIFEST_NAME = "manifest.json"
ORIGINAL_NAME = "original.safetensors"
PREVIEW_NAME = "preview.png"

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings shared by the manifest's parts: immutable, unknown keys refused."""


class TensorSpec(_Part, frozen=True):
    """One named input or output of a graph. ``axes``: an int is fixed, a string is a dynamic axis such as ``batch``."""

    name: str
    dtype: Literal["float32", "int64", "bool"]
    axes: tuple[int | str, ...]


class GraphSpec(_Part, frozen=True):
    """One ONNX graph. ``file`` is a plain file name inside the package."""

    file: str
    sha256: str
    bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class FileSpec(_Part, frozen=True):
    """A file of the package that is not a graph."""

    file: str
    sha256: str
    bytes: int


class Size(_Part, frozen=True):
    """Picture size in pixels and channels (1 grey, 3 RGB, 4 RGBA)."""

    width_px: int
    height_px: int
    channels: int


class Metric(_Part, frozen=True):
    """A figure measured on held-out data, with the trivial baseline that it must beat.

    ``better`` says which direction is good. ``command`` and ``seed`` repeat the measurement.
    """

    name: str
    value: float
    baseline: float
    baseline_name: str
    better: Literal["lower", "higher"]
    command: str
    seed: int
    note: str = ""

    @property
    def beats_baseline(self) -> bool:
        """True when the value is strictly better than the baseline."""
        return self.value < self.baseline if self.better == "lower" else self.value > self.baseline


class ParityCheck(_Part, frozen=True):
    """One check of an exported graph against its PyTorch original. ``value`` is compared with ``limit``."""

    graph: str
    check: str
    value: float
    limit: float
    passed: bool


class Origin(_Part, frozen=True):
    """Where the weights come from. ``parent``, ``parent_sha256``: the base package of a fine-tune (or empty)."""

    dataset: str
    dataset_sha256: str
    items: int
    licence: str
    credit: str = ""
    consent: str = ""
    parent: str = ""
    parent_sha256: str = ""
    command: str = ""
    seed: int = 0
    steps: int = 0
    versions: dict[str, str] = {}


class Preset(_Part, frozen=True):
    """Named hyper-parameters for the wizard. ``values`` are keys of `studio.core.protocol.RunSpec.settings`."""

    name: str
    help: str
    values: dict[str, float | int | str | bool]


class TrainingBlock(_Part, frozen=True):
    """What it takes to fine-tune this package. ``layout``: one sentence on what a dropped data set must look like."""

    minimum_items: int
    layout: str
    presets: tuple[Preset, ...]
    params: tuple[Param, ...] = ()


class Manifest(_Part, frozen=True, omit_defaults=True):
    """A model package.

    Attributes:
        format: version of this format; a larger one than `FORMAT` is refused with `NewerFormatError`.
        id: lower-case identity, unique in a library.
        pipeline: key of the pipeline table, such as ``latent-image/1``.
        family: id in `studio.core.families_table`, such as ``VAE2``; ``config`` rebuilds its network.
        graphs: role (``decode``, ``encode``, ``denoise``) to graph.
        controls: what the pane shows; beside them every pipeline has a seed.
        settings: constants of the pipeline (latent size, schedule, prediction, attribute directions' names ...).
        labels: class names in the order of the one-hot input; empty when unconditional.
        quality: ``good`` only when every metric beats its baseline; ``experimental`` otherwise.
    """

    format: int
    id: str
    name: str
    summary: str
    modality: Literal["image", "text", "music", "world"]
    pipeline: str
    family: str
    config: dict[str, Any]
    graphs: dict[str, GraphSpec]
    licence: str
    origin: Origin
    files: dict[str, FileSpec] = {}
    controls: tuple[Param, ...] = ()
    settings: dict[str, Any] = {}
    labels: tuple[str, ...] = ()
    size: Size | None = None
    training: TrainingBlock | None = None
    metrics: tuple[Metric, ...] = ()
    parity: tuple[ParityCheck, ...] = ()
    quality: Literal["good", "experimental"] = "experimental"
    created: str = ""

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(f"id {self.id!r} must be lower-case letters, digits, '.', '_' or '-'")
        names = [part.file for part in (*self.graphs.values(), *self.files.values())]
        for name in names:
            if not _FILE.fullmatch(name) or name == MANIFEST_NAME:
                raise ValueError(f"file name {name!r} is not a plain file name")
        if len({name.lower() for name in names}) != len(names):
            raise ValueError("two entries name the same file")
        if len({param.name for param in self.controls}) != len(self.controls):
            raise ValueError("two controls have the same name")


class _Version(msgspec.Struct):
    format: int


def decode_manifest(data: bytes) -> Manifest:
    """Parse and check ``manifest.json``.

    Raises:
        NewerFormatError: the format is later than this Reverie's.
        PackageError: not JSON, a missing or unknown key, a value of the wrong type, an unsafe file name.
    """
    try:
        version = msgspec.json.decode(data, type=_Version).format
        if version > FORMAT:
            raise NewerFormatError(
                f"This model uses package format {version}; this Reverie reads up to {FORMAT}.",
                "Update Reverie to open it.",
            )
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise PackageError(
            f"The model's manifest.json cannot be read: {error}.", "Ask for a fresh copy of the package."
        ) from error


def encode_manifest(manifest: Manifest) -> bytes:
    """The manifest as readable UTF-8 JSON with a final newline."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
