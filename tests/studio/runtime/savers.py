"""What the crash tests run in a child: our writer, and a naive one that the same tests must catch."""

import shutil
from pathlib import Path

from studio.core.errors import StorageError
from studio.runtime.atomic import part_path, publish_folder, write_bytes

OLD, NEW = b"old" * 3000, b"new" * 5000


def write_new(path: str) -> None:
    write_bytes(Path(path), NEW)


def write_naively(path: str) -> None:
    try:
        Path(path).write_bytes(NEW)
    except OSError as error:
        raise StorageError(str(error)) from error


def make_folder(folder: Path, content: bytes) -> None:
    folder.mkdir()
    for name in ("one", "two"):
        (folder / name).write_bytes(content)


def publish_new(target: str) -> None:
    staging = part_path(Path(target).parent)
    try:
        make_folder(staging, NEW)
    except OSError as error:
        raise StorageError(str(error)) from error
    publish_folder(staging, Path(target))


def publish_naively(target: str) -> None:
    try:
        shutil.rmtree(target)
        make_folder(Path(target), NEW)
    except OSError as error:
        raise StorageError(str(error)) from error
