import pytest

from studio.core.errors import PackageError
from studio.runtime.catalogue import Catalogue
from studio.runtime.packages import export_package, open_package
from studio.runtime.speeds import Speeds
from studio.state.library import LibraryState
from studio.state.notices import Notices
from studio.workers.background import Background
from tests.package_kit import FIXTURES, change_manifest, copy_fixture, edit_json


@pytest.fixture
def background(qapp):
    made = Background(threads=1)
    yield made
    made.close()


class Bench:
    """A library on its own folders, with what it posts."""

    def __init__(self, tmp_path, background, qtbot, verify=None):
        self.bundled, self.user = tmp_path / "bundled", tmp_path / "user"
        copy_fixture(self.bundled, "tiny-map")
        copy_fixture(self.user, "tiny-latent")
        self.catalogue = Catalogue(lambda: (self.user,), self.bundled, verify)
        notices = Notices()
        self.posted = []
        notices.posted.connect(self.posted.append)
        self.state = LibraryState(
            self.catalogue, background, notices, self.user, speeds=Speeds(tmp_path / "cache" / "speeds.json")
        )
        self._notices = notices
        self._qtbot = qtbot

    def settle(self, until):
        self._qtbot.waitUntil(lambda: bool(until()) and not self.state.busy, timeout=10_000)

    def load(self):
        self.state.refresh()
        self.settle(lambda: self.state.loaded)

    def ids(self):
        return [package.manifest.id for package in self.state.packages]


@pytest.fixture
def bench(tmp_path, background, qtbot):
    made = Bench(tmp_path, background, qtbot)
    made.load()
    return made


def test_entries_say_what_a_person_wants_to_know(bench):
    starter, own = bench.state.entries
    assert starter.card.bundled
    assert starter.card.experimental == "It was not measured against a baseline."
    assert starter.preview.shape == (16, 16, 4)
    assert own.card.size == "12 x 12 px, with transparency"
    assert own.card.cannot_fine_tune
    assert own.problem == ""


def test_two_refreshes_at_once_become_one_more(bench):
    copy_fixture(bench.user, "tiny-diffusion")
    bench.state.refresh()
    bench.state.refresh()
    bench.settle(lambda: len(bench.ids()) == 3)


def test_import_a_file_and_tell(bench, tmp_path, qtbot):
    archive = tmp_path / "x.reverie"
    export_package(open_package(FIXTURES / "tiny-diffusion"), archive)
    with qtbot.waitSignal(bench.state.imported) as signal:
        bench.state.import_paths([archive])
    bench.settle(lambda: len(bench.ids()) == 3)
    assert signal.args == ["tiny-diffusion"]
    assert bench.posted[-1].text == "Imported Tiny diffusion."


def test_import_again_and_a_clash(bench, tmp_path):
    bench.state.import_paths([bench.user / "tiny-latent"])
    bench.settle(lambda: bench.posted)
    assert "in the library already" in bench.posted[-1].text
    other = copy_fixture(tmp_path / "other")
    change_manifest(other, summary="another one")
    bench.state.import_paths([other])
    bench.settle(lambda: len(bench.posted) == 2)
    assert bench.posted[-1].text == "Imported Tiny latent (2)."
    assert "tiny-latent-2" in bench.posted[-1].hint


def test_import_a_tree(bench, tmp_path):
    tree = tmp_path / "tree"
    copy_fixture(tree / "a", "tiny-diffusion")
    copy_fixture(tree / "b" / "c", "tiny-map")
    bench.state.import_paths([tree])
    bench.settle(lambda: len(bench.posted) == 2)
    bench.settle(lambda: set(bench.ids()) == {"tiny-map", "tiny-latent", "tiny-diffusion"})


def test_import_of_nothing_and_of_a_bad_file(bench, tmp_path):
    (tmp_path / "empty").mkdir()
    bench.state.import_paths([tmp_path / "empty"])
    bench.settle(lambda: len(bench.posted) == 1)
    assert "no model" in bench.posted[0].text
    (tmp_path / "bad.reverie").write_bytes(b"not a zip")
    bench.state.import_paths([tmp_path / "bad.reverie"])
    bench.settle(lambda: len(bench.posted) == 2)
    assert bench.posted[1].level == "error"
    assert bench.posted[1].hint


def test_export(bench, tmp_path):
    bench.state.export("tiny-latent", tmp_path / "mine")
    bench.settle(lambda: bench.posted)
    assert (tmp_path / "mine.reverie").read_bytes()[:2] == b"PK"
    bench.state.export("tiny-latent", tmp_path / "gone" / "x.reverie")
    bench.settle(lambda: len(bench.posted) == 2)
    assert bench.posted[1].level == "error"


def test_remove_and_undo(bench):
    bench.state.remove("tiny-latent")
    bench.settle(lambda: bench.ids() == ["tiny-map"])
    assert not (bench.user / "tiny-latent").exists()
    assert bench.posted[-1].action == "Undo"
    bench.posted[-1].run()
    bench.settle(lambda: bench.ids() == ["tiny-map", "tiny-latent"])


def test_starters_stay(bench):
    bench.state.remove("tiny-map")
    bench.settle(lambda: bench.posted)
    assert "came with Reverie" in bench.posted[-1].text
    assert (bench.bundled / "tiny-map").exists()
    bench.state.remove("nothing")
    assert bench.posted[-1].level == "error"


def test_what_cannot_be_used_is_said(tmp_path, background, qtbot):
    def verify(_package):
        raise PackageError("It crashed when it was tried out.")

    bench = Bench(tmp_path, background, qtbot, verify)
    copy_fixture(bench.user, "tiny-diffusion")
    edit_json(bench.user / "tiny-diffusion", format=99)
    bench.load()
    bench.settle(lambda: bench.state.entries[1].problem)
    assert bench.state.entries[0].problem == ""
    assert "crashed" in bench.state.entries[1].problem
    assert [problem.path.name for problem in bench.state.problems] == ["tiny-diffusion"]


def test_speed_is_measured_here(bench, tmp_path, qtbot):
    bench.state.note_speed("tiny-latent", 0.25, "CPUExecutionProvider")
    bench.state.note_speed("unknown", 0.25, "CPUExecutionProvider")
    assert bench.state.entries[1].speed == "250 ms a picture on CPU"
    qtbot.waitUntil((tmp_path / "cache" / "speeds.json").exists)
    again = Speeds(tmp_path / "cache" / "speeds.json")
    assert again.find(bench.state.packages[1].sha256).median_s == 0.25
