"""Thousands of damaged packages: only our errors come out, and nothing is written outside the library."""

import random
import shutil
import zipfile

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.core.errors import StudioError
from studio.core.manifest import decode_manifest
from studio.runtime.packages import import_package, open_package
from tests.package_kit import copy_fixture, zip_entries, zip_folder

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=6), inside, max_size=3),
    max_leaves=6,
)
NAMES = ["../x", "/x", "C:\\x", "x\0y", "x/../../y", "con", "x" * 300, "é.txt", "decode.onnx", "manifest.json/", ""]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return copy_fixture(tmp_path_factory.mktemp("fuzz"))


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in items:
        yield from places(inside, (*path, key))


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_manifests(folder, data):
    values = msgspec.json.decode((folder / "manifest.json").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(values))[1:]))
        target = values
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = data.draw(json_values | st.sampled_from(NAMES))
    raw = msgspec.json.encode(values)
    try:
        decode_manifest(raw)
    except StudioError:
        return
    copy = folder.parent / "copy"
    shutil.copytree(folder, copy)
    try:
        (copy / "manifest.json").write_bytes(raw)
        open_package(copy)
    except StudioError:
        pass
    finally:
        shutil.rmtree(copy)


def outside(root, library):
    return {
        str(path): path.lstat().st_size for path in root.rglob("*") if library not in path.parents and path != library
    }


def attempt(folder, tmp_path, seed):
    rng = random.Random(seed)
    archive = tmp_path / "x.reverie"
    entries = [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]
    compress = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    if seed % 3 == 0:
        for _ in range(rng.randint(1, 3)):
            info = zipfile.ZipInfo("x")
            info.filename = rng.choice(NAMES)
            info.external_attr = rng.choice([0, 0o120777, 0o040755, 0o010644, 0o100644]) << 16
            entries.insert(rng.randint(0, len(entries)), (info, rng.randbytes(20)))
        zip_entries(entries, archive, compress=compress)
    else:
        zip_folder(folder, archive, compress=compress)
        data = bytearray(archive.read_bytes())
        # Aim at the directory and the headers, where damage is interesting.
        starts = [at for at in range(len(data) - 4) if data[at : at + 2] == b"PK"]
        for _ in range(rng.randint(1, 6)):
            data[min(len(data) - 1, rng.choice(starts) + rng.randint(0, 60))] = rng.randint(0, 255)
        archive.write_bytes(data)
    library = tmp_path / "library"
    before = outside(tmp_path, library)
    try:
        package = import_package(archive, library)
    except StudioError as error:
        assert "\n" not in error.message  # noqa: PT017 - either outcome is fine
        assert list(library.iterdir()) == []
    else:
        assert [path.name for path in library.iterdir()] == [package.manifest.id]
    assert outside(tmp_path, library) == before


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("seed", range(120))
def test_archives(folder, tmp_path, seed):
    attempt(folder, tmp_path, seed)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_ten_thousand_archives(folder, tmp_path):
    for seed in range(1000, 11_000):
        place = tmp_path / str(seed)
        place.mkdir()
        attempt(folder, place, seed)
        shutil.rmtree(place)
