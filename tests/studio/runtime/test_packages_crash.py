"""Import and export of packages, killed or failed at every one of their system calls."""

import os
import shutil
import zipfile

import pytest

from studio.core.errors import StudioError
from studio.runtime.packages import export_package, open_package
from tests.faults.crash_points import BROKEN, FULL, KILL, SAID, ForkServer, crash_everywhere, need_strace
from tests.package_kit import change_manifest, copy_fixture

SAVERS = "tests.studio.runtime.package_savers"


@pytest.fixture(scope="module")
def server():
    made = ForkServer(SAVERS, "tests.package_kit")
    need_strace(made)
    yield made
    made.close()


@pytest.fixture
def library(tmp_path):
    """A library with one package, and an archive of another one with the same id."""
    folder = tmp_path / "library"
    copy_fixture(folder)
    other = copy_fixture(tmp_path / "other")
    change_manifest(other, summary="another one")
    export_package(open_package(other), tmp_path / "other.reverie")
    return folder


def fresh(library):
    for path in library.iterdir():
        if path.name != "tiny-latent":
            shutil.rmtree(path)


def whole(library):
    """Names of all visible packages; each must open."""
    names = sorted(path.name for path in library.iterdir() if not path.name.startswith("."))
    for name in names:
        open_package(library / name)
    return names


def crash_import(server, library, failure, saver):
    seen = set()

    def prepare():
        fresh(library)
        return str(library.parent / "other.reverie"), str(library)

    def check(status):
        assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) in (0, SAID)
        names = whole(library)
        assert names in (["tiny-latent"], ["tiny-latent", "tiny-latent-2"])
        seen.add(len(names))

    points = crash_everywhere(server, failure, prepare, check, f"{SAVERS}:{saver}")
    return points, seen


@pytest.mark.parametrize("failure", [KILL, FULL, BROKEN])
def test_an_import_is_whole_or_not_there(server, library, failure):
    points, seen = crash_import(server, library, failure, "import_it")
    assert points > 8
    assert seen == {1, 2}


def test_the_import_suite_catches_a_naive_one(server, library):
    with pytest.raises((AssertionError, StudioError)):
        crash_import(server, library, KILL, "import_naively")


def crash_export(server, folder, target, failure, saver):
    old = b"the old file"

    def prepare():
        target.write_bytes(old)
        return str(folder), str(target)

    def check(status):
        assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) in (0, SAID)
        if target.read_bytes() != old:
            with zipfile.ZipFile(target) as archive:
                assert archive.testzip() is None

    return crash_everywhere(server, failure, prepare, check, f"{SAVERS}:{saver}")


@pytest.mark.parametrize("failure", [KILL, FULL, BROKEN])
def test_an_export_is_the_old_file_or_the_new(server, library, tmp_path, failure):
    assert crash_export(server, library / "tiny-latent", tmp_path / "x.zip", failure, "export_it") > 4


def test_the_export_suite_catches_a_naive_one(server, library, tmp_path):
    with pytest.raises((AssertionError, zipfile.BadZipFile)):
        crash_export(server, library / "tiny-latent", tmp_path / "x.zip", KILL, "export_naively")
