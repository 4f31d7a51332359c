"""All that lies in a drop: files, folders and zips walked safely; nothing is extracted, no path leaves the drop."""

import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Self

from studio.core.cancel import CancelToken
from studio.core.errors import BadInputError
from studio.core.findings import Place, Unused

MAX_FILES = 200_000
MAX_FILE_BYTES = 512_000_000
_MAX_RATIO = 200
_RATIO_FROM_BYTES = 50_000_000
_SILENT_NAMES = frozenset(("thumbs.db", "desktop.ini", "__macosx", "@eadir"))

_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, KeyError, ValueError)

Progress = Callable[[int, int], None]
"""Called with how many are done of how many; 0 in all while it is not known."""


@dataclass(frozen=True)
class Listing:
    """What lies in a drop: files to look at, and those that were refused while walking."""

    places: tuple[Place, ...]
    unused: tuple[Unused, ...]
    name: str


def list_drop(paths: Sequence[Path], *, progress: Progress, cancel: CancelToken) -> Listing:
    """Walk files, folders and zips. Hidden files and the litter of desktops are passed over in silence.

    Raises:
        BadInputError: nothing was dropped, a path is gone, a zip is damaged or a bomb, far too many files.
        CancelledError: cancelled.
    """
    if not paths:
        raise BadInputError("Nothing was dropped.", "Drop pictures, a folder or a zip.")
    places: list[Place] = []
    unused: list[Unused] = []
    for path in paths:
        for found in _walk(path):
            cancel.raise_if_cancelled()
            if isinstance(found, Unused):
                unused.append(found)
            else:
                places.append(found)
            if len(places) > MAX_FILES:
                raise BadInputError(f"There are more than {MAX_FILES:,} files in this drop.", "Drop a smaller folder.")
            if len(places) % 256 == 0:
                progress(len(places), 0)
    places.sort(key=lambda place: place.shown)
    return Listing(tuple(_without_common_folder(places)), tuple(unused), _name_of(paths))


class Reader:
    """Reads listed files; keeps the last zip open, because opening one means reading its whole table."""

    def __init__(self) -> None:
        self._archive: zipfile.ZipFile | None = None
        self._archive_path = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the open zip."""
        if self._archive is not None:
            self._archive.close()
            self._archive, self._archive_path = None, ""

    def read(self, place: Place, *, limit: int = MAX_FILE_BYTES) -> bytes:
        """The bytes of a listed file. The message of an error follows the file's name.

        Raises:
            BadInputError: gone, not readable, damaged inside its zip, or longer than ``limit``.
        """
        data = self.head(place, size=limit + 1)
        if len(data) > limit:
            raise BadInputError(f"larger than {limit // 1_000_000} MB", "Save a smaller version.")
        return data

    def head(self, place: Place, *, size: int = 64) -> bytes:
        """The first ``size`` bytes; errors as in `read`."""
        try:
            with self._open(place) as stream:
                return stream.read(size)
        except OSError as error:
            raise BadInputError(f"cannot be opened: {error.strerror or error}", "May you read it?") from error
        except _ZIP_ERRORS as error:
            raise BadInputError("damaged inside its zip", "Make the zip again.") from error

    def _open(self, place: Place) -> IO[bytes]:
        if not place.member:
            return Path(place.path).open("rb")
        if self._archive is None or self._archive_path != place.path:
            self.close()
            self._archive, self._archive_path = zipfile.ZipFile(place.path), place.path
        return self._archive.open(place.member)


def _walk(path: Path) -> Iterator[Place | Unused]:
    path = path.absolute()
    if path.is_dir():
        yield from _walk_folder(path, path.name)
    elif path.is_file():
        if path.suffix.lower() == ".zip":
            yield from _walk_zip(path, path.stem)
        else:
            yield Place(str(path), shown=path.name)
    else:
        raise BadInputError(f"{path.name} does not exist any more.", "Drop it again.")


def _walk_folder(root: Path, prefix: str) -> Iterator[Place | Unused]:
    refused: list[OSError] = []
    for folder, names, files in os.walk(root, onerror=refused.append):
        names[:] = sorted(name for name in names if not _silent(name))
        for name in sorted(files):
            if _silent(name):
                continue
            path = Path(folder) / name
            shown = str(PurePosixPath(prefix, *path.relative_to(root).parts))
            problem = _problem(path)
            if problem:
                yield Unused(shown, problem)
            elif path.suffix.lower() == ".zip":
                yield from _walk_inner_zip(path, shown)
            else:
                yield Place(str(path), shown=shown)
    for error in refused:
        yield Unused(_shown_folder(error.filename, root), f"this folder cannot be read: {error.strerror}")


def _shown_folder(name: str, root: Path) -> str:
    try:
        return str(Path(name).relative_to(root)) if Path(name) != root else root.name
    except ValueError:
        return str(name)


def _problem(path: Path) -> str:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"cannot be opened: {error.strerror}"
    return "" if stat.S_ISREG(mode) else "not an ordinary file"


def _walk_inner_zip(path: Path, shown: str) -> Iterator[Place | Unused]:
    """A zip in a dropped folder reads like a folder beside it; a bad one does not spoil the rest."""
    try:
        yield from _walk_zip(path, str(PurePosixPath(shown).parent))
    except BadInputError as error:
        yield Unused(shown, error.message.removeprefix(path.name).strip())


def _walk_zip(path: Path, prefix: str) -> Iterator[Place | Unused]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError) as error:
        raise BadInputError(f"{path.name} is not a whole zip file: {error}.", "Make or copy the zip again.") from error
    _refuse_bomb(path, members)
    seen: set[str] = set()
    for member in members:
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        if member.is_dir() or any(_silent(part) for part in parts if part != ".."):
            continue
        problem = _member_problem(member, parts, seen)
        seen.add(member.filename)
        shown = str(PurePosixPath(prefix, *(part for part in parts if part != "/")))
        yield Unused(shown, problem) if problem else Place(str(path), member=member.filename, shown=shown)


def _refuse_bomb(path: Path, members: list[zipfile.ZipInfo]) -> None:
    total = sum(member.file_size for member in members)
    size = max(1, path.stat().st_size)
    if total > _RATIO_FROM_BYTES and total > size * _MAX_RATIO:
        raise BadInputError(
            f"{path.name} would unpack from {size / 1e6:,.1f} MB to {total / 1e6:,.0f} MB, which no pictures do.",
            "Drop the pictures themselves.",
        )


def _member_problem(member: zipfile.ZipInfo, parts: tuple[str, ...], seen: set[str]) -> str:
    if ".." in parts or member.filename.startswith(("/", "\\")) or ":" in parts[0]:
        return "its path leaves the zip"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "a link inside a zip is not followed"
    if member.flag_bits & 1:
        return "protected by a password"
    if member.filename in seen:
        return "a second file of the same name in the zip"
    if member.filename.lower().endswith(".zip"):
        return "a zip inside a zip is not opened"
    if member.file_size > MAX_FILE_BYTES:
        return f"larger than {MAX_FILE_BYTES // 1_000_000} MB"
    return ""


def _silent(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SILENT_NAMES


def _without_common_folder(places: list[Place]) -> list[Place]:
    """Names without the folders that all share: a zip of one folder reads like the folder.

    When all files lie in one folder its name is kept, because it may be the name of a concept.
    """
    parents = [PurePosixPath(place.shown).parts[:-1] for place in places]
    common = _common(parents)
    depth = len(common) - 1 if common and all(parent == common for parent in parents) else len(common)
    if depth < 1:
        return places
    return [Place(place.path, place.member, "/".join(PurePosixPath(place.shown).parts[depth:])) for place in places]


def _common(parents: list[tuple[str, ...]]) -> tuple[str, ...]:
    """The folders that all begin with."""
    low, high = (min(parents), max(parents)) if parents else ((), ())
    depth = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[:depth]


def _name_of(paths: Sequence[Path]) -> str:
    first = paths[0].absolute()
    if len(paths) == 1:
        return first.name if first.is_dir() else first.stem
    return first.parent.name
