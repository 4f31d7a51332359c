"""Model packages on disk: open safely, import, export. Refuses, never repairs."""

import hashlib
import os
import re
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from studio.core.errors import PackageError
from studio.core.manifest import MANIFEST_NAME, Manifest, decode_manifest, encode_manifest
from studio.core.package import Package
from studio.runtime.archives import MAX_MANIFEST, MAX_TOTAL, extract_archive, write_archive
from studio.runtime.atomic import part_path, publish_folder, storage_error
from studio.runtime.file_checks import HEAD_BYTES, check_side_file, refuse_pickle
from studio.runtime.onnx_scan import OnnxFacts, scan_onnx

SUFFIX = ".reverie"
_CHUNK = 1 << 20
_LONGEST_NAME = 200
_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_FRESH = "Ask for a fresh copy of the package."


def read_package(folder: Path, *, bundled: bool = False, trusted: bool = False) -> Package:
    """List a package: manifest, presence, kind and size of its files; nothing else is read.

    Raises:
        NewerFormatError: it was made by a later Reverie.
        PackageError: no package, damaged, a missing file, a link, a size that differs.
    """
    data = _read(folder, MANIFEST_NAME, MAX_MANIFEST, links=bundled)
    manifest = decode_manifest(data)
    _check_words(manifest)
    for name, size in _sizes(manifest).items():
        _check_file(folder, name, size, links=bundled)
    return Package(folder, manifest, hashlib.sha256(data).hexdigest(), bundled=bundled, trusted=trusted or bundled)


def open_package(folder: Path, *, bundled: bool = False, trusted: bool = False) -> Package:
    """Open a package for use: `read_package`, then the hash and the content of every file.

    Raises:
        PackageError: as `read_package`; a hash that differs, a pickle, an unsafe graph, a damaged file.
    """
    package = read_package(folder, bundled=bundled, trusted=trusted)
    check_contents(package)
    return package


def check_contents(package: Package) -> None:
    """Check hash and content of every file of a listed package.

    Raises:
        PackageError: one differs from the manifest, is a pickle, or is an unsafe or damaged graph.
    """
    manifest = package.manifest
    extra = {part.file: part.bytes for part in manifest.files.values()}
    external: set[str] = set()
    for part in manifest.graphs.values():
        data = _hashed(package, part.file, part.bytes, part.sha256, keep=part.bytes)
        refuse_pickle(data, part.file)
        facts = scan_onnx(data, part.file, extra)
        _check_names(part.file, facts, manifest)
        external |= facts.external
    for part in manifest.files.values():
        head = _hashed(package, part.file, part.bytes, part.sha256, keep=HEAD_BYTES)
        if part.file in external:
            refuse_pickle(head, part.file)
        else:
            check_side_file(head, part.file, part.bytes)


def import_package(
    source: Path,
    into: Path,
    *,
    taken: Mapping[str, Package] | None = None,
    verify: Callable[[Package], None] | None = None,
) -> Package:
    """Bring a ``.reverie`` file or a package folder into the library folder ``into``.

    The same package again is a no-op. An id that another package has already (in ``into``, or in ``taken`` by
    id) gets a number behind it; compare the result's id with the file's to say so. ``verify`` tries the
    package out before it becomes visible.

    Raises:
        NewerFormatError, PackageError: see `open_package` and `studio.runtime.archives.extract_archive`.
        StorageError: the disk is full or read-only.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, into, 0) from error
    staging = part_path(into)
    try:
        if source.is_dir():
            _copy_package(read_package(source), staging)
        else:
            extract_archive(source, staging)
        package = open_package(staging)
        if verify is not None:
            verify(package)
        return _publish(package, into, taken or {})
    finally:
        _remove_flat(staging)


def export_package(package: Package, target: Path) -> None:
    """Write ``package`` as one ``.reverie`` file: the same package always gives the same bytes.

    Raises:
        PackageError: a file of the package changed since its manifest was written.
        StorageError: the disk is full, read-only or gone.
    """
    check_contents(package)
    sizes = _sizes(package.manifest)
    links = package.bundled

    def open_file(name: str) -> BinaryIO:
        return _open(package.folder, name, links=links)

    write_archive(target, (MANIFEST_NAME, *sorted(sizes)), open_file, sum(sizes.values()))


def package_bytes(manifest: Manifest) -> int:
    """Size on disk of a package without its manifest."""
    return sum(_sizes(manifest).values())


def file_stamps(package: Package) -> tuple[tuple[str, int, int], ...]:
    """Name, time of change and size of every file: equal stamps mean that a check still holds.

    Raises:
        PackageError: a file is gone.
    """
    stamps: list[tuple[str, int, int]] = []
    for name in (MANIFEST_NAME, *_sizes(package.manifest)):
        try:
            found = (package.folder / name).lstat()
        except OSError as error:
            raise _unreadable(name, error) from error
        stamps.append((name, found.st_mtime_ns, found.st_size))
    return tuple(stamps)


def _publish(package: Package, into: Path, taken: Mapping[str, Package]) -> Package:
    wanted = package.manifest.id
    number = 1
    while True:
        identity = wanted if number == 1 else f"{wanted[:58]}-{number}"
        target = into / identity
        if not target.exists() and identity not in taken:
            break
        there = _installed(target) or taken.get(identity)
        if there is not None and _same_but_id(there.manifest, package.manifest):
            return there
        number += 1
    if identity != wanted:
        manifest = msgspec.structs.replace(package.manifest, id=identity, name=f"{package.manifest.name} ({number})")
        try:
            (package.folder / MANIFEST_NAME).write_bytes(encode_manifest(manifest))
        except OSError as error:
            raise storage_error(error, target, 0) from error
    try:
        publish_folder(package.folder, target)
    except OSError as error:
        raise storage_error(error, target, package_bytes(package.manifest)) from error
    return read_package(target)


def _installed(folder: Path) -> Package | None:
    try:
        return read_package(folder)
    except PackageError:
        return None


def _same_but_id(one: Manifest, other: Manifest) -> bool:
    """The same package, perhaps under a number of its own. Hashes of all files stand in the manifest."""
    return msgspec.structs.replace(one, id=other.id, name=other.name) == other


def _copy_package(package: Package, staging: Path) -> None:
    sizes = _sizes(package.manifest)
    try:
        staging.mkdir()
        for name in (MANIFEST_NAME, *sizes):
            limit = sizes.get(name, MAX_MANIFEST)
            with _open(package.folder, name, links=False) as source, (staging / name).open("xb") as target:
                left = limit
                while left > 0 and (chunk := source.read(min(_CHUNK, left))):
                    target.write(chunk)
                    left -= len(chunk)
    except OSError as error:
        raise storage_error(error, staging.with_name(package.manifest.id), sum(sizes.values())) from error


def _check_words(manifest: Manifest) -> None:
    for words in (manifest.name, manifest.family, manifest.pipeline):
        if not words or len(words) > _LONGEST_NAME or _CONTROL_CHARACTER.search(words):
            raise PackageError("The model's manifest has no usable name, family or pipeline.", _FRESH)
    if not manifest.graphs:
        raise PackageError(f"The package {manifest.name!r} holds no graph.", _FRESH)
    sizes = _sizes(manifest)
    if any(size < 0 for size in sizes.values()) or sum(sizes.values()) > MAX_TOTAL:
        raise PackageError("The model's manifest declares impossible sizes.", _FRESH)
    for name in (manifest.id, *sizes):
        if _RESERVED.fullmatch(name) or name.endswith("."):
            raise PackageError(f"{name!r} cannot be a file name on every system.", _FRESH)


def _check_names(name: str, facts: OnnxFacts, manifest: Manifest) -> None:
    """The manifest's inputs and outputs must be the graph's own, or a caller would feed the wrong tensor."""
    spec = next(part for part in manifest.graphs.values() if part.file == name)
    if {tensor.name for tensor in spec.inputs} != set(facts.inputs):
        wanted = ", ".join(sorted(facts.inputs)) or "nothing"
        raise PackageError(f"The graph {name} takes {wanted}; its manifest says otherwise.", _FRESH)
    if not {tensor.name for tensor in spec.outputs} <= set(facts.outputs):
        raise PackageError(f"The graph {name} does not give the outputs its manifest names.", _FRESH)


def _sizes(manifest: Manifest) -> dict[str, int]:
    return {part.file: part.bytes for part in (*manifest.graphs.values(), *manifest.files.values())}


def _check_file(folder: Path, name: str, size: int, *, links: bool) -> None:
    try:
        found = (folder / name).lstat()
    except FileNotFoundError as error:
        raise PackageError(f"The package lacks the file {name}.", _FRESH) from error
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    if not stat.S_ISREG(found.st_mode):
        raise PackageError(f"{name} is a link or folder; a package holds plain files only.", _FRESH)
    if found.st_nlink > 1 and not links:
        raise PackageError(f"{name} also lies elsewhere on the disk (hard link).", "Copy the package, then open it.")
    if found.st_size != size:
        raise PackageError(f"{name} has {found.st_size} bytes instead of the {size} of the manifest.", _FRESH)


def _open(folder: Path, name: str, *, links: bool) -> BinaryIO:
    """Open one regular file of ``folder`` without following a link; what was opened is checked, not what was listed."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(folder / name, flags)
    except FileNotFoundError as error:
        raise PackageError(f"The package lacks the file {name}.", _FRESH) from error
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode) or (found.st_nlink > 1 and not links):
        os.close(handle)
        raise PackageError(f"{name} is a link or folder; a package holds plain files only.", _FRESH)
    return os.fdopen(handle, "rb")


def _read(folder: Path, name: str, limit: int, *, links: bool) -> bytes:
    with _open(folder, name, links=links) as stream:
        try:
            data = stream.read(limit + 1)
        except OSError as error:
            raise _unreadable(name, error) from error
    if len(data) > limit:
        raise PackageError(f"{name} is larger than it may be.", _FRESH)
    return data


def _hashed(package: Package, name: str, size: int, sha256: str, *, keep: int) -> bytes:
    """The first ``keep`` bytes of a file whose size and hash are those of the manifest."""
    digest = hashlib.sha256()
    kept = bytearray()
    total = 0
    with _open(package.folder, name, links=package.bundled) as stream:
        try:
            while total <= size and (chunk := stream.read(_CHUNK)):
                total += len(chunk)
                digest.update(chunk)
                kept += chunk[: max(0, keep - len(kept))]
        except OSError as error:
            raise _unreadable(name, error) from error
    if total != size or digest.hexdigest() != sha256:
        raise PackageError(f"{name} is not the file its manifest describes: the hash differs.", _FRESH)
    return bytes(kept)


def _unreadable(name: str, error: Exception) -> PackageError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return PackageError(f"{name} cannot be read: {reason}.", "Check the drive and the rights of the folder.")


def _remove_flat(folder: Path) -> None:
    """Remove a staging folder of plain files, if it is still there."""
    with suppress(OSError):
        for entry in folder.iterdir():
            entry.unlink()
        folder.rmdir()
