"""The whole window on real small packages: generate, see, save, close; nothing heavy, nothing left behind."""

import dataclasses
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtWidgets import QPushButton

from studio.app import Studio
from studio.core.paths import default_paths
from studio.state.notices import Notice

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "tests" / "fixtures"


@pytest.fixture
def studio(tmp_path, qtbot, qapp, monkeypatch):
    monkeypatch.setenv("REVERIE_HOME", str(tmp_path))
    before = set(threading.enumerate())
    made = Studio(qapp, dataclasses.replace(default_paths(), resources=PACKAGES))
    qtbot.addWidget(made.window)
    made.window.show()
    made.furnish()
    qtbot.waitUntil(lambda: made.paint.package is not None, timeout=20_000)
    yield made
    made.window.close()
    left = [thread.name for thread in set(threading.enumerate()) - before if thread.is_alive()]
    assert left == []


def made_by(studio) -> list[Path]:
    return sorted(path for path in studio.paths.results.rglob("*") if path.suffix in (".png", ".mp4", ".gif"))


def test_one_click_gives_a_saved_picture_on_a_named_device(studio, qtbot) -> None:
    pane = studio.window.pane("paint")
    qtbot.mouseClick(pane.stage.empty_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(studio.paint_results.batch and studio.paint_results.batch[0].path), timeout=60_000)
    assert made_by(studio) == [Path(studio.paint_results.batch[0].path)]
    qtbot.waitUntil(lambda: "Processor" in studio.window.top.device.text(), timeout=10_000)


def test_map_is_live_and_a_film_is_made(studio, qtbot) -> None:
    studio.paint.choose("tiny-map")
    pane = studio.window.pane("paint")
    qtbot.mouseClick(pane.controls.pad, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: studio.paint_results.picture is not None, timeout=60_000)
    assert studio.paint_results.picture.kind == "live"
    assert made_by(studio) == []
    qtbot.waitUntil(lambda: studio.maps.image(studio.paint.package) is not None, timeout=20_000)
    studio.paint.change({"frames": 4, "film_format": "gif"})
    studio.paint.make_film()
    qtbot.waitUntil(lambda: bool(studio.paint_results.film), timeout=60_000)
    assert len(studio.paint_results.film) == 16
    assert [path.suffix for path in made_by(studio)] == [".gif"]


def test_a_dropped_result_brings_everything_back(studio, qtbot) -> None:
    studio.paint.choose("tiny-latent")
    studio.paint.set_seed(5)
    studio.paint.generate()
    qtbot.waitUntil(lambda: bool(studio.paint_results.batch and studio.paint_results.batch[0].path), timeout=60_000)
    path = studio.paint_results.batch[0].path
    studio.paint.choose("tiny-map")
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(path)])
    studio.window.dropped.emit("recipe", mime)
    qtbot.waitUntil(lambda: studio.paint.package.manifest.id == "tiny-latent", timeout=20_000)
    assert studio.paint.values.seed == 5
    studio.window.dropped.emit("start", mime)
    studio.paint.choose("tiny-diffusion")
    studio.window.dropped.emit("start", mime)
    qtbot.waitUntil(lambda: studio.paint.start.pixels is not None, timeout=20_000)


def test_check_everything_plays_every_model_and_says_so(studio, qtbot) -> None:
    page = studio.window.show_pane("settings")
    button = next(one for one in page.findChildren(QPushButton) if one.text().strip() == "Check everything")
    told: list[Notice] = []
    studio.notices.posted.connect(told.append)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    count = len(studio.library.packages)
    assert told[0].text.startswith(f"Checking {count} models")
    qtbot.waitUntil(lambda: len(told) == 2, timeout=90_000)
    assert (told[1].level, told[1].text) == ("success", f"All {count} models play, and none asked for the network.")


def test_check_everything_names_the_model_that_fails(studio, qtbot, monkeypatch) -> None:
    monkeypatch.setattr("studio.workers.self_test.check", lambda _: ("Tiny map: it asked for the network.",))
    told: list[Notice] = []
    studio.notices.posted.connect(told.append)
    studio._check_everything()
    qtbot.waitUntil(lambda: len(told) == 2, timeout=20_000)
    assert told[1].level == "error"
    assert "Tiny map: it asked for the network." in told[1].hint


def test_every_pane_opens(studio, qtbot) -> None:
    for key in ("train", "gallery", "models", "settings"):
        assert studio.window.show_pane(key).isVisible()
    studio.window.toggle_queue()
    studio.settings.change({"device": "cpu", "threads": 1, "results_folder": str(studio.paths.data / "other")})
    assert studio.results_folder().name == "other"


LIGHT = """
import sys, dataclasses
from pathlib import Path
import studio.app
from studio.core.paths import default_paths
from PySide6.QtWidgets import QApplication
app = QApplication([])
made = studio.app.Studio(app, dataclasses.replace(default_paths(), resources=Path(sys.argv[1])))
first = set(sys.modules)
made.window.show()
made.furnish()
app.processEvents()
heavy = ("torch", "onnx", "models", "onnxruntime", "av", "pyqtgraph")
print([name for name in heavy if name in sys.modules], [name for name in (*heavy, "PIL") if name in first])
made.window.close()
"""


def test_window_starts_light(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIGHT, str(PACKAGES)],
        env={**os.environ, "REVERIE_HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == "[] []"


def test_smoke_opens_and_closes_with_a_log(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "studio.app", "--smoke"],
        cwd=ROOT, env={**os.environ, "REVERIE_HOME": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "data" / "log" / "crash.txt").exists()
    assert (tmp_path / "config" / "settings.json").exists()
