"""``.reverie`` archives: a package folder in one zip file. Opening refuses whatever is odd and never repairs."""

import errno
import os
import re
import shutil
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, BinaryIO

from studio.core.errors import NewerFormatError, PackageError, StorageError
from studio.core.manifest import MANIFEST_NAME, Manifest, decode_manifest
from studio.runtime.atomic import part_path, storage_error, sync_folder

MAX_MANIFEST = 4_000_000
MAX_ENTRIES = 256
MAX_TOTAL = 64 * 2**30
_MAX_DIRECTORY = 1_000_000
_MAX_RATIO = 100
_RATIO_FROM = 1_000_000  # below this size a good ratio harms nobody
_CHUNK = 1 << 20
_SPARE = 10_000_000  # a disk filled to the last byte harms everything else
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LINK, _FILE_TYPE, _REGULAR = 0o120000, 0o170000, 0o100000
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError, KeyError,
    IndexError, OverflowError, UnicodeError, RecursionError,
)  # fmt: skip


def extract_archive(archive: Path, staging: Path) -> Manifest:
    """Unpack ``archive`` into the new, empty folder ``staging`` and return its manifest; hashes are not checked here.

    Raises:
        PackageError: not a zip, or anything in it that an export does not write: other names than plain ones, links,
            folders, encrypted or doubled entries, files the manifest does not list, sizes that differ, bombs.
        NewerFormatError: its manifest is of a later format.
        StorageError: the disk is too small or the folder cannot be written.
    """
    try:
        with archive.open("rb") as stream:
            _check_directory(stream)
            with zipfile.ZipFile(stream) as source:
                return _extract(source, staging)
    except (PackageError, NewerFormatError, StorageError):
        raise
    except _BROKEN as error:
        raise _bad(f"it is damaged ({error})") from error
    except OSError as error:
        raise PackageError(f"The file {archive.name} cannot be read: {error.strerror or error}.") from error


def write_archive(target: Path, names: tuple[str, ...], open_file: Callable[[str], BinaryIO], total: int) -> None:
    """Zip the files ``names`` in this order into ``target``: same files, same bytes; the old ``target`` or the new.

    ``total`` is their size in bytes, for the sentence about a full disk.

    Raises:
        StorageError: the disk is full, read-only or gone.
    """
    part = part_path(target.parent)
    try:
        with part.open("xb") as stream:
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
                for name in names:
                    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                    info.external_attr = (_REGULAR | 0o644) << 16
                    info.create_system = 3
                    with open_file(name) as source, archive.open(info, "w", force_zip64=True) as entry:
                        shutil.copyfileobj(source, entry, _CHUNK)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(target)
        sync_folder(target.parent)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            raise storage_error(error, target, total) from error
        raise


def _extract(source: zipfile.ZipFile, staging: Path) -> Manifest:
    entries = _checked_entries(source.infolist())
    head = entries.get(MANIFEST_NAME)
    if head is None:
        raise _bad(f"it holds no {MANIFEST_NAME}")
    if head.file_size > MAX_MANIFEST:
        raise _bad("its manifest is too large")
    data = _entry_bytes(source, head)
    manifest = decode_manifest(data)
    sizes = {part.file: part.bytes for part in (*manifest.graphs.values(), *manifest.files.values())}
    _check_against(entries, sizes)
    total = sum(sizes.values()) + len(data)
    try:
        if shutil.disk_usage(staging.parent).free < total + _SPARE:
            total += _SPARE
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        staging.mkdir()
        (staging / MANIFEST_NAME).write_bytes(data)
        for name, size in sizes.items():
            with source.open(entries[name]) as stream, (staging / name).open("xb") as target:
                _copy_exactly(stream, target, size, name)
    except OSError as error:
        raise storage_error(error, staging.with_name(manifest.id), total) from error
    return manifest


def _check_against(entries: dict[str, zipfile.ZipInfo], sizes: dict[str, int]) -> None:
    if any(size < 0 for size in sizes.values()) or sum(sizes.values()) > MAX_TOTAL:
        raise _bad("its manifest declares impossible sizes")
    for name, size in sizes.items():
        if name not in entries:
            raise PackageError(f"The package lacks the file {name}.", "Ask for a fresh copy of the package.")
        if entries[name].file_size != size:
            raise PackageError(
                f"{name} has {entries[name].file_size} bytes instead of the {size} of the manifest.",
                "Ask for a fresh copy of the package.",
            )
    extra = sorted(set(entries) - set(sizes) - {MANIFEST_NAME})
    if extra:
        raise _bad(f"it holds {extra[0]!r}, which its manifest does not list")


def _checked_entries(infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    if len(infos) > MAX_ENTRIES:
        raise _bad(f"it holds {len(infos)} entries")
    entries: dict[str, zipfile.ZipInfo] = {}
    lower: set[str] = set()
    for info in infos:
        # orig_filename is what stands in the archive, before zipfile cuts it at a NUL or turns backslashes.
        name = info.orig_filename
        if not _PLAIN.fullmatch(name) or name != info.filename:
            raise _bad(f"the entry {name[:80]!r} is not a plain file name and could leave the folder")
        kind = (info.external_attr >> 16) & _FILE_TYPE
        if kind == _LINK:
            raise _bad(f"the entry {name!r} is a link")
        if kind not in (0, _REGULAR):
            raise _bad(f"the entry {name!r} is not a plain file")
        if info.flag_bits & _ENCRYPTED:
            raise _bad(f"the entry {name!r} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _bad(f"the entry {name!r} is compressed in an unusual way")
        if info.file_size > max(_RATIO_FROM, _MAX_RATIO * info.compress_size):
            raise _bad(f"the entry {name!r} would grow more than a hundredfold")
        if name.lower() in lower:
            raise _bad(f"two entries are called {name!r}")
        lower.add(name.lower())
        entries[name] = info
    return entries


def _entry_bytes(source: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with source.open(info) as stream:
        data = stream.read(MAX_MANIFEST + 1)
    if len(data) > MAX_MANIFEST:
        raise _bad("its manifest is too large")
    return data


def _copy_exactly(stream: IO[bytes], target: BinaryIO, size: int, name: str) -> None:
    left = size
    while chunk := stream.read(_CHUNK):
        left -= len(chunk)
        if left < 0:
            break
        target.write(chunk)
    if left != 0:
        raise PackageError(f"{name} is not as long as its manifest says.", "Ask for a fresh copy of the package.")


def _check_directory(stream: BinaryIO) -> None:
    """Refuse a central directory so large that only listing it would hurt, before `zipfile` reads it."""
    if stream.read(4) != b"PK\x03\x04":
        raise _bad("it is not a .reverie archive")
    size = stream.seek(0, os.SEEK_END)
    tail = min(size, 22 + 65_535)
    stream.seek(size - tail)
    data = stream.read(tail)
    at = data.rfind(b"PK\x05\x06")
    if at < 0 or len(data) - at < 22:
        raise _bad("its end is missing")
    entries, directory = struct.unpack_from("<HI", data, at + 10)
    if directory == 0xFFFFFFFF or entries == 0xFFFF:
        locator = data.rfind(b"PK\x06\x06", 0, at)
        if locator < 0:
            raise _bad("its directory is missing")
        entries, directory = struct.unpack_from("<QQ", data, locator + 32)
    if directory > _MAX_DIRECTORY or entries > MAX_ENTRIES:
        raise _bad(f"it holds {entries} entries")
    stream.seek(0)


def _bad(why: str) -> PackageError:
    return PackageError(f"The package cannot be opened: {why}.", "Ask for a fresh copy; it may be unsafe.")
