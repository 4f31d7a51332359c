"""An opened model package: a folder whose manifest was checked."""

from dataclasses import dataclass
from pathlib import Path

from studio.core.errors import PackageError
from studio.core.manifest import Manifest


@dataclass(frozen=True)
class Package:
    """A model package on disk.

    Attributes:
        folder: where it lies.
        manifest: its checked manifest.
        sha256: hash of ``manifest.json``, which holds the hashes of all other files: the identity of the package.
        bundled: came with the app; cannot be removed.
        trusted: made by this Reverie or bundled; a foreign one is first run in a disposable child.
    """

    folder: Path
    manifest: Manifest
    sha256: str
    bundled: bool = False
    trusted: bool = False

    def graph_path(self, role: str) -> Path:
        """Path of the graph with this role; raises `PackageError` when the package has none."""
        graph = self.manifest.graphs.get(role)
        if graph is None:
            raise PackageError(
                f"The model {self.manifest.name!r} has no {role!r} graph.", "This action needs a model that has one."
            )
        return self.folder / graph.file

    def file_path(self, role: str) -> Path | None:
        """Path of an extra file, or None when the package has none of this role."""
        spec = self.manifest.files.get(role)
        return None if spec is None else self.folder / spec.file
