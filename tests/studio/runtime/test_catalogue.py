import os
import shutil

import pytest

from studio.core.errors import NewerFormatError, PackageError
from studio.runtime.catalogue import Catalogue
from studio.runtime.packages import export_package, open_package
from tests.package_kit import FIXTURES, change_manifest, copy_fixture, edit_json


@pytest.fixture
def bundled(tmp_path):
    folder = tmp_path / "bundled"
    copy_fixture(folder, "tiny-map")
    return folder


@pytest.fixture
def user(tmp_path):
    folder = tmp_path / "user"
    copy_fixture(folder, "tiny-latent")
    return folder


class Verify:
    def __init__(self):
        self.seen = []
        self.error = None

    def __call__(self, package):
        self.seen.append(package.manifest.id)
        if self.error is not None:
            raise self.error


def catalogue(bundled, *folders, verify=None):
    return Catalogue(lambda: folders, bundled, verify)


def test_scan_lists_starters_first(bundled, user):
    scan = catalogue(bundled, user).scan()
    assert [p.manifest.id for p in scan.packages] == ["tiny-map", "tiny-latent"]
    assert [p.bundled for p in scan.packages] == [True, False]
    assert scan.problems == ()


def test_scan_of_folders_that_are_not_there(tmp_path):
    assert catalogue(tmp_path / "a", tmp_path / "b").scan().packages == ()


def test_scan_reads_no_graph(bundled, user):
    graph = user / "tiny-latent" / "decode.onnx"
    graph.write_bytes(bytes(graph.stat().st_size))
    found = catalogue(bundled, user)
    assert len(found.scan().packages) == 2
    with pytest.raises(PackageError, match="hash"):
        found.get("tiny-latent")


def test_folder_trees_are_searched_and_hidden_ones_left_alone(bundled, tmp_path):
    tree = tmp_path / "tree"
    copy_fixture(tree / "a" / "b", "tiny-diffusion")
    copy_fixture(tree / ".part-123", "tiny-latent")
    assert [p.manifest.id for p in catalogue(bundled, tree).scan().packages] == ["tiny-map", "tiny-diffusion"]


def test_broken_packages_are_problems(bundled, user):
    copy_fixture(user, "tiny-diffusion")
    (user / "tiny-diffusion" / "denoise.onnx").unlink()
    edit_json(user / "tiny-latent", format=99)
    problems = catalogue(bundled, user).scan().problems
    assert [p.path.name for p in problems] == ["tiny-diffusion", "tiny-latent"]
    assert isinstance(problems[1].error, NewerFormatError)


def test_doubled_ids_are_problems(bundled, user, tmp_path):
    second = tmp_path / "second"
    copy_fixture(second, "tiny-latent")
    found = catalogue(bundled, user, second)
    (problem,) = found.scan().problems
    assert "twice" in problem.error.message
    change_manifest(second / "tiny-latent", summary="other")
    (problem,) = found.scan().problems
    assert "share the id" in problem.error.message
    assert found.get("tiny-latent").folder == user / "tiny-latent"


def test_get_finds_what_came_after_the_scan(bundled, user):
    found = catalogue(bundled, user)
    found.scan()
    copy_fixture(user, "tiny-diffusion")
    assert found.get("tiny-diffusion").trusted


def test_get_of_nothing(bundled):
    with pytest.raises(PackageError, match="no model called 'x'"):
        catalogue(bundled).get("x")


def test_foreign_packages_are_tried_out_once_until_they_change(bundled, user):
    verify = Verify()
    found = catalogue(bundled, user, verify=verify)
    found.get("tiny-map")
    found.get("tiny-latent")
    found.get("tiny-latent")
    assert verify.seen == ["tiny-latent"]
    manifest = user / "tiny-latent" / "manifest.json"
    os.utime(manifest, ns=(1, 1))
    found.get("tiny-latent")
    assert verify.seen == ["tiny-latent"] * 2


def test_a_package_changed_behind_our_back_is_read_again(bundled, user):
    found = catalogue(bundled, user)
    old = found.get("tiny-latent")
    change_manifest(user / "tiny-latent", summary="new")
    new = found.get("tiny-latent")
    assert new.sha256 != old.sha256
    assert new.manifest.summary == "new"


def test_a_refused_package_is_not_given_out(bundled, user):
    verify = Verify()
    verify.error = PackageError("crashed")
    with pytest.raises(PackageError, match="crashed"):
        catalogue(bundled, user, verify=verify).get("tiny-latent")


def test_import_and_duplicates_of_starters(bundled, tmp_path):
    user = tmp_path / "user"
    verify = Verify()
    found = catalogue(bundled, user, verify=verify)
    package = found.import_path(FIXTURES / "tiny-diffusion")
    assert package.folder == user / "tiny-diffusion"
    assert verify.seen == ["tiny-diffusion"]
    assert found.get("tiny-diffusion").manifest == package.manifest
    archive = tmp_path / "x.reverie"
    export_package(open_package(bundled / "tiny-map", bundled=True), archive)
    assert found.import_path(archive).folder == bundled / "tiny-map"
    shutil.rmtree(user / "tiny-diffusion")
    with pytest.raises(PackageError):
        found.get("tiny-diffusion")
