"""What the crash tests of packages run in a child: our import and export, and naive ones that the tests must catch."""

import shutil
import zipfile
from pathlib import Path

from studio.core.errors import StorageError
from studio.runtime.packages import export_package, import_package, open_package


def import_it(source: str, library: str) -> None:
    import_package(Path(source), Path(library))


def export_it(folder: str, target: str) -> None:
    export_package(open_package(Path(folder)), Path(target))


def import_naively(source: str, library: str) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            archive.extractall(Path(library) / "tiny-latent-2")
    except OSError as error:
        raise StorageError(str(error)) from error


def export_naively(folder: str, target: str) -> None:
    try:
        shutil.make_archive(target.removesuffix(".zip"), "zip", folder)
    except OSError as error:
        raise StorageError(str(error)) from error
