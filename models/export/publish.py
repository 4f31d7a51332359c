"""A trained network becomes a package: staged, checked against its original, then visible in one step."""

import copy
import hashlib
import importlib.metadata
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save as encode_tensors
from torch import Tensor, nn

from models.core.family import GraphExport, PackageParts
from models.core.setup import Job
from models.core.sheets import sheet_labels, sheet_png
from models.export.graphs import export_graph
from models.export.parity import check_graph, check_pictures, require
from studio.core.manifest import (
    FORMAT,
    MANIFEST_NAME,
    ORIGINAL_NAME,
    PREVIEW_NAME,
    FileSpec,
    GraphSpec,
    Manifest,
    Metric,
    Origin,
    ParityCheck,
    Size,
    TrainingBlock,
    encode_manifest,
)
from studio.core.package import Package
from studio.runtime.atomic import part_path, publish_folder, storage_error
from studio.runtime.packages import open_package
from studio.runtime.pixels import to_picture

PREVIEW_ITEMS = 16
WHOLE_SAMPLES = 4
_PINNED = ("torch", "onnx", "onnxscript", "onnxruntime-gpu", "onnxruntime", "numpy")

Play = Callable[[Package, list[int], Tensor], NDArray[np.uint8]]
"""``(package, seeds, labels (N, K)) -> (N, H, W, 4) uint8``: the studio's own pipeline."""


@dataclass(frozen=True)
class Description:
    """What a package says of itself beyond what was measured while it was made.

    Empty fields of a fine-tune are taken from its base package.
    """

    summary: str = ""
    dataset: str = ""
    licence: str = ""
    credit: str = ""
    command: str = ""
    training: TrainingBlock | None = None
    metrics: tuple[Metric, ...] = field(default_factory=tuple)


def publish(
    job: Job,
    network: nn.Module,
    *,
    step: int,
    description: Description,
    play: Play | None = None,
    checking: Callable[[], None] = lambda: None,
) -> tuple[Path, tuple[ParityCheck, ...]]:
    """Make the package of ``job`` in its run folder; returns its folder and the checks that it passed.

    Args:
        job: the run.
        network: with the weights to publish; it is copied, not changed.
        step: steps trained.
        description: words and metrics for the manifest.
        play: the studio's pipeline, to compare whole samples; None compares graphs alone.
        checking: called when the graphs are written and the comparison begins.

    Raises:
        TrainingError: a graph cannot be exported or differs from the original. Nothing is visible then.
        StorageError: the disk is full or gone.
    """
    # On the processor and in the plain memory layout: what is exported must not depend on where it was trained.
    frozen = copy.deepcopy(network).to("cpu", memory_format=torch.contiguous_format).eval()  # pyright: ignore[reportCallIssue, reportUnknownMemberType, reportUnknownVariableType]
    target = job.run / "package" / job.spec.package_id
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = part_path(target.parent)
    try:
        staging.mkdir()
        parts = job.family.parts(frozen, job.config, job.data)
        frozen.eval()
        graphs = job.family.graphs(frozen, job.config)
        specs = {graph.role: export_graph(graph, staging) for graph in graphs}
        checking()
        checks = _graph_checks(graphs, specs, staging)
        require(checks)
        files = _side_files(job, frozen, parts, staging)
        manifest = _manifest(job, parts, step=step, description=description, graphs=specs, files=files, parity=checks)
        _write_manifest(staging, manifest)
        if play is not None:
            checks = (*checks, _sample_check(job, frozen, play, open_package(staging, trusted=True)))
            require(checks)
            _write_manifest(staging, msgspec.structs.replace(manifest, parity=checks))
        open_package(staging, trusted=True)
        publish_folder(staging, target)
    except OSError as error:
        raise storage_error(error, target, 0) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return target, checks


def _graph_checks(
    graphs: tuple[GraphExport, ...], specs: dict[str, GraphSpec], staging: Path
) -> tuple[ParityCheck, ...]:
    return tuple(check for graph in graphs for check in check_graph(graph, staging / specs[graph.role].file))


def _sample_check(job: Job, network: nn.Module, play: Play, package: Package) -> ParityCheck:
    seeds = list(range(WHOLE_SAMPLES))
    labels = sheet_labels(len(seeds), len(package.manifest.labels))
    with torch.no_grad():
        images = job.family.sample(network, job.config, seeds=seeds, labels=labels)
    return check_pictures(np.stack([to_picture(image) for image in images]), play(package, seeds, labels))


def _side_files(job: Job, network: nn.Module, parts: PackageParts, staging: Path) -> dict[str, FileSpec]:
    tensors = {name: value.detach().clone().contiguous() for name, value in network.state_dict().items()}
    labels = sheet_labels(PREVIEW_ITEMS, len(job.data.facts.labels))
    with torch.no_grad():
        images = job.family.sample(network, job.config, seeds=list(range(PREVIEW_ITEMS)), labels=labels)
    files = {
        "original": (ORIGINAL_NAME, encode_tensors(tensors)),
        "preview": (PREVIEW_NAME, sheet_png(images)),
        **{Path(name).stem: (name, data) for name, data in parts.files.items()},
    }
    specs: dict[str, FileSpec] = {}
    for role, (name, data) in files.items():
        (staging / name).write_bytes(data)
        specs[role] = FileSpec(name, hashlib.sha256(data).hexdigest(), len(data))
    return specs


def _write_manifest(staging: Path, manifest: Manifest) -> None:
    (staging / MANIFEST_NAME).write_bytes(encode_manifest(manifest))


def _manifest(
    job: Job,
    parts: PackageParts,
    *,
    step: int,
    description: Description,
    graphs: dict[str, GraphSpec],
    files: dict[str, FileSpec],
    parity: tuple[ParityCheck, ...],
) -> Manifest:
    facts, base = job.data.facts, job.base.manifest if job.base is not None else None
    metrics = description.metrics
    return Manifest(
        format=FORMAT,
        id=job.spec.package_id,
        name=job.spec.package_name,
        summary=description.summary or _fine_tune_summary(base),
        modality="image",
        pipeline=job.family.pipeline,
        family=job.family.id,
        config=_plain(job.config),
        graphs=graphs,
        licence=job.spec.licence or description.licence or (base.licence if base else ""),
        origin=_origin(job, step=step, description=description),
        files=files,
        controls=parts.controls,
        settings=dict(parts.settings),
        labels=facts.labels if _conditional(graphs) else (),
        size=Size(facts.width_px, facts.height_px, facts.channels),
        training=description.training or (base.training if base else None),
        metrics=metrics,
        parity=parity,
        quality="good" if metrics and all(metric.beats_baseline for metric in metrics) else "experimental",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _conditional(graphs: Mapping[str, GraphSpec]) -> bool:
    """The data may have classes that the network never sees; only an input ``y`` makes them a control."""
    return any(tensor.name == "y" for graph in graphs.values() for tensor in graph.inputs)


def _origin(job: Job, *, step: int, description: Description) -> Origin:
    base = job.base
    return Origin(
        dataset=description.dataset or Path(job.spec.dataset).name,
        dataset_sha256=job.data.digest,
        items=job.data.facts.items,
        licence=job.spec.licence or description.licence,
        credit=description.credit or (base.manifest.origin.credit if base else ""),
        consent=job.spec.consent,
        parent=base.manifest.id if base else "",
        parent_sha256=base.sha256 if base else "",
        command=description.command or "python -m models train RUN",
        seed=int(job.settings["seed"]),
        steps=step,
        versions=_versions(),
    )


def _fine_tune_summary(base: Manifest | None) -> str:
    return f"Trained further from {base.name}." if base else ""


def _plain(config: msgspec.Struct) -> dict[str, Any]:
    return msgspec.json.decode(msgspec.json.encode(config), type=dict[str, Any])


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _PINNED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
