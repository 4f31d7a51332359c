"""Every view of the real window on real models, as pictures to look at.

``QT_QPA_PLATFORM=offscreen python -m tests.screenshots resources/screenshots`` generates with the starter packages in a
library of its own and writes ``<view>-<theme>-<width>.png``, each below 300 kB. ``--packages FOLDER`` takes others.
"""

import argparse
import dataclasses
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QEventLoop, QMimeData, QTimer, QUrl
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from studio.app import Studio
from studio.core.paths import default_paths
from studio.ui.picture import to_pixels

SIZES = ((1280, 800), (1920, 1080))
THEMES = ("dark", "light")
LIMIT_BYTES = 300_000
PATIENCE_MS = 120_000


class Camera:
    """Drives the window and grabs it."""

    def __init__(self, studio: Studio, out: Path) -> None:
        self.studio, self.out = studio, out
        self.theme, self.size = THEMES[0], SIZES[0]

    def wait(self, ready: Callable[[], object]) -> None:
        """Run the window until ``ready`` or give up."""
        loop, waited = QEventLoop(), 0
        timer = QTimer()
        timer.setInterval(20)

        def look() -> None:
            nonlocal waited
            waited += 20
            if ready() or waited > PATIENCE_MS:
                loop.quit()

        timer.timeout.connect(look)
        timer.start()
        loop.exec()
        if not ready():
            raise TimeoutError(f"nothing came in {PATIENCE_MS / 1000:.0f} s")

    def rest(self, ms: int = 400) -> None:
        """Let the window settle."""
        loop = QEventLoop()
        QTimer.singleShot(ms, loop.quit)
        loop.exec()

    def grab(self, view: str) -> None:
        """Write what the window shows."""
        self.rest()
        pixels = to_pixels(self.studio.window.grab().toImage().convertToFormat(QImage.Format.Format_ARGB32))
        path = self.out / f"{view}-{self.theme}-{self.size[0]}.png"
        image = Image.fromarray(pixels).convert("RGB")
        image.save(path, optimize=True)
        if path.stat().st_size > LIMIT_BYTES:  # only then: fewer colours show as bands
            image.quantize(256, kmeans=1, dither=Image.Dither.NONE).save(path, optimize=True)
        print(path, f"{path.stat().st_size / 1000:.0f} kB")

    def made(self) -> bool:
        """True when the last job is over and its pictures are saved."""
        jobs, batch = self.studio.queue.jobs(), self.studio.paint_results.batch
        idle = all(job.state not in ("waiting", "running") for job in jobs)
        return idle and bool(batch) and all(shown.path for shown in batch)


def prepare(camera: Camera) -> None:
    """Make enough to look at: a walk on the map, batches, saved points."""
    studio = camera.studio
    paint = studio.paint
    for package in paint.models:
        paint.choose(package.manifest.id)
        paint.change({"count": 9})
        paint.generate()
        camera.wait(camera.made)
        for index in (0, 3, 6, 8):
            studio.paint_results.show(index)
            studio.window.pane("paint").stage.points.save_point()
    camera.rest(1500)


def of_kind(camera: Camera, pipeline: str, *, with_map: bool = False) -> bool:
    """Open the first model of a pipeline; False when there is none."""
    for package in camera.studio.paint.models:
        manifest = package.manifest
        if manifest.pipeline == pipeline and bool(manifest.settings.get("map")) == with_map:
            camera.studio.paint.choose(manifest.id)
            return True
    return False


def paint_views(camera: Camera) -> None:
    """The first start, the map, attribute sliders, a batch, the mask."""
    studio, window = camera.studio, camera.studio.window
    stage = window.show_pane("paint").stage
    if of_kind(camera, "latent-image/1", with_map=True):
        # A place that is not set already: only a change makes a live picture.
        studio.paint.set_map_place(0.5, 0.5)
        studio.paint.set_map_place(0.72, 0.8)
        camera.wait(lambda: studio.paint_results.picture is not None)
        camera.grab("paint-map")
    if of_kind(camera, "latent-image/1"):
        studio.paint.change({"count": 9})
        studio.paint.generate()
        camera.wait(camera.made)
        camera.grab("paint-batch")
    if of_kind(camera, "diffusion-image/1"):
        camera.grab("paint-first")
        studio.paint.change({"count": 1})
        studio.paint.generate()
        camera.wait(camera.made)
        camera.grab("paint-diffusion")
        stage.start_from_this()
        camera.wait(lambda: studio.paint.start.mask is not None)
        side = studio.paint.start.mask.canvas.shape[0]
        window.pane("paint").controls.start.paint_mask.setChecked(True)
        stage.edit_mask(True)
        studio.paint.start.edit_mask(
            lambda mask: mask.line((side * 0.3, side * 0.3), (side * 0.7, side * 0.6), radius_px=side / 8, erase=False)
        )
        camera.grab("paint-mask")
        window.pane("paint").cancel()
        studio.paint.start.clear()


def other_views(camera: Camera) -> None:
    """Every other tab and everything that lies over the window."""
    window = camera.studio.window
    for key in ("train", "gallery", "models", "settings"):
        window.show_pane(key)
        camera.grab(key)
    window.show_pane("paint")
    window.toggle_queue()
    camera.grab("queue")
    window.toggle_queue()
    window.sheet.open_sheet()
    camera.grab("keys")
    window.sheet.close_sheet()
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile("/pictures/leaf.png")])
    window.drop_zones.offer(mime)
    camera.grab("drop")
    window.drop_zones.hide()


def main() -> int:
    """Take every picture; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--packages", type=Path, help="a folder that holds a folder 'packages'")
    parser.add_argument("--only", choices=("dark", "light"), help="one theme")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    app = QApplication(sys.argv[:1])
    with tempfile.TemporaryDirectory(prefix="reverie-") as home:
        os.environ["REVERIE_HOME"] = home
        paths = default_paths()
        # The pictures show folders: none of this machine's.
        shown = Path(home) / "app"
        shown.symlink_to((options.packages or paths.resources).resolve(), target_is_directory=True)
        paths = dataclasses.replace(paths, resources=shown)
        studio = Studio(app, paths)
        camera = Camera(studio, options.out)
        studio.window.resize(*SIZES[0])
        studio.window.show()
        studio.furnish()
        camera.wait(lambda: studio.library.loaded and studio.paint.models)
        prepare(camera)
        for theme in THEMES:
            if options.only in (None, theme):
                camera.theme = theme
                studio.settings.change({"theme": theme})
                for size in SIZES:
                    camera.size = size
                    studio.window.resize(*size)
                    paint_views(camera)
                    other_views(camera)
        studio.window.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
