"""The app's own trash: every file lies in a folder of its own beside a note of where it came from."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from studio.core.errors import StorageError
from studio.runtime.atomic import part_path, storage_error, write_bytes

_NOTE = "from.txt"


def put(trash: Path, path: Path) -> Path:
    """Move a file into the trash and return where it lies now.

    Raises:
        StorageError: the file is gone or a folder cannot be written. The file is where it was.
    """
    if not path.is_file():
        raise StorageError(f"{path.name} is not there any more.", "It was moved or removed by another program.")
    folder = trash / uuid.uuid4().hex[:16]
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise storage_error(error, folder / path.name, 0) from error
    write_bytes(folder / _NOTE, str(path).encode("utf-8", "surrogatepass"))
    target = folder / path.name
    move(path, target)
    return target


def take_back(lying: Path, home: Path) -> Path:
    """Move a file out of the trash to ``home``, or beside it when something else lies there now.

    Raises:
        StorageError: it is gone or its folder cannot be written.
    """
    target, count = home, 1
    while target.exists():
        count += 1
        target = home.with_name(f"{home.stem} ({count}){home.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, target, 0) from error
    move(lying, target)
    _forget(lying)
    return target


def purge(lying: Path) -> None:
    """Remove a file of the trash for good. Raises `StorageError` when it cannot be removed."""
    try:
        lying.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"{lying.name} cannot be removed: {error.strerror}.", "Is the folder read-only?") from error
    _forget(lying)


def contents(trash: Path) -> Iterator[tuple[Path, str]]:
    """Every file in the trash with the path that it came from."""
    if not trash.is_dir():
        return
    for folder in sorted(trash.iterdir()):
        note = folder / _NOTE
        if not note.is_file():
            continue
        home = note.read_bytes().decode("utf-8", "surrogatepass")
        for path in sorted(folder.iterdir()):
            if path.name != _NOTE and path.is_file():
                yield path, home


def _forget(lying: Path) -> None:
    with suppress(OSError):
        (lying.parent / _NOTE).unlink(missing_ok=True)
        lying.parent.rmdir()


def move(source: Path, target: Path) -> None:
    """Rename, or copy whole and then remove when the target is on another disk.

    Raises:
        StorageError: ``source`` is then still whole.
    """
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise storage_error(error, target, 0) from error
        _move_across(source, target)


def _move_across(source: Path, target: Path) -> None:
    part = part_path(target.parent)
    try:
        shutil.copy2(source, part)
        with part.open("r+b") as stream:
            os.fsync(stream.fileno())
        part.replace(target)
        source.unlink()
    except OSError as error:
        part.unlink(missing_ok=True)
        raise storage_error(error, target, 0) from error
