import hashlib
import os
import pickle  # noqa: TID251 - makes what must be refused
import shutil
import sys
import zipfile

import msgspec
import pytest

from studio.core.errors import NewerFormatError, PackageError, StorageError
from studio.core.manifest import FORMAT
from studio.runtime.packages import export_package, file_stamps, import_package, open_package, read_package
from tests.package_kit import (
    add_file,
    change_manifest,
    copy_fixture,
    edit_json,
    manifest_of,
    replace_graph,
    zip_entries,
    zip_folder,
)

posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX links")


@pytest.fixture
def folder(tmp_path):
    return copy_fixture(tmp_path)


def refused(folder, word, kind=PackageError):
    with pytest.raises(kind, match=word) as caught:
        open_package(folder)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize("name", ["tiny-map", "tiny-latent", "tiny-diffusion"])
def test_fixture_opens(tmp_path, name):
    package = open_package(copy_fixture(tmp_path, name))
    assert package.manifest.id == name
    assert package.sha256 == hashlib.sha256((package.folder / "manifest.json").read_bytes()).hexdigest()
    assert not package.trusted


def test_unlisted_files_are_never_read(folder):
    (folder / "notes.pkl").write_bytes(pickle.dumps([1]))
    assert open_package(folder).manifest.id == "tiny-latent"


def test_wrong_hash(folder):
    path = folder / "decode.onnx"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    refused(folder, "hash differs")


def test_wrong_size(folder):
    with (folder / "decode.onnx").open("ab") as stream:
        stream.write(b"x")
    refused(folder, "bytes instead of")


def test_missing_graph(folder):
    (folder / "decode.onnx").unlink()
    refused(folder, r"lacks the file decode\.onnx")


def test_no_manifest(tmp_path):
    refused(tmp_path, r"lacks the file manifest\.json")


def test_newer_format(folder):
    edit_json(folder, format=FORMAT + 1, something_new=[])
    refused(folder, "format", NewerFormatError)


@pytest.mark.parametrize("name", ["../decode.onnx", "/etc/passwd", "a/b.onnx", "C:decode.onnx", "x\\y.onnx", ".hidden"])
def test_paths_that_leave_the_folder(folder, name):
    graphs = msgspec.json.decode((folder / "manifest.json").read_bytes())["graphs"]
    graphs["decode"]["file"] = name
    edit_json(folder, graphs=graphs)
    refused(folder, "not a plain file name")


@pytest.mark.parametrize("name", ["con", "nul.x", "tiny."])
def test_names_that_windows_cannot_have(folder, name):
    change_manifest(folder, id=name)
    refused(folder, "cannot be a file name")


def test_a_name_with_control_characters(folder):
    change_manifest(folder, name="tiny\x1b[31m")
    refused(folder, "no usable name")


@posix
def test_symlink(folder, tmp_path):
    graph = folder / "decode.onnx"
    elsewhere = tmp_path / "elsewhere.onnx"
    graph.rename(elsewhere)
    graph.symlink_to(elsewhere)
    refused(folder, "link")


@posix
def test_hard_link(folder, tmp_path):
    os.link(folder / "decode.onnx", tmp_path / "elsewhere.onnx")
    refused(folder, "hard link")


@posix
def test_manifest_that_is_a_link(folder, tmp_path):
    manifest = folder / "manifest.json"
    manifest.rename(tmp_path / "m.json")
    manifest.symlink_to(tmp_path / "m.json")
    with pytest.raises(PackageError):
        open_package(folder)


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes in folders")
@pytest.mark.timeout(20)
def test_a_pipe_does_not_hang(folder):
    (folder / "decode.onnx").unlink()
    os.mkfifo(folder / "decode.onnx")
    refused(folder, "link or folder")


def test_inputs_that_differ_from_the_manifest(folder):
    graphs = manifest_of(folder).graphs
    spec = graphs["decode"]
    change_manifest(folder, graphs={"decode": msgspec.structs.replace(spec, inputs=spec.inputs[:1])})
    refused(folder, "manifest says otherwise")


def test_a_pickle_as_a_graph(folder):
    replace_graph(folder, "decode", pickle.dumps({"weights": [1.0, 2.0]}))
    refused(folder, "pickle")


@pytest.mark.parametrize("name", ["original.safetensors", "preview2.png", "notes.txt", "weights.bin", "a.json"])
def test_a_pickle_under_any_name(folder, name):
    add_file(folder, "more", name, pickle.dumps({"weights": [1.0, 2.0]}))
    refused(folder, "pickle")


# import and export


def test_export_is_deterministic_and_comes_back(folder, tmp_path):
    package = open_package(folder)
    one, two = tmp_path / "one.reverie", tmp_path / "two.reverie"
    export_package(package, one)
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    export_package(package, two)
    assert one.read_bytes() == two.read_bytes()
    back = import_package(one, tmp_path / "library")
    assert back.sha256 == package.sha256
    assert back.folder == tmp_path / "library" / "tiny-latent"
    assert {p.name: p.read_bytes() for p in back.folder.iterdir()} == {p.name: p.read_bytes() for p in folder.iterdir()}


def test_export_of_a_changed_package_keeps_the_old_file(folder, tmp_path):
    package = open_package(folder)
    target = tmp_path / "out.reverie"
    target.write_bytes(b"old")
    (folder / "decode.onnx").write_bytes(bytes((folder / "decode.onnx").stat().st_size))
    with pytest.raises(PackageError, match="hash"):
        export_package(package, target)
    assert target.read_bytes() == b"old"


def test_export_into_a_missing_folder(folder, tmp_path):
    with pytest.raises(StorageError):
        export_package(open_package(folder), tmp_path / "gone" / "x.reverie")


def test_import_leaves_unlisted_files_behind(folder, tmp_path):
    (folder / "extra.py").write_text("raise SystemExit")
    package = import_package(folder, tmp_path / "library")
    assert not (package.folder / "extra.py").exists()


def test_import_twice_is_a_no_op(folder, tmp_path):
    library = tmp_path / "library"
    first = import_package(folder, library)
    stamps = file_stamps(first)
    second = import_package(zip_folder(folder, tmp_path / "x.reverie"), library)
    assert second == first
    assert file_stamps(second) == stamps
    assert [p.name for p in library.iterdir()] == ["tiny-latent"]


def test_another_package_with_the_same_id_gets_a_number(folder, tmp_path):
    library = tmp_path / "library"
    import_package(folder, library)
    change_manifest(folder, summary="another one")
    second = import_package(folder, library)
    again = import_package(folder, library)
    assert second.manifest.id == "tiny-latent-2"
    assert second.manifest.name == "Tiny latent (2)"
    assert again.folder == second.folder
    assert open_package(second.folder).manifest.id == second.folder.name


def test_import_of_what_is_bundled_already(folder, tmp_path):
    bundled = read_package(folder, bundled=True)
    library = tmp_path / "library"
    assert import_package(folder, library, taken={"tiny-latent": bundled}) is bundled
    assert list(library.iterdir()) == []


def test_a_refusal_by_verify_leaves_nothing(folder, tmp_path):
    def verify(_package):
        raise PackageError("no")

    with pytest.raises(PackageError):
        import_package(folder, tmp_path / "library", verify=verify)
    assert list((tmp_path / "library").iterdir()) == []


# archives


def entries_of(folder):
    return [(path.name, path.read_bytes()) for path in sorted(folder.iterdir())]


def refused_archive(tmp_path, archive, word):
    before = {path for path in tmp_path.rglob("*") if path != archive}
    library = tmp_path / "library"
    with pytest.raises(PackageError, match=word) as caught:
        import_package(archive, library)
    assert "\n" not in caught.value.message
    assert {path for path in tmp_path.rglob("*") if path not in (archive, library)} == before
    return caught.value


@pytest.mark.parametrize(
    "name",
    [
        "../evil.txt",
        "/tmp/evil.txt",
        "C:\\evil.txt",
        "C:evil.txt",
        "a\\..\\evil",
        "evil\0.txt",
        "sub/evil.txt",
        "sub/",
        "",
    ],
)
def test_archive_entries_that_leave_the_folder(folder, tmp_path, name):
    archive = zip_entries([*entries_of(folder), (name, b"" if name.endswith("/") else b"x")], tmp_path / "x.reverie")
    refused_archive(tmp_path, archive, "plain file name|damaged")


def test_archive_with_a_link(folder, tmp_path):
    info = zipfile.ZipInfo("link.txt")
    info.external_attr = 0o120777 << 16
    archive = zip_entries([*entries_of(folder), (info, b"/etc/passwd")], tmp_path / "x.reverie")
    refused_archive(tmp_path, archive, "is a link")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["decode.onnx", "DECODE.onnx"])
def test_archive_with_a_doubled_name(folder, tmp_path, name):
    archive = zip_entries([*entries_of(folder), (name, b"x")], tmp_path / "x.reverie")
    refused_archive(tmp_path, archive, "two entries are called")


def test_archive_with_an_unlisted_file(folder, tmp_path):
    archive = zip_entries([*entries_of(folder), ("setup.py", b"x")], tmp_path / "x.reverie")
    refused_archive(tmp_path, archive, "does not list")


def test_archive_without_a_graph(folder, tmp_path):
    archive = zip_entries([e for e in entries_of(folder) if e[0] != "decode.onnx"], tmp_path / "x.reverie")
    refused_archive(tmp_path, archive, "lacks the file decode")


def test_archive_without_a_manifest(folder, tmp_path):
    archive = zip_entries([e for e in entries_of(folder) if e[0] != "manifest.json"], tmp_path / "x.reverie")
    refused_archive(tmp_path, archive, r"holds no manifest\.json")


def test_archive_with_too_many_entries(folder, tmp_path):
    many = [(f"f{i}.txt", b"") for i in range(100_000)]
    archive = zip_entries([*entries_of(folder), *many], tmp_path / "x.reverie")
    refused_archive(tmp_path, archive, "entries")


def test_bomb(folder, tmp_path):
    add_file(folder, "bomb", "bomb.txt", b" " * 20_000_000)
    archive = zip_folder(folder, tmp_path / "x.reverie", compress=zipfile.ZIP_DEFLATED)
    assert archive.stat().st_size < 100_000
    shutil.rmtree(folder)
    refused_archive(tmp_path, archive, "hundredfold")


def test_entry_that_lies_about_its_size(folder, tmp_path):
    archive = zip_folder(folder, tmp_path / "x.reverie", compress=zipfile.ZIP_DEFLATED)
    size = (folder / "decode.onnx").stat().st_size
    data = archive.read_bytes().replace(size.to_bytes(4, "little"), (size - 9).to_bytes(4, "little"))
    archive.write_bytes(data)
    refused_archive(tmp_path, archive, "bytes instead of")


def test_encrypted_archive(folder, tmp_path):
    archive = zip_folder(folder, tmp_path / "x.reverie")
    data = bytearray(archive.read_bytes())
    at = data.find(b"PK\x01\x02")
    while at >= 0:
        data[at + 8] |= 1
        at = data.find(b"PK\x01\x02", at + 4)
    archive.write_bytes(data)
    refused_archive(tmp_path, archive, "encrypted")


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip at all", b"PK\x03\x04" + bytes(100)])
def test_not_an_archive(tmp_path, data):
    archive = tmp_path / "x.reverie"
    archive.write_bytes(data)
    refused_archive(tmp_path, archive, "cannot be opened")


def test_truncated_archive(folder, tmp_path):
    archive = zip_folder(folder, tmp_path / "x.reverie")
    archive.write_bytes(archive.read_bytes()[:-200])
    refused_archive(tmp_path, archive, "end is missing")


def test_missing_archive(tmp_path):
    with pytest.raises(PackageError, match="cannot be read"):
        import_package(tmp_path / "gone.reverie", tmp_path / "library")
