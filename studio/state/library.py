"""The model library as the window sees it: what is there, importing, exporting, removing with undo."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from studio.core.errors import PackageError, StudioError
from studio.core.events import Pixels
from studio.core.model_card import ModelCard, model_card
from studio.core.package import Package
from studio.runtime.catalogue import Catalogue, Problem, Scan, find_models
from studio.runtime.package_trash import bring_back, empty_trash, put_aside
from studio.runtime.packages import SUFFIX, export_package, read_package
from studio.runtime.pictures import read_picture
from studio.runtime.speeds import Speeds
from studio.state.notices import Notice, Notices
from studio.workers.background import Background

_PREVIEW_BYTES = 8_000_000
_PREVIEW_PIXELS = 4_000_000
_MAX_IMPORTS = 200


@dataclass(frozen=True, eq=False)
class LibraryEntry:
    """One model in the library.

    Attributes:
        package: the package itself.
        card: the same in plain words.
        preview: what it makes; None when the package holds no readable preview.
        speed: measured on this machine, such as ``0.4 s a picture on CPU``; empty before the first run.
        problem: why it cannot be used; empty when it can.
    """

    package: Package
    card: ModelCard
    preview: Pixels | None = None
    speed: str = ""
    problem: str = ""


@dataclass(frozen=True, eq=False)
class _Looked:
    scan: Scan
    previews: dict[str, Pixels]


class LibraryState(QObject):
    """Lists, imports, exports and removes models. Nothing here blocks: files are read and written in the background.

    Signals:
        changed(): the list or a fact in it is another one.
        imported(str): id of a model that has just come in.
        busy_changed(bool): something is being read or written.
    """

    changed = Signal()
    imported = Signal(str)
    busy_changed = Signal(bool)

    def __init__(
        self,
        catalogue: Catalogue,
        background: Background,
        notices: Notices,
        packages_folder: Path,
        *,
        speeds: Speeds | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._catalogue = catalogue
        self._background = background
        self._notices = notices
        self._packages_folder = packages_folder
        self._speeds = speeds
        self._scan = Scan((), ())
        self._previews: dict[str, Pixels] = {}
        self._refused: dict[Path, str] = {}
        self._busy = 0
        self._loaded = False
        self._looking = False
        self._look_again = False

    @property
    def packages(self) -> tuple[Package, ...]:
        """All models that were found, starters first."""
        return self._scan.packages

    @property
    def entries(self) -> tuple[LibraryEntry, ...]:
        """All models with what a person wants to know of them."""
        return tuple(self._entry(package) for package in self._scan.packages)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Folders that hold a package which cannot be listed, and why."""
        return self._scan.problems

    @property
    def loaded(self) -> bool:
        """True once the folders were looked through for the first time."""
        return self._loaded

    @property
    def busy(self) -> bool:
        """True while anything is being read or written."""
        return self._busy > 0

    def refresh(self) -> None:
        """Look through the folders again, then check what is new; `changed` follows."""
        if self._looking:
            self._look_again = True
            return
        self._looking = True
        self._start()
        self._background.run(self._look, self._on_background_looked, self._on_background_look_failed)

    def import_paths(self, paths: Sequence[Path]) -> None:
        """Bring in ``.reverie`` files, package folders, and every package below other folders."""
        given = tuple(paths)
        self._start()
        self._background.run(
            partial(_found_in, given), self._on_background_found, partial(self._on_background_failed, "import")
        )

    def export(self, package_id: str, path: Path) -> None:
        """Write a model as one ``.reverie`` file."""
        target = path if path.suffix.lower() == SUFFIX else path.with_name(path.name + SUFFIX)
        self._start()

        def work() -> None:
            export_package(self._catalogue.get(package_id), target)

        def done(_result: None) -> None:
            self._end()
            self._notices.post(Notice(f"Exported to {target.name}.", f"It lies in {target.parent}.", "success"))

        self._background.run(work, done, partial(self._on_background_failed, "export"))

    def remove(self, package_id: str) -> None:
        """Put a model into the trash of its folder; the notice offers to undo it."""
        package = next((known for known in self.packages if known.manifest.id == package_id), None)
        if package is None:
            self._notices.post_error(PackageError(f"There is no model called {package_id!r} here."))
            return
        self._start()

        def done(aside: Path) -> None:
            self._end()
            text = f"Removed {package.manifest.name}."
            self._notices.post(Notice(text, action="Undo", run=partial(self._restore, aside, package)))
            self.refresh()

        self._background.run(partial(put_aside, package), done, partial(self._on_background_failed, "remove"))

    def note_speed(self, package_id: str, seconds: float, provider: str) -> None:
        """Tell how long one result took, so that the model's card can say how fast it is here."""
        package = next((known for known in self.packages if known.manifest.id == package_id), None)
        if self._speeds is None or package is None or seconds <= 0:
            return
        self._speeds.note(package.sha256, seconds, provider)
        self._background.run(self._speeds.save)
        self.changed.emit()

    def _entry(self, package: Package) -> LibraryEntry:
        return LibraryEntry(
            package,
            model_card(package),
            self._previews.get(package.sha256),
            self._speed(package),
            self._refused.get(package.folder, ""),
        )

    def _speed(self, package: Package) -> str:
        speed = self._speeds.find(package.sha256) if self._speeds is not None else None
        if speed is None:
            return ""
        seconds = speed.median_s
        time = f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
        return f"{time} a picture on {speed.provider.removesuffix('ExecutionProvider')}"

    def _look(self) -> _Looked:
        if not self._loaded:
            empty_trash(self._packages_folder)
        scan = self._catalogue.scan()
        known = self._previews
        previews = {
            package.sha256: known[package.sha256] if package.sha256 in known else _preview(package)
            for package in scan.packages
        }
        return _Looked(scan, {key: pixels for key, pixels in previews.items() if pixels is not None})

    def _on_background_looked(self, looked: _Looked) -> None:
        self._scan, self._previews = looked.scan, looked.previews
        self._loaded = True
        self._looking = False
        self._end()
        self.changed.emit()
        if self._look_again:
            self._look_again = False
            self.refresh()
            return
        self._check(list(looked.scan.packages))

    def _on_background_look_failed(self, error: StudioError) -> None:
        self._looking = False
        self._on_background_failed("refresh", error)

    def _check(self, waiting: list[Package]) -> None:
        """Check one package after another, so that other background work comes through in between."""
        if not waiting:
            return
        package = waiting.pop(0)

        def checked(message: str) -> None:
            if self._refused.get(package.folder, "") != message:
                self._refused[package.folder] = message
                self.changed.emit()
            self._check(waiting)

        def work() -> str:
            try:
                self._catalogue.check(package)
            except PackageError as error:
                return str(error)
            return ""

        self._background.run(work, checked)

    def _on_background_found(self, found: tuple[Path, ...]) -> None:
        self._end()
        if not found:
            hint = f"Drop a {SUFFIX} file, or a folder that holds one or a model's manifest.json."
            self._notices.post(Notice("There is no model in what was given.", hint, "warning"))
        for path in found:
            self._start()
            self._background.run(
                partial(self._import, path), self._on_background_imported, partial(self._on_background_failed, "import")
            )

    def _import(self, path: Path) -> tuple[Package, str]:
        known = {package.folder for package in self._catalogue.scan().packages}
        package = self._catalogue.import_path(path)
        return package, "old" if package.folder in known else "new"

    def _on_background_imported(self, result: tuple[Package, str]) -> None:
        package, kind = result
        self._end()
        name = package.manifest.name
        if kind == "old":
            self._notices.post(Notice(f"{name} is in the library already.", "Nothing was changed."))
        else:
            hint = f"Its id here is {package.manifest.id}." if name.endswith(")") else ""
            self._notices.post(Notice(f"Imported {name}.", hint, "success"))
        self.refresh()
        self.imported.emit(package.manifest.id)

    def _restore(self, aside: Path, package: Package) -> None:
        self._start()

        def done(_result: None) -> None:
            self._end()
            self.refresh()

        self._background.run(
            partial(bring_back, aside, package.folder), done, partial(self._on_background_failed, "restore")
        )

    def _on_background_failed(self, _what: str, error: StudioError) -> None:
        self._end()
        self._notices.post_error(error)

    def _start(self) -> None:
        self._busy += 1
        if self._busy == 1:
            self.busy_changed.emit(True)

    def _end(self) -> None:
        self._busy -= 1
        if self._busy == 0:
            self.busy_changed.emit(False)


def _found_in(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """Everything to import: files as they are, folders by what they hold."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        found += find_models(path)
    if len(found) > _MAX_IMPORTS:
        raise PackageError(
            f"There are {len(found)} models in what was given, more than the {_MAX_IMPORTS} that come in at once.",
            "Give a smaller folder, or add this one to the model folders in the settings.",
        )
    return tuple(found)


def _preview(package: Package) -> Pixels | None:
    """The preview of a package; a damaged one is no reason to hide a model."""
    path = package.file_path("preview")
    if path is None:
        return None
    try:
        fresh = read_package(package.folder, bundled=package.bundled)
        size = next(part.bytes for part in fresh.manifest.files.values() if part.file == path.name)
        return read_picture(path, max_pixels=_PREVIEW_PIXELS) if size <= _PREVIEW_BYTES else None
    except (StudioError, StopIteration):
        return None
