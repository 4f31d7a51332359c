"""Removed packages: put aside under a hidden name in the same folder, so that a removal can be taken back."""

import os
import re
import shutil
import time
from pathlib import Path

from studio.core.errors import PackageError, StorageError
from studio.core.package import Package
from studio.runtime.atomic import storage_error, sync_folder

KEEP_DAYS = 30
_ASIDE = re.compile(r"\.removed-(\d{1,12})-.+")


def put_aside(package: Package) -> Path:
    """Hide a package and return where it lies now.

    Raises:
        PackageError: it came with the app.
        StorageError: the folder cannot be changed.
    """
    if package.bundled:
        raise PackageError(
            f"{package.manifest.name!r} came with Reverie and cannot be removed.", "Models you imported or made can be."
        )
    aside = package.folder.parent / f".removed-{int(time.time())}-{package.folder.name}"
    try:
        shutil.rmtree(aside, ignore_errors=True)
        os.rename(package.folder, aside)  # noqa: PTH104 - Path.rename would return the same; the pair below reads alike
        sync_folder(aside.parent)
    except OSError as error:
        raise storage_error(error, package.folder, 0) from error
    return aside


def bring_back(aside: Path, folder: Path) -> None:
    """Undo `put_aside`.

    Raises:
        StorageError: another package took its place, or the trash was emptied.
    """
    if folder.exists():
        raise StorageError(
            f"{folder.name} cannot be brought back: another model took its place.", "Remove that one first."
        )
    try:
        os.rename(aside, folder)  # noqa: PTH104
        sync_folder(folder.parent)
    except OSError as error:
        raise storage_error(error, folder, 0) from error


def empty_trash(root: Path, *, keep_days: float = KEEP_DAYS) -> int:
    """Delete what was removed from ``root`` more than ``keep_days`` ago; returns how many."""
    limit = time.time() - keep_days * 86_400
    deleted = 0
    if not root.is_dir():
        return deleted
    for entry in root.iterdir():
        named = _ASIDE.fullmatch(entry.name)
        if named and entry.is_dir() and not entry.is_symlink() and int(named.group(1)) <= limit:
            shutil.rmtree(entry, ignore_errors=True)
            deleted += 1
    return deleted
