"""The only wiring: everything that lives as long as the window is made here and handed on."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.core.quiet import silence

silence()  # before anything can import onnxruntime

from PySide6.QtCore import QMimeData, Qt  # noqa: E402
from PySide6.QtGui import QGuiApplication, QImage  # noqa: E402
from PySide6.QtWidgets import QApplication, QWidget  # noqa: E402

from studio.core.events import Done  # noqa: E402
from studio.core.paths import Paths, default_paths  # noqa: E402
from studio.core.settings import Settings  # noqa: E402
from studio.runtime.logbook import Logbook  # noqa: E402
from studio.runtime.settings_store import SettingsStore  # noqa: E402
from studio.state.notices import Notice, Notices  # noqa: E402
from studio.state.settings import SettingsState  # noqa: E402
from studio.ui import theme  # noqa: E402
from studio.ui.window import MainWindow, Pane, Shell  # noqa: E402
from studio.workers.background import Background  # noqa: E402
from studio.workers.clock import Clock  # noqa: E402
from studio.workers.lane import Lane  # noqa: E402

if TYPE_CHECKING:
    from studio.core.gallery import Entry
    from studio.core.recipe import Restored
    from studio.runtime.engine import Engine
    from studio.state.wizard import WizardState
    from studio.workers.trainer import Supervisor

SWITCH_S = 0.0005
"""How long a thread keeps Python's lock while another wants it."""


class Studio:
    """The window and all that stands behind it.

    Two steps: the constructor makes what the first frame needs, `furnish` the rest once the window can be seen.
    """

    def __init__(self, app: QApplication, paths: Paths) -> None:
        self.app = app
        self.paths = paths
        self.notices = Notices()
        self.clock = Clock()
        self.background = Background(2)
        self.files = Background(1)
        self.lane = Lane(self._make_engine)
        self.settings = SettingsState(
            SettingsStore(paths.settings_file), background=self.background, notices=self.notices
        )
        look = self.settings.value
        theme.apply(app, look.theme, look.scale, reduced_motion=look.reduced_motion)
        self._engine: Engine | None = None
        self._training: tuple[WizardState, Supervisor] | None = None
        self._device = (look.device, look.threads)
        self._folders = (look.results_folder, look.model_folders)
        self.window = MainWindow(self._shell(), notices=self.notices, settings=self.settings)
        self.window.closing.connect(self.close)
        self._closed = False
        self._furnished = False

    def furnish(self) -> None:
        """Open the library, the queue, the gallery and the training runs, and fill the first pane."""
        if self._furnished or self._closed:
            return
        self._furnished = True
        self._open_library()
        self._open_results()
        self._open_paint()
        self._connect()
        self.window.open_pane(0)
        self.settings.tell_problem()
        self.library.refresh()
        self.gallery.start()
        self.queue.resume()
        # What trains is heavy to import and seldom the first thing wanted: off the main thread, then taken up here.
        self.background.run(_import_training, lambda _: self.wizard.attach())
        self.background.run(partial(_sweep, self.paths))

    def open_files(self, files: Sequence[Path]) -> None:
        """Do what a dropped file would most likely mean: import a model, restore a recipe, train on a folder."""
        models = [path for path in files if path.suffix.lower() == ".reverie" or (path / "manifest.json").is_file()]
        if models:
            self.library.import_paths(models)
        elif len(files) == 1 and files[0].is_file() and files[0].suffix.lower() != ".zip":
            self.gallery.restore_file(files[0])
        elif files:
            self._train_on(tuple(files))

    def close(self) -> None:
        """End every thread and close every file; what is queued or training goes on next time or by itself."""
        if self._closed:
            return
        self._closed = True
        self.clock.close()
        self.settings.flush()
        self.lane.close()
        self.files.close()
        self.background.close()
        if self._furnished:
            for part in self._training or ():
                part.close()
            self.databases.close()
            self.speeds.save()

    # -- pieces, in the order they are opened ----------------------------------------------------------------------

    def _open_library(self) -> None:
        from studio.runtime.catalogue import Catalogue
        from studio.runtime.disposable import Verdicts
        from studio.runtime.speeds import Speeds
        from studio.state.library import LibraryState
        from studio.state.previews import Previews
        from studio.workers.disposable import DisposableCheck

        self.catalogue = Catalogue(
            self._package_folders,
            self.paths.bundled_packages,
            DisposableCheck(Verdicts(self.paths.cache / "verdicts")),
        )
        self.speeds = Speeds(self.paths.data / "speeds.json")
        self.library = LibraryState(
            self.catalogue, self.background, self.notices, self.paths.packages, speeds=self.speeds
        )
        self.previews = Previews(self.background)

    def _open_results(self) -> None:
        from studio.runtime.databases import Databases
        from studio.runtime.results import Results
        from studio.runtime.thumbnails import Thumbnails
        from studio.state.gallery import GalleryState
        from studio.state.queue import QueueState
        from studio.state.replay import Replay

        self.databases = Databases(self.paths)
        if self.databases.problem is not None:
            self.notices.post_error(self.databases.problem)
        self.results = Results(self.results_folder, self.databases.index)
        self.queue = QueueState(
            self.databases.queue,
            self.lane,
            self.results,
            self.files,
            self.notices,
            describe=self._describe,
            facts=lambda: self._engine.facts() if self._engine is not None else None,
            save_format=lambda: self.settings.value.save_format,
        )
        self.gallery = GalleryState(
            self.databases.index,
            self.results,
            self.background,
            self.notices,
            thumbnails=Thumbnails(self.paths.cache / "thumbnails"),
            clean_folder=self.paths.cache / "clean",
            drag_clean=lambda: self.settings.value.drag_clean,
            replay=Replay(self.lane, self.background, self.notices, describe=self._describe),
        )

    def _open_paint(self) -> None:
        from studio.runtime.inputs import InputStore
        from studio.runtime.memory_store import MemoryStore
        from studio.state.map_maker import MapMaker
        from studio.state.paint import PaintState
        from studio.state.paint_memory import PaintMemory
        from studio.state.paint_results import PaintResults
        from studio.state.paint_start import PaintStart
        from studio.state.projection import Projection

        shared: dict[str, Any] = {"background": self.background, "notices": self.notices}
        self.paint_results = PaintResults(
            self.queue, folder=self.results_folder, loose=InputStore(self.paths.cache / "drag"), **shared
        )
        self.paint = PaintState(
            library=self.library,
            queue=self.queue,
            lane=self.lane,
            results=self.paint_results,
            start=PaintStart(InputStore(self.paths.inputs), **shared),
            memory=PaintMemory(MemoryStore(self.paths.data / "models"), **shared),
            projection=Projection(self.lane, notices=self.notices),
            notices=self.notices,
            settings=self.settings,
        )

        self.maps = MapMaker(self.paths.cache / "maps", lane=self.lane, background=self.background)

    @property
    def wizard(self) -> "WizardState":
        """The training runs and the wizard, opened when first asked for."""
        if self._training is None:
            from studio.state.wizard import WizardState
            from studio.workers.trainer import Supervisor

            supervisor = Supervisor(self.paths.runs)
            wizard = WizardState(self.paths, self.library, self.background, self.notices, supervisor)
            wizard.package_ready.connect(self._on_wizard_package)
            wizard.open_requested.connect(self._open_model)
            self._training = (wizard, supervisor)
        return self._training[0]

    def _connect(self) -> None:
        from studio.ui.desktop_notice import DesktopNotices

        window = self.window
        self.lane.busy_changed.connect(window.set_busy)
        self.paint_results.facts_changed.connect(window.show_facts)
        self.paint_results.facts_changed.connect(self._on_facts_changed)
        self.queue.changed.connect(self._on_queue_changed)
        self.queue.event.connect(self._on_queue_event)  # pyright: ignore[reportAttributeAccessIssue]
        self.queue.saved.connect(lambda _, entry: self.gallery.add(entry))
        self.gallery.restore_requested.connect(self._on_gallery_restore)
        self.gallery.source_requested.connect(self._on_gallery_source)
        self.gallery.show_requested.connect(self._on_gallery_show)
        self.gallery.open_requested.connect(self._on_gallery_open)
        self.settings.changed.connect(self._on_settings_changed)
        DesktopNotices(window, notices=self.notices, queue=self.queue)
        window.dropped.connect(self._on_window_dropped)
        self._on_queue_changed()

    # -- panes -----------------------------------------------------------------------------------------------------

    def _shell(self) -> Shell:
        panes = (
            Pane("paint", "Paint", "paint", self._make_paint),
            Pane("train", "Train", "train", self._make_train),
            Pane("gallery", "Gallery", "gallery", self._make_gallery),
            Pane("models", "Models", "models", self._make_models),
            Pane("settings", "Settings", "settings", self._make_settings),
        )
        return Shell(panes, self._make_queue_panel, self.clock.later, self._keeps_running)

    def _make_paint(self) -> QWidget:
        from studio.ui.gallery.strip import GalleryStrip
        from studio.ui.paint.pane import PaintPane

        pane = PaintPane(
            self.paint, self.previews, self.maps, later=self.clock.later, gallery=GalleryStrip(self.gallery)
        )
        pane.library_wanted.connect(lambda: self.window.show_pane("models"))
        return pane

    def _make_train(self) -> QWidget:
        from studio.ui.wizard.page import WizardPage

        return WizardPage(self.wizard)

    def _make_gallery(self) -> QWidget:
        from studio.ui.gallery.page import GalleryPage

        page = GalleryPage(self.gallery, tile_px=self.settings.value.thumbnail_px)
        page.make_requested.connect(lambda: self.window.show_pane("paint"))
        page.tile_changed.connect(lambda size: self.settings.change({"thumbnail_px": size}))
        return page

    def _make_models(self) -> QWidget:
        from studio.ui.library.page import LibraryPage

        page = LibraryPage(self.library)
        page.open_requested.connect(self._open_model)
        page.fine_tune_requested.connect(lambda base: self._train_on((), base=base))
        return page

    def _make_settings(self) -> QWidget:
        from studio.ui.settings_page import SettingsActions, SettingsPage

        found: list[tuple[tuple[str, str], ...]] = [()]
        actions = SettingsActions(
            devices=lambda: found[0],
            results_folder=self.results_folder,
            data_folder=self.paths.data,
            free_memory=self._free_memory,
            self_test=self._check_everything,
        )
        page = SettingsPage(self.settings, actions)

        def show(devices: tuple[tuple[str, str], ...]) -> None:
            found[0] = devices
            page.refresh_devices()

        self.background.run(_installed_devices, show)
        return page

    def _make_queue_panel(self) -> QWidget:
        from studio.ui.queue_panel import QueuePanel

        return QueuePanel(self.queue, describe=lambda package: self._describe(package)[0])

    # -- what happens between the pieces ---------------------------------------------------------------------------

    def results_folder(self) -> Path:
        """Where results go now."""
        chosen = self.settings.value.results_folder
        return Path(chosen) if chosen else self.paths.results

    def _package_folders(self) -> tuple[Path, ...]:
        return (self.paths.packages, *(Path(folder) for folder in self.settings.value.model_folders))

    def _describe(self, package_id: str) -> tuple[str, str]:
        package = self.catalogue.get(package_id)
        return package.manifest.name, package.sha256

    def _make_engine(self) -> "Engine":
        """On the lane's thread, before the first generation: this is where onnxruntime is imported."""
        from studio.runtime.devices import Devices
        from studio.runtime.engine import Engine

        value = self.settings.value
        self._engine = Engine(
            lambda package_id: self.catalogue.check(self.catalogue.get(package_id)),
            device=value.device,
            threads=value.threads,
            devices=Devices(verdicts_file=self.paths.cache / "devices.json"),
            spin=lambda: not self._keeps_running(),
        )
        return self._engine

    def _keeps_running(self) -> str:
        """A sentence on the training that goes on after the window closes, or empty."""
        if self._training is None:
            return ""
        names = [view.spec.package_name for view in self._training[0].training.runs if view.live]
        return f"The training of {names[0]} goes on after the window closes." if names else ""

    def _free_memory(self) -> None:
        if self._engine is not None:
            self.lane.call(lambda engine: engine.unload())  # pyright: ignore[reportAttributeAccessIssue]

    def _check_everything(self) -> None:
        """Run every model in a child that refuses the network, and say how it went."""
        from studio.workers.self_test import check

        packages = self.library.packages
        count = len(packages)

        def say(wrong: tuple[str, ...]) -> None:
            good = Notice(f"All {count} models play, and none asked for the network.", level="success")
            bad = Notice(f"{len(wrong)} of {count} models failed the check.", " ".join(wrong), "error")
            self.notices.post(bad if wrong else good)

        self.notices.post(Notice(f"Checking {count} models; you can go on working."))
        self.background.run(partial(check, packages), say, self.notices.post_error)

    def _open_model(self, package_id: str) -> None:
        self.paint.choose(package_id)
        self.window.show_pane("paint")

    def _train_on(self, files: tuple[Path, ...], *, base: str = "") -> None:
        self.window.show_pane("train")
        self.wizard.start_with(list(files), base)

    def _on_facts_changed(self) -> None:
        """The model is loaded: its map costs a moment now."""
        if self.paint.package is not None:
            self.maps.make(self.paint.package)

    def _on_queue_event(self, job_id: int, event: object) -> None:
        """A finished job says how quick its model is on this machine."""
        job = next((job for job in self.queue.jobs() if job.id == job_id), None)
        if isinstance(event, Done) and job is not None and not job.request.path:
            seconds = event.facts.seconds / max(1, job.request.count)
            self.library.note_speed(job.request.package, seconds, event.facts.provider)

    def _on_queue_changed(self) -> None:
        self.window.top.show_waiting(sum(job.state in ("waiting", "running") for job in self.queue.jobs()))

    def _on_gallery_restore(self, restored: "Restored", scope: str) -> None:
        self.window.show_pane("paint")
        self.paint.restore(restored, scope)

    def _on_gallery_source(self, path: str) -> None:
        self.window.show_pane("paint")
        self.paint.start.take(Path(path))

    def _on_gallery_open(self, entry: "Entry") -> None:
        from studio.ui.gallery.page import GalleryPage

        page = self.window.show_pane("gallery")
        assert isinstance(page, GalleryPage)
        page.open_entry(entry)

    def _on_gallery_show(self, entry: "Entry") -> None:
        from studio.ui.picture import to_pixels

        def show(frames: list[tuple[QImage, float]]) -> None:
            self.paint_results.show_saved(tuple(to_pixels(image) for image, _ in frames), entry.path)

        self.gallery.whole(entry, show)

    def _on_wizard_package(self, package_id: str) -> None:
        self.paint.choose_soon(package_id)
        self.library.refresh()

    def _on_window_dropped(self, key: str, mime: QMimeData) -> None:
        from studio.ui.drop_zones import dropped_files
        from studio.ui.picture import to_pixels

        files = dropped_files(mime)
        if key == "start":
            self.window.show_pane("paint")
            self.paint.start.take(files[0] if files else to_pixels(mime.imageData()))
        elif key == "train":
            self._train_on(files)
        elif key == "import":
            self.library.import_paths(list(files))
        elif files:
            self.gallery.restore_file(files[0])

    def _on_settings_changed(self, value: Settings) -> None:
        if (value.device, value.threads) != self._device:
            self._device = (value.device, value.threads)
            if self._engine is not None:
                configure = partial(self._engine.configure, device=value.device, threads=value.threads)
                self.lane.call(lambda _: configure())
        results, models = self._folders
        self._folders = (value.results_folder, value.model_folders)
        if value.model_folders != models:
            self.library.refresh()
        if value.results_folder != results:
            self.gallery.start()


def _import_training() -> None:
    for name in ("studio.state.wizard", "studio.workers.trainer"):
        importlib.import_module(name)


def _sweep(paths: Paths) -> None:
    from studio.runtime.leftovers import sweep_leftovers

    sweep_leftovers(paths)


def _installed_devices() -> tuple[tuple[str, str], ...]:
    from studio.runtime.devices import Devices

    return tuple((device.id, device.name) for device in Devices().installed())


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window; returns the exit code. Files given are opened, in the running window when there is one."""
    parser = argparse.ArgumentParser(prog="reverie", description="An offline studio for artists.")
    parser.add_argument("files", nargs="*", type=Path, help="models, pictures with recipes, folders to train on")
    parser.add_argument("--smoke", nargs="?", type=int, const=1500, metavar="MS", help="open, and close after MS")
    options = parser.parse_args(argv)
    paths = default_paths()
    QGuiApplication.setHighDpiScaleFactorRoundingPolicy(Qt.HighDpiScaleFactorRoundingPolicy.PassThrough)
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("Reverie")
    _keep_numbers_plain()
    # Python hands its lock over every 5 ms by default: too long for a frame while the lane computes.
    sys.setswitchinterval(SWITCH_S)
    from studio.workers import last_net
    from studio.workers.instance import SingleInstance

    instance = SingleInstance(paths.data)
    if options.smoke is None and not instance.claim():
        return instance.leave(tuple(options.files))
    book = Logbook(paths.data / "log")
    book.open()
    studio = Studio(app, paths)
    last_net.spread(studio.notices.post_error, QApplication.quit)
    instance.called.connect(lambda files: (studio.window.come_forward(), studio.open_files(files)))
    studio.window.show()
    if options.smoke is not None:  # before `_begin`, so that 0 closes a window that was only shown
        studio.clock.later(options.smoke, studio.window.close)
    studio.clock.later(0, lambda: _begin(studio, options.files))
    code = app.exec()
    studio.close()
    instance.close()
    last_net.fold()
    book.close()
    return code


def _begin(studio: Studio, files: Sequence[Path]) -> None:
    studio.furnish()
    if files:
        studio.open_files(files)


def _keep_numbers_plain() -> None:
    """A decimal comma in C code breaks parsers; Qt sets the user's locale when the application is made."""
    import locale

    locale.setlocale(locale.LC_NUMERIC, "C")


if __name__ == "__main__":
    sys.exit(main())
