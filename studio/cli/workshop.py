"""What the commands work with: the folders, the settings, the catalogue and the engine of this user."""

from dataclasses import dataclass
from pathlib import Path

from studio.core.paths import Paths, default_paths
from studio.core.settings import Settings
from studio.runtime.catalogue import Catalogue
from studio.runtime.devices import Devices
from studio.runtime.disposable import Verdicts
from studio.runtime.engine import Engine
from studio.runtime.gallery_index import GalleryIndex
from studio.runtime.inputs import InputStore
from studio.runtime.results import Results
from studio.runtime.settings_store import SettingsStore
from studio.workers.disposable import DisposableCheck


@dataclass(frozen=True)
class Workshop:
    """Made once per command."""

    paths: Paths
    settings: Settings
    catalogue: Catalogue

    @property
    def inputs(self) -> InputStore:
        """Where pictures that requests start from are kept."""
        return InputStore(self.paths.inputs)

    @property
    def results_folder(self) -> Path:
        """Where results go when the person names no file."""
        return Path(self.settings.results_folder) if self.settings.results_folder else self.paths.results

    def results(self) -> Results:
        """The person's results with their index; raises `StorageError` when the folder cannot be written."""
        return Results(lambda: self.results_folder, GalleryIndex(self.paths.index_file, self.paths.trash))

    def engine(self, device: str = "") -> Engine:
        """An engine on the device asked for, or on that of the settings."""
        return Engine(
            self.catalogue.get,
            device=device or self.settings.device,
            threads=self.settings.threads,
            devices=Devices(verdicts_file=self.paths.cache / "devices.json"),
        )


def open_workshop() -> Workshop:
    """The workshop of this user."""
    paths = default_paths()
    settings = SettingsStore(paths.settings_file).load().settings
    folders = (paths.packages, *(Path(folder) for folder in settings.model_folders))
    verify = DisposableCheck(Verdicts(paths.cache / "verdicts"))
    return Workshop(paths, settings, Catalogue(lambda: folders, paths.bundled_packages, verify))
