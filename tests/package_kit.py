"""Packages for tests: copies of the kilobyte fixtures, changed in the ways a stranger's file may be."""

import hashlib
import io
import shutil
import zipfile
from pathlib import Path

import msgspec

from studio.core.manifest import FileSpec, Manifest, decode_manifest, encode_manifest

FIXTURES = Path(__file__).parent / "fixtures" / "packages"


def copy_fixture(into: Path, name: str = "tiny-latent") -> Path:
    folder = into / name
    shutil.copytree(FIXTURES / name, folder)
    return folder


def manifest_of(folder: Path) -> Manifest:
    return decode_manifest((folder / "manifest.json").read_bytes())


def change_manifest(folder: Path, **changes) -> None:
    manifest = msgspec.structs.replace(manifest_of(folder), **changes)
    (folder / "manifest.json").write_bytes(encode_manifest(manifest))


def edit_json(folder: Path, **changes) -> None:
    """Write keys that a checked Manifest would refuse."""
    values = msgspec.json.decode((folder / "manifest.json").read_bytes())
    values.update(changes)
    (folder / "manifest.json").write_bytes(msgspec.json.encode(values))


def add_file(folder: Path, role: str, name: str, data: bytes) -> None:
    """Add a listed file with its right hash."""
    (folder / name).write_bytes(data)
    files = manifest_of(folder).files | {role: FileSpec(name, hashlib.sha256(data).hexdigest(), len(data))}
    change_manifest(folder, files=files)


def replace_graph(folder: Path, role: str, data: bytes) -> None:
    """Put other bytes in a graph's place and make the manifest agree."""
    graphs = manifest_of(folder).graphs
    (folder / graphs[role].file).write_bytes(data)
    changed = msgspec.structs.replace(graphs[role], sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    change_manifest(folder, graphs=graphs | {role: changed})


def zip_folder(folder: Path, target: Path, *, compress: int = zipfile.ZIP_STORED) -> Path:
    entries = [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]
    return zip_entries(entries, target, compress=compress)


def zip_entries(entries, target: Path, *, compress: int = zipfile.ZIP_STORED) -> Path:
    """``entries``: (name or ZipInfo, bytes). Names are written as they are, doubled ones too."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compress) as archive:
        for name, data in entries:
            info = name
            if isinstance(name, str):
                info = zipfile.ZipInfo(name)
                info.filename = name  # ZipInfo itself would turn separators and cut at a NUL
            info.compress_type = compress
            archive.writestr(info, data)
    target.write_bytes(stream.getvalue())
    return target
