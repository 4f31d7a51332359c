"""Where things are on this machine. One frozen object, made by the entry points and handed on."""

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

HOME_VARIABLE = "REVERIE_HOME"
"""When set, everything the app writes stays below this folder (portable use and tests)."""


@dataclass(frozen=True)
class Paths:
    """Folders of the application.

    Attributes:
        resources: read-only data shipped with the app (bundled packages, icons, styles).
        config: settings file.
        data: index database, queue, trash.
        cache: verdicts and thumbnails; may be deleted at any time.
        packages: the artist's own and imported model packages.
        runs: training runs.
        results: visible, dated result folders; the artist can choose another one in the settings.
    """

    resources: Path
    config: Path
    data: Path
    cache: Path
    packages: Path
    runs: Path
    results: Path

    @property
    def bundled_packages(self) -> Path:
        """Starter packages that came with the app."""
        return self.resources / "packages"

    @property
    def settings_file(self) -> Path:
        """The settings."""
        return self.config / "settings.json"

    @property
    def index_file(self) -> Path:
        """SQLite index of the gallery; can be rebuilt from the files."""
        return self.data / "index.sqlite"

    @property
    def queue_file(self) -> Path:
        """SQLite queue of jobs."""
        return self.data / "queue.sqlite"

    @property
    def trash(self) -> Path:
        """The app's own trash, so that a delete can be undone."""
        return self.data / "trash"

    @property
    def inputs(self) -> Path:
        """Pictures that requests start from, named by content hash."""
        return self.data / "inputs"


def default_paths() -> Paths:
    """The folders for this user, or those below ``REVERIE_HOME``."""
    resources = Path(__file__).resolve().parents[2] / "resources"
    home = os.environ.get(HOME_VARIABLE)
    if home:
        root = Path(home).expanduser().resolve()
        return Paths(
            resources=resources,
            config=root / "config",
            data=root / "data",
            cache=root / "cache",
            packages=root / "packages",
            runs=root / "runs",
            results=root / "results",
        )
    folders = platformdirs.PlatformDirs("Reverie", appauthor=False)
    return Paths(
        resources=resources,
        config=folders.user_config_path,
        data=folders.user_data_path,
        cache=folders.user_cache_path,
        packages=folders.user_data_path / "packages",
        runs=folders.user_data_path / "runs",
        results=folders.user_pictures_path / "Reverie",
    )
