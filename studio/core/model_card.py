"""A model in plain words: what the library page and the command line say about a package, from its manifest alone."""

from dataclasses import dataclass

from studio.core.families_table import family_name, plain_name
from studio.core.manifest import Manifest, Metric
from studio.core.package import Package

_UNITS = ("bytes", "KB", "MB", "GB")


@dataclass(frozen=True)
class Figure:
    """A measured figure in words, how it was measured, and whether it beats its baseline."""

    words: str
    note: str
    beats: bool


@dataclass(frozen=True)
class ModelCard:
    """What a person wants to know of a model before choosing it.

    Attributes:
        id, name, summary: as in the manifest.
        kind: what the system does, in plain words. family: name of the system, with its id.
        size: of the pictures it makes, such as ``64 x 64 px, with transparency``.
        disk: size on the disk.
        licence: of the weights.
        trained_on: data, how much of it, its licence and credit.
        parity: how exactly the exported graphs repeat the original.
        figures: each measured figure against its baseline.
        experimental: why it is not called good; empty for a good one.
        bundled: came with the app.
        cannot_fine_tune: why not; empty when it can be.
    """

    id: str
    name: str
    summary: str
    kind: str
    family: str
    size: str
    disk: str
    licence: str
    trained_on: str
    parity: str
    figures: tuple[Figure, ...]
    experimental: str
    bundled: bool
    cannot_fine_tune: str


def model_card(package: Package) -> ModelCard:
    """The card of a package."""
    manifest = package.manifest
    return ModelCard(
        id=manifest.id,
        name=manifest.name,
        summary=manifest.summary,
        kind=plain_name(manifest.family),
        family=_system(manifest.family),
        size=_picture_size(manifest),
        disk=disk_size(sum(part.bytes for part in (*manifest.graphs.values(), *manifest.files.values()))),
        licence=manifest.licence or "not stated",
        trained_on=_trained_on(manifest),
        parity=_parity(manifest),
        figures=tuple(_figure(metric) for metric in manifest.metrics),
        experimental=_experimental(manifest),
        bundled=package.bundled,
        cannot_fine_tune=_cannot_fine_tune(manifest),
    )


def _system(family: str) -> str:
    name = family_name(family)
    return name if name == family else f"{name} ({family})"


def disk_size(size: int) -> str:
    """``12.3 MB``: decimal units, as drives count."""
    value, unit = float(size), _UNITS[0]
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"


def _picture_size(manifest: Manifest) -> str:
    if manifest.size is None:
        return ""
    kind = {1: "grey", 3: "colour", 4: "with transparency"}.get(manifest.size.channels, "")
    return f"{manifest.size.width_px} x {manifest.size.height_px} px, {kind}"


def _trained_on(manifest: Manifest) -> str:
    origin = manifest.origin
    parts = [origin.dataset or "not stated"]
    if origin.items:
        parts.append(f"{origin.items:,} items")
    if origin.licence:
        parts.append(origin.licence)
    if origin.credit:
        parts.append(origin.credit)
    words = ", ".join(parts)
    if origin.parent:
        words += f"; fine-tuned from {origin.parent}"
    if origin.consent:
        words += f'; note on rights: "{origin.consent}"'
    return words


def _parity(manifest: Manifest) -> str:
    checks = manifest.parity
    if not checks:
        return "not compared with an original"
    failed = [check for check in checks if not check.passed]
    if failed:
        names = ", ".join(f"{check.graph}: {check.check}" for check in failed[:3])
        return f"{len(failed)} of {len(checks)} checks against the original failed ({names})"
    return f"equals the PyTorch original in all {len(checks)} checks"


def _figure(metric: Metric) -> Figure:
    verdict = "better than" if metric.beats_baseline else "not better than"
    name = metric.name[:1].upper() + metric.name[1:]
    words = f"{name}: {metric.value:.4g}, {verdict} {metric.baseline_name} ({metric.baseline:.4g})"
    return Figure(words, metric.note, metric.beats_baseline)


def _experimental(manifest: Manifest) -> str:
    if manifest.quality == "good":
        return ""
    behind = [metric for metric in manifest.metrics if not metric.beats_baseline]
    if behind:
        names = ", ".join(metric.name for metric in behind[:3])
        return f"It does not beat the simple baseline in: {names}."
    if not manifest.metrics:
        return "It was not measured against a baseline."
    return "Its maker does not call it finished."


def _cannot_fine_tune(manifest: Manifest) -> str:
    if manifest.training is None:
        return "Its maker did not say how to train it further."
    if not any(part.file == "original.safetensors" for part in manifest.files.values()):
        return "It does not hold its PyTorch original."
    return ""
