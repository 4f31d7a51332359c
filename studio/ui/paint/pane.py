"""The Paint pane: three zones and the keys that work in them."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication, QImage, QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from studio.state.map_maker import MapMaker
from studio.state.paint import PaintState
from studio.state.paint_mask import Mask
from studio.state.previews import Previews
from studio.ui.paint.controls import Controls
from studio.ui.paint.film_player import FilmPlayer, Later
from studio.ui.paint.stage import Stage
from studio.ui.picture import to_pixels
from studio.ui.zones import Zones


class PaintPane(QWidget):
    """Controls left, picture centre, gallery right.

    Args:
        gallery: the strip of results; None leaves the right zone out.

    Signals:
        library_wanted(): the artist wants to see the models.
    """

    library_wanted = Signal()

    def __init__(
        self,
        state: PaintState,
        previews: Previews,
        maps: MapMaker,
        *,
        later: Later,
        gallery: QWidget | None = None,
    ) -> None:
        super().__init__()
        self.state = state
        self.controls = Controls(state, previews, maps)
        self.stage = Stage(state, FilmPlayer(state, later, self))
        self.zones = Zones(self.controls, self.stage, gallery)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.zones)
        self.controls.library_wanted.connect(self.library_wanted)
        self.controls.start.mask_wanted.connect(self.stage.edit_mask)
        self.controls.start.paste_wanted.connect(self.paste)
        self.stage.paste_wanted.connect(self.paste)
        self.stage.mask_bar.done.connect(self._on_mask_done)
        self.controls.make.main_pressed.connect(self._leave_mask)
        self.controls.make.queue_pressed.connect(self._leave_mask)
        self._bind_keys()
        self.setFocusProxy(self.controls.make.button)
        self._greeted = False
        state.model_changed.connect(self._on_model_changed)

    def generate(self) -> None:
        """Ctrl+Enter: what the big button does."""
        self._leave_mask()
        self.state.generate_or_stop()

    def generate_first(self) -> None:
        """Ctrl+Shift+Enter: before everything that waits."""
        self._leave_mask()
        self.state.generate(front=True)

    def cancel(self) -> None:
        """Esc: leave the mask, or stop what runs."""
        if self.stage.masking:
            self._on_mask_done()
        else:
            self.state.stop()

    def undo(self) -> None:
        """Take back a stroke while the mask is painted, else the last change."""
        if self.stage.masking:
            self.state.start.edit_mask(Mask.undo)
        else:
            self.state.undo()

    def redo(self) -> None:
        """Bring back what was undone."""
        if self.stage.masking:
            self.state.start.edit_mask(Mask.redo)
        else:
            self.state.redo()

    def paste(self) -> None:
        """Start from the picture on the clipboard: its file when there is one, else its pixels."""
        mime = QGuiApplication.clipboard().mimeData()
        files = [url.toLocalFile() for url in mime.urls() if url.isLocalFile()]
        if files:
            self.start_from_file(files[0])
            return
        image = mime.imageData()
        if isinstance(image, QImage) and not image.isNull():
            self.state.start.take(to_pixels(image))

    def start_from_file(self, path: str) -> None:
        """Start from a picture file."""
        self.state.start.take(Path(path))

    def _bind_keys(self) -> None:
        bench = self.stage
        keys = {
            "Ctrl+Z": self.undo,
            "Ctrl+Shift+Z": self.redo,
            "Ctrl+Y": self.redo,
            "Ctrl+S": self.state.keep,
            "Ctrl+C": bench.copy_picture,
            "Ctrl+V": self.paste,
            "[": lambda: bench.mask_bar.resize_brush(-1),
            "]": lambda: bench.mask_bar.resize_brush(1),
            "B": lambda: bench.mask_bar.pick(eraser=False),
            "E": lambda: bench.mask_bar.pick(eraser=True),
            "P": bench.points.save_point,
            "Shift+X": self.cancel,
        }
        for key, run in keys.items():
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(run)

    def _on_model_changed(self) -> None:
        """Before the first model nothing here could take the focus: Enter should make a picture, not press a tab."""
        if self._greeted or self.state.manifest is None:
            return
        self._greeted = True
        holder = QApplication.focusWidget()
        if self.isVisible() and (holder is None or holder.property("tab")):
            self.setFocus()

    def _leave_mask(self) -> None:
        """What is made now wants to be seen; the mask stays with the start picture."""
        if self.stage.masking:
            self._on_mask_done()

    def _on_mask_done(self) -> None:
        self.controls.start.paint_mask.setChecked(False)
        self.stage.edit_mask(False)
