"""The one writer of what must survive a crash: after it, a path holds the old content or the new, never a mix.

Settings, results, checkpoints and packages are saved by `write_bytes` or `publish_folder`. Temporary names
start with `PART`, so that whoever opens a folder can `sweep` what a killed process left behind.
"""

import ctypes
import errno
import itertools
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from studio.core.errors import StorageError

PART = ".part-"
ASIDE = ".aside-"
_MB = 1_000_000
_AT_FDCWD = {"linux": -100, "darwin": -2}
_SWAP = 2  # RENAME_EXCHANGE on Linux, RENAME_SWAP on macOS


def part_path(folder: Path) -> Path:
    """A fresh temporary path in ``folder``; short, so that a long target name does not make it too long."""
    return folder / f"{PART}{uuid.uuid4().hex[:12]}"


def write_bytes(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` as a whole and return once it is on the disk.

    Raises:
        StorageError: the disk is full, the folder is missing or read-only, the name is too long. The old file is whole.
    """
    part = part_path(path.parent)
    with _told(path, len(data)):
        try:
            _write_part(part, data)
            part.replace(path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
        sync_folder(path.parent)


def publish_folder(staging: Path, target: Path) -> None:
    """Rename ``staging`` to ``target`` once all of it is on the disk; an existing ``target`` is replaced as a whole.

    Where the system can swap two folders in one step (Linux, macOS) there is no instant without a whole ``target``;
    elsewhere the old one is put aside first and `sweep` brings it back after a crash in between.

    Raises:
        StorageError: the disk is full, read-only or gone. ``target`` is as before; ``staging`` may remain.
    """
    with _told(target, 0):
        size = _bytes_in(staging)
    with _told(target, size):
        _sync_tree(staging)
        if not target.exists():
            staging.rename(target)
        elif _swapped(staging, target):
            shutil.rmtree(staging, ignore_errors=True)
        else:
            _replace_aside(staging, target)
        sync_folder(target.parent)


def remove_folder(folder: Path) -> None:
    """Remove a folder so that no half of it is ever seen under its name."""
    part = part_path(folder.parent)
    with _told(folder, 0):
        folder.rename(part)
    shutil.rmtree(part, ignore_errors=True)


def set_aside(path: Path) -> Path | None:
    """Rename a damaged file to the first free ``NAME.damaged-N``, so that nothing in it is lost; returns where it is.

    None when the disk refuses even that.
    """
    for number in itertools.count(1):
        aside = path.with_name(f"{path.name}.damaged-{number}")
        if aside.exists() or aside.is_symlink():
            continue
        with suppress(OSError):
            path.rename(aside)
            return aside
        return None
    return None


def sweep(folder: Path, *, older_s: float = 0.0) -> None:
    """Remove temporary files of killed writers in ``folder`` and bring back folders that they had put aside.

    Where another process may be writing, leave alone what was changed less than ``older_s`` seconds ago.
    """
    try:
        entries = sorted(folder.iterdir())
    except OSError:  # not there, or the drive fails: the next sweep may succeed
        return
    for entry in entries:
        if older_s and not _is_older(entry, older_s):
            continue
        if entry.name.startswith(ASIDE):
            target = folder / entry.name[len(ASIDE) :]
            if target.exists():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                with suppress(OSError):
                    entry.rename(target)
        elif entry.name.startswith(PART):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                with suppress(OSError):
                    entry.unlink()


def _is_older(entry: Path, seconds: float) -> bool:
    try:
        return entry.lstat().st_mtime < time.time() - seconds
    except OSError:  # its writer was quicker
        return False


def sync_folder(folder: Path) -> None:
    """Make renames inside ``folder`` durable. Windows has no such call and keeps them in its journal."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_part(part: Path, data: bytes) -> None:
    with part.open("xb") as stream:
        stream.write(data)
        stream.flush()
        if os.fstat(stream.fileno()).st_size != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(part))
        os.fsync(stream.fileno())


def _sync_tree(folder: Path) -> None:
    for root, _, names in os.walk(folder):
        for name in names:
            # Windows flushes only through a handle that may write.
            handle = os.open(Path(root) / name, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_folder(Path(root))


def _swapped(staging: Path, target: Path) -> bool:
    """Exchange two folders in one step; False where the system or the file system cannot."""
    name = {"linux": "renameat2", "darwin": "renameatx_np"}.get(sys.platform)
    call = getattr(ctypes.CDLL(None, use_errno=True), name, None) if name else None
    if call is None:
        return False
    at = _AT_FDCWD[sys.platform]
    result: int = call(at, os.fsencode(staging), at, os.fsencode(target), _SWAP)
    return result == 0


def _replace_aside(staging: Path, target: Path) -> None:
    aside = target.parent / f"{ASIDE}{target.name}"
    shutil.rmtree(aside, ignore_errors=True)
    target.rename(aside)
    try:
        staging.rename(target)
    except OSError:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextmanager
def _told(path: Path, size: int) -> Iterator[None]:
    """Turn an `OSError` about ``path`` into a sentence."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path, size) from error


def storage_error(error: OSError, path: Path, size: int) -> StorageError:
    """The sentence for ``error``, met while saving ``size`` bytes to ``path``."""
    folder = path.parent
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        need = max(1, -(-size // _MB))
        return StorageError(
            f"The disk {_disk(folder)} is full: saving {path.name} needs {need} MB and {_free_mb(folder)} MB are free.",
            f"Free at least {need} MB on {_disk(folder)}, then try again.",
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return StorageError(f"{path.name} cannot be saved: {folder} is read-only.", "Choose a folder you may write to.")
    if error.errno == errno.ENAMETOOLONG:
        return StorageError(
            f"{path.name[:40]}... cannot be saved: the name or its folder's path is too long.",
            "Use a shorter name or a folder nearer to the top.",
        )
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return StorageError(f"{path.name} cannot be saved: the folder {folder} is gone.", "Was a drive unplugged?")
    reason = error.strerror or str(error)
    return StorageError(f"{path.name} cannot be saved on the disk {_disk(folder)}: {reason}.", "Check the drive.")


def _disk(folder: Path) -> str:
    """The mount point or drive of ``folder``."""
    place = folder.absolute()
    while not os.path.ismount(place) and place != place.parent:
        place = place.parent
    return str(place)


def _free_mb(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free // _MB
    except OSError:
        return 0
