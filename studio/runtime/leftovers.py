"""What killed processes left half-written: removed at the next start, so that a crash never costs the disk for long."""

from pathlib import Path

from studio.core.paths import Paths
from studio.core.protocol import PACKAGE
from studio.runtime.atomic import sweep

OLD_S = 3600.0
"""Younger ones may belong to a trainer or a command line at work; nothing is written for that long without a change."""


def sweep_leftovers(paths: Paths, *, older_s: float = OLD_S) -> None:
    """Remove temporary files and folders from every folder of the app's own; takes milliseconds, never raises."""
    for folder in (paths.config, paths.data, paths.data / "models", paths.inputs, paths.packages):
        sweep(folder, older_s=older_s)
    for folder in (paths.cache, *_folders_in(paths.cache)):
        sweep(folder, older_s=older_s)
    for run in _folders_in(paths.runs):
        sweep(run, older_s=older_s)
        sweep(run / PACKAGE, older_s=older_s)


def _folders_in(folder: Path) -> tuple[Path, ...]:
    try:
        return tuple(sorted(each for each in folder.iterdir() if each.is_dir()))
    except OSError:  # not there yet
        return ()
