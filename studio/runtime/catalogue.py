"""The catalogue: which models this machine has. Listing opens no graph; a package is checked before its first use."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from studio.core.errors import PackageError
from studio.core.manifest import MANIFEST_NAME
from studio.core.package import Package
from studio.runtime.packages import SUFFIX, check_contents, file_stamps, import_package, read_package

Verify = Callable[[Package], None]
"""Tries a foreign package where a crash harms nobody; raises `PackageError` when it must not be used."""

_Stamps = tuple[tuple[str, int, int], ...]
_MAX_DEPTH = 4
_MAX_FOLDERS = 5_000


@dataclass(frozen=True, eq=False)
class Problem:
    """A package that cannot be used, and why."""

    path: Path
    error: PackageError


@dataclass(frozen=True)
class Scan:
    """What a look through the folders found, starters first, then by name."""

    packages: tuple[Package, ...]
    problems: tuple[Problem, ...]


class Catalogue:
    """Finds packages in the bundled folder and in the artist's. Safe to use from any thread.

    Args:
        folders: where the artist's packages lie; asked at every scan, the first one is where imports go.
        bundled: the starter packages that came with the app.
        verify: tries out a foreign package before its first use; None trusts every package.
    """

    def __init__(self, folders: Callable[[], tuple[Path, ...]], bundled: Path, verify: Verify | None = None) -> None:
        self._folders = folders
        self._bundled = bundled
        self._verify = verify
        self._lock = threading.Lock()
        self._found: dict[str, Package] = {}
        self._checked: dict[Path, tuple[_Stamps, Package]] = {}

    def scan(self) -> Scan:
        """List all packages by manifest and file sizes; broken and doubled ones become problems."""
        found: dict[str, Package] = {}
        problems: list[Problem] = []
        for folder, bundled in self._package_folders():
            try:
                package = read_package(folder, bundled=bundled)
            except PackageError as error:
                problems.append(Problem(folder, error))
                continue
            first = found.setdefault(package.manifest.id, package)
            if first is not package:
                problems.append(Problem(folder, _doubled(first, package)))
        with self._lock:
            self._found = dict(found)
        ordered = sorted(found.values(), key=lambda package: (not package.bundled, package.manifest.name.lower()))
        return Scan(tuple(ordered), tuple(problems))

    def get(self, package_id: str) -> Package:
        """The package with this id, checked and safe to load.

        Raises:
            PackageError: there is none, or it was changed, is damaged or failed when it was tried out.
        """
        package = self._lookup(package_id)
        try:
            return self.check(package)
        except PackageError:
            # It may have moved or been replaced since the last scan; a fresh look decides.
            return self.check(self._rescanned(package_id))

    def check(self, package: Package) -> Package:
        """Hash and scan every file, and try out a foreign package; done once until a file changes.

        Returns:
            The package as it lies on the disk now, trusted.

        Raises:
            PackageError: it must not be used, or another package lies there now.
        """
        stamps = file_stamps(package)
        with self._lock:
            known = self._checked.get(package.folder)
        if known is not None and known[0] == stamps:
            return known[1]
        fresh = read_package(package.folder, bundled=package.bundled)
        if fresh.manifest.id != package.manifest.id:
            raise PackageError(f"Another model lies in {package.folder} now.", "Refresh the library.")
        check_contents(fresh)
        if not fresh.trusted and self._verify is not None:
            self._verify(fresh)
        checked = replace(fresh, trusted=True)
        with self._lock:
            self._checked[package.folder] = (stamps, checked)
            if self._found.get(fresh.manifest.id, fresh).folder == fresh.folder:
                self._found[fresh.manifest.id] = fresh
        return checked

    def import_path(self, source: Path) -> Package:
        """Bring a ``.reverie`` file or package folder into the first of the artist's folders, once it was tried out.

        Raises:
            PackageError, StorageError: see `studio.runtime.packages.import_package`.
        """
        into = self._folders()[0]
        taken = {package.manifest.id: package for package in self.scan().packages}
        package = import_package(source, into, taken=taken, verify=self._verify)
        with self._lock:
            self._found.setdefault(package.manifest.id, package)
        return package

    def _lookup(self, package_id: str) -> Package:
        with self._lock:
            package = self._found.get(package_id)
        return package if package is not None else self._rescanned(package_id)

    def _rescanned(self, package_id: str) -> Package:
        self.scan()
        with self._lock:
            package = self._found.get(package_id)
        if package is None:
            raise PackageError(
                f"There is no model called {package_id!r} here.", "Import it, or choose another one from the library."
            )
        return package

    def _package_folders(self) -> Iterator[tuple[Path, bool]]:
        seen: set[Path] = set()
        for root, bundled in ((self._bundled, True), *((folder, False) for folder in self._folders())):
            for folder in package_folders(root):
                place = folder.resolve()
                if place not in seen:
                    seen.add(place)
                    yield folder, bundled


def package_folders(root: Path) -> Iterator[Path]:
    """Every folder at or below ``root`` that holds a manifest, in name order; hidden folders and links are skipped."""
    return (found for found in find_models(root) if found.suffix.lower() != SUFFIX or found.is_dir())


def find_models(root: Path) -> Iterator[Path]:
    """Package folders as `package_folders`, and ``.reverie`` files, at or below ``root``; the depth is bounded."""
    waiting = [(root, 0)]
    visited = 0
    while waiting and visited < _MAX_FOLDERS:
        folder, depth = waiting.pop()
        visited += 1
        try:
            if (folder / MANIFEST_NAME).is_file():
                yield folder
                continue
            inside = sorted(
                (entry for entry in folder.iterdir() if not entry.name.startswith(".") and not entry.is_symlink()),
                reverse=True,
            )
            yield from (entry for entry in reversed(inside) if entry.suffix.lower() == SUFFIX and entry.is_file())
            if depth < _MAX_DEPTH:
                waiting.extend((entry, depth + 1) for entry in inside if entry.is_dir())
        except OSError:
            continue  # an unreadable or vanished folder holds nothing we can use


def _doubled(first: Package, second: Package) -> PackageError:
    if first.sha256 == second.sha256:
        return PackageError(
            f"{second.manifest.name!r} is in the library twice; the copy in {first.folder} is used.",
            f"Remove the copy in {second.folder}.",
        )
    return PackageError(
        f"Two different models share the id {first.manifest.id!r}; the one in {first.folder} is used.",
        "Import the other one, which gives it an id of its own.",
    )
