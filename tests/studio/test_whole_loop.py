"""The loop that everything stands for: sixty pictures dropped on the running window end as a model that plays in it."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from studio.core.cancel import CancelToken
from studio.core.events import PictureMade
from studio.core.manifest import Preset, Size, TrainingBlock
from studio.core.package import Package
from studio.core.paths import default_paths
from studio.core.protocol import RunSpec
from studio.core.requests import ImageRequest
from studio.runtime.intake import quietly, understand
from studio.runtime.packages import import_package
from studio.runtime.prepare import prepare
from studio.runtime.sample_pictures import write_samples
from tests.package_kit import change_manifest

ROOT = Path(__file__).parents[2]
SIZE = Size(16, 16, 4)
TINY = {"widths": [8, 16], "blocks": [0, 0], "latent": 4}


def train_tiny_base(folder: Path, pictures: Path, into: Path) -> None:
    """A real package of a real family, as small as one gets, put into the library ``into``."""
    found = understand([pictures], quietly, CancelToken())
    data = prepare(found, SIZE, folder / "data", mode="crop", progress=quietly, cancel=CancelToken())
    settings = {"steps": 2, "batch": 8, "sheet": 4}
    spec = RunSpec("VAEF", str(data.folder), "tiny-base", "Tiny base", config=TINY, settings=settings, threads=2)
    (folder / "spec.json").write_bytes(msgspec.json.encode(spec))
    command = [sys.executable, "-m", "models", "train", str(folder), "--device", "cpu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=80, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    preset = Preset("Tiny", "For a test.", {"steps": 30, "batch": 16, "sheet": 4, "learning_rate": 0.005})
    change_manifest(folder / "package" / "tiny-base", training=TrainingBlock(24, "Any pictures.", (preset,)))
    import_package(folder / "package" / "tiny-base", into)


def drop_on(window, zone: str, paths: list[Path]) -> None:
    """What the window system sends when files are dragged over the window and let go on a zone."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    action, button, keys = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(400, 300), action, mime, button, keys)
    QApplication.sendEvent(window, enter)
    zones = window.drop_zones
    assert zones.isVisible()
    place = zones.rects()[[shown.key for shown in zones.zones].index(zone)].center()
    QApplication.sendEvent(zones, QDragEnterEvent(place, action, mime, button, keys))
    drop = QDropEvent(place.toPointF(), action, mime, button, keys)
    QApplication.sendEvent(zones, drop)
    assert drop.isAccepted()


@pytest.mark.timeout(240)
def test_sixty_pictures_dropped_on_the_window_become_a_model_that_plays(qtbot, tmp_path, qapp):
    from studio.app import Studio

    pictures = write_samples(tmp_path / "My treasures", count=60)
    paths = default_paths()
    paths.packages.mkdir(parents=True)
    (tmp_path / "base").mkdir()
    train_tiny_base(tmp_path / "base", pictures / "gems", paths.packages)
    studio = Studio(qapp, paths)
    try:
        studio.window.resize(1280, 800)
        studio.window.show()
        studio.furnish()
        wizard = studio.wizard
        qtbot.waitUntil(lambda: studio.library.loaded and bool(wizard.bases), timeout=20_000)

        drop_on(studio.window, "train", [pictures])
        qtbot.waitUntil(lambda: wizard.flow.understanding is not None, timeout=20_000)
        assert len(wizard.flow.understanding.items) == 60
        page = studio.window.show_pane("train")
        wizard.choose_base("tiny-base")
        qtbot.waitUntil(lambda: bool(wizard.pairs), timeout=20_000)
        page.refresh()

        qtbot.mouseClick(page.train_card.train_button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: bool(wizard.flow.package_id) or failed(wizard.run), timeout=90_000)
        run = wizard.run
        assert run is not None
        assert run.status == "finished", wizard.training.log_tail(run.id)
        assert run.step == 30
        assert run.moved is not None
        assert run.moved > 0
        assert "checks passed" in run.parity
        assert [sheet.step for sheet in run.samples][:1] == [0]
        page.refresh()
        assert page.result_card.before.file != page.result_card.after.file

        package = next(p for p in studio.library.packages if p.manifest.id == wizard.flow.package_id)
        assert_is_of_the_drop(package, paths.runs / run.id / "data")
        made: list[PictureMade] = []
        studio.queue.event.connect(lambda _job, event: made.append(event) if isinstance(event, PictureMade) else None)
        studio.queue.enqueue(ImageRequest(package.manifest.id, seed=7))
        qtbot.waitUntil(lambda: bool(made), timeout=30_000)
        assert made[0].pixels.shape == (16, 16, 4)
        qtbot.mouseClick(page.result_card.open_button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: opened(studio) == package.manifest.id, timeout=10_000)
    finally:
        for view in studio.wizard.training.runs:
            if view.live:
                studio.wizard.training.stop(view.id)
        studio.window.close()
        studio.close()


def failed(run) -> bool:
    return run is not None and run.status in ("failed", "crashed")


def opened(studio) -> str:
    package = studio.paint.package
    return package.manifest.id if package is not None else ""


def assert_is_of_the_drop(package: Package, data: Path) -> None:
    origin = package.manifest.origin
    assert package.manifest.name == "My treasures"
    assert origin.parent == "tiny-base"
    assert origin.items == len((data / "items.jsonl").read_bytes().splitlines()) == 60
    assert all(check.passed for check in package.manifest.parity)
