"""``reverie list``, ``families`` and ``import``."""

import ast
from collections.abc import Collection, Sequence
from pathlib import Path

from studio.cli.output import Say, fail
from studio.cli.workshop import open_workshop
from studio.core.errors import PackageError, StudioError
from studio.core.families_table import SYSTEMS, System
from studio.core.model_card import model_card
from studio.core.package import Package
from studio.runtime.catalogue import find_models
from studio.runtime.pipelines import PIPELINES

_TRAINER = Path(__file__).resolve().parents[2] / "models" / "families" / "__init__.py"


def list_packages(say: Say) -> None:
    """Print every model, and what is wrong with those that cannot be listed."""
    scan = open_workshop().catalogue.scan()
    rows: list[dict[str, object]] = []
    for package in scan.packages:
        card = model_card(package)
        rows.append(
            {
                "id": card.id,
                "name": card.name,
                "family": package.manifest.family,
                "makes": card.size,
                "disk": card.disk,
                "licence": card.licence,
                "quality": package.manifest.quality,
                "bundled": package.bundled,
                "trained_on": card.trained_on,
                "figures": [figure.words for figure in card.figures],
                "parity": card.parity,
                "controls": [control.name for control in package.manifest.controls],
                "labels": package.manifest.labels,
                "sha256": package.sha256,
                "folder": str(package.folder),
            }
        )
    say.table("Models", ("id", "name", "family", "makes", "disk", "licence", "quality"), rows)
    for problem in scan.problems:
        fail(f"{problem.path}: {problem.error.message}", problem.error.hint, as_json=say.as_json)


def list_families(say: Say) -> None:
    """Print every system with its state, worked out from what is installed here."""
    packages = open_workshop().catalogue.scan().packages
    trained = trained_families(_TRAINER)
    rows = [
        {
            "id": system.id,
            "name": system.name,
            "chapter": system.chapter or "",
            "medium": system.medium,
            "state": state_of(system, packages, trained),
            "models": [package.manifest.id for package in packages if package.manifest.family == system.id],
        }
        for system in SYSTEMS
    ]
    say.table("Systems", ("id", "name", "chapter", "medium", "state"), rows)


def state_of(system: System, packages: Sequence[Package], trained: Collection[str]) -> str:
    """``planned``, ``trains``, ``exports``, ``plays`` or ``beats baseline``: the furthest that the facts show."""
    if system.reference_only:
        return "reference only"
    own = [package.manifest for package in packages if package.manifest.family == system.id]
    if any(manifest.quality == "good" and manifest.pipeline in PIPELINES for manifest in own):
        return "beats baseline"
    if any(manifest.pipeline in PIPELINES for manifest in own):
        return "plays"
    if own:
        return "exports"
    return "trains" if system.id in trained else "planned"


def trained_families(table: Path) -> frozenset[str]:
    """Ids in the trainer's table of families, read from its source: importing it would load torch."""
    try:
        tree = ast.parse(table.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return frozenset()  # an installation without the trainer trains nothing
    return frozenset(
        key.value
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "FAMILIES"
        if isinstance(node.value, ast.Dict)
        for key in node.value.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    )


def import_paths(paths: Sequence[Path], say: Say) -> None:
    """Import everything; what cannot come in is told, and the rest goes on.

    Raises:
        PackageError: something could not be imported.
    """
    catalogue = open_workshop().catalogue
    found = [inside for path in paths for inside in ((path,) if not path.is_dir() else find_models(path))]
    if not found:
        raise PackageError("There is no model in what was given.", "Give a .reverie file or a package folder.")
    failed = 0
    for path in found:
        before = {package.folder for package in catalogue.scan().packages}
        try:
            package = catalogue.import_path(path)
        except StudioError as error:
            if len(found) == 1:
                raise
            failed += 1
            fail(f"{path}: {error.message}", error.hint, as_json=say.as_json)
            continue
        new = package.folder not in before
        fields = {"id": package.manifest.id, "name": package.manifest.name, "folder": str(package.folder), "new": new}
        words = f"Imported {package.manifest.name} as {package.manifest.id}."
        say.fact(fields, words if new else f"{package.manifest.name} is in the library already.")
    if failed:
        raise PackageError(f"{failed} of {len(found)} models could not be imported.", "The reasons stand above.")
