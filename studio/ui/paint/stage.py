"""The centre of Paint: the picture, what can be done with it, the batch and the bench of saved points."""

from PySide6.QtCore import QMimeData, Qt, QUrl, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QStackedLayout, QToolButton, QVBoxLayout, QWidget

from studio.state.paint import PaintState
from studio.state.paint_mask import Mask
from studio.ui import theme
from studio.ui.buttons import push_button, tool_button
from studio.ui.elided import ElidedLabel
from studio.ui.icon_label import IconLabel
from studio.ui.paint.batch_bar import BatchBar
from studio.ui.paint.film_player import FilmPlayer
from studio.ui.paint.mask_bar import MaskBar
from studio.ui.paint.points_bar import PointsBar
from studio.ui.paint.viewer import Viewer
from studio.ui.picture import to_image


class Stage(QWidget):
    """Viewer with its tools; the batch to its right; saved points below.

    Signals:
        paste_wanted(): take the clipboard's picture as start.
    """

    paste_wanted = Signal()

    def __init__(self, state: PaintState, player: FilmPlayer) -> None:
        super().__init__()
        self._state = state
        self._player = player
        self.viewer = Viewer()
        self.viewer.set_drag(self.mime)
        self.batch = BatchBar(state.results)
        self.points = PointsBar(state)
        self.mask_bar = MaskBar(state.start)
        self.caption = ElidedLabel("number")
        self.keep = push_button(self.tr("Keep"), state.keep, name="save", tip=self.tr("Save this picture (Ctrl+S)"))
        self.copy = tool_button("copy", self.tr("Copy picture"), self.copy_picture, keys="Ctrl+C")
        self.use = tool_button("picture", self.tr("Start from this picture"), self.start_from_this)
        self.fold = tool_button("pin", self.tr("Saved points and film"), checkable=True)
        self.fold.setChecked(True)
        self._lay_out()
        self._connect()
        self._show_model()
        self._show_picture()

    @property
    def masking(self) -> bool:
        """True while the mask is painted."""
        return not self.mask_bar.isHidden()

    def edit_mask(self, on: bool) -> None:
        """Paint the mask, or go back to the picture."""
        self.mask_bar.setVisible(on)
        self.tools.setVisible(not on)
        self.viewer.set_brush(self.mask_bar.radius_px if on else 0.0)
        self._show_picture()

    def copy_picture(self) -> None:
        """Put the picture on the clipboard, as data and, when it is saved, as a file."""
        mime = self.mime()
        if mime is not None:
            QGuiApplication.clipboard().setMimeData(mime)

    def start_from_this(self) -> None:
        """Make the picture on view the start of the next one."""
        shown = self._state.results.picture
        if shown is not None:
            self._state.start.take(shown.pixels)

    def mime(self) -> QMimeData | None:
        """The picture on view for clipboard and drag: a real file once saved, image data always."""
        shown = self._state.results.picture
        if shown is None:
            return None
        mime = QMimeData()
        mime.setImageData(to_image(shown.pixels))
        if shown.path:
            mime.setUrls([QUrl.fromLocalFile(shown.path)])
        return mime

    def _lay_out(self) -> None:
        self.tools = self._make_tools()
        self.mask_bar.hide()
        centre = QSplitter(Qt.Orientation.Horizontal)
        centre.setChildrenCollapsible(False)
        centre.addWidget(self._make_canvas())
        centre.addWidget(self.batch)
        centre.setStretchFactor(0, 1)
        centre.setSizes([theme.px(560), theme.px(240)])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.tools)
        column.addWidget(self.mask_bar)
        column.addWidget(centre, 1)
        column.addWidget(self.points)

    def _make_canvas(self) -> QWidget:
        canvas = QWidget()
        canvas.setMinimumWidth(theme.px(200))  # the empty page is wider, but it never stands beside a batch
        self._stack = QStackedLayout(canvas)
        self._stack.addWidget(self._make_empty())
        self._stack.addWidget(self.viewer)
        return canvas

    def _make_empty(self) -> QWidget:
        """What a first start shows: one click that works."""
        page = QWidget()
        picture = IconLabel("sparkle", 48)
        self.empty_title = theme.label("", "title")
        self.empty_hint = theme.label("", "hint", wrap=True)
        self.empty_hint.setFixedWidth(theme.px(400))
        self.empty_button = push_button(self.tr("Generate"), self._state.generate, name="sparkle", primary=True)
        self.empty_button.setMinimumWidth(theme.px(180))
        column = QVBoxLayout(page)
        column.setSpacing(theme.SPACE + 4)
        column.addStretch(1)
        for words in (picture, self.empty_title, self.empty_hint):
            words.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(words, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.empty_button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(2)
        return page

    def _make_tools(self) -> QWidget:
        bar = QWidget()
        row = QHBoxLayout(bar)
        row.setContentsMargins(theme.GAP, theme.SPACE // 2, theme.SPACE, theme.SPACE // 2)
        row.setSpacing(theme.SPACE // 2)
        self.undo = tool_button("undo", self.tr("Undo"), self._state.undo, keys="Ctrl+Z")
        self.redo = tool_button("redo", self.tr("Redo"), self._state.redo, keys="Ctrl+Shift+Z")
        row.addWidget(self.undo)
        row.addWidget(self.redo)
        row.addSpacing(theme.SPACE)
        row.addWidget(self.caption, 1)
        self.zoom = QToolButton()
        self.zoom.setAccessibleName(self.tr("Zoom"))
        self.zoom.setToolTip(self.tr("Fit (0) or 100 % (1)"))
        self.zoom.clicked.connect(lambda: self.viewer.set_zoom(0))
        out = tool_button("zoom-out", self.tr("Smaller"), lambda: self.viewer.zoom_by(-1), keys="-")
        into = tool_button("zoom-in", self.tr("Larger"), lambda: self.viewer.zoom_by(1), keys="+")
        for widget in (self.keep, self.copy, self.use, out, self.zoom, into, self.fold):
            row.addWidget(widget)
        return bar

    def _connect(self) -> None:
        state = self._state
        state.results.picture_changed.connect(self._show_picture)
        state.model_changed.connect(self._show_model)
        state.models_changed.connect(self._show_model)
        state.history_changed.connect(self._show_history)
        state.start.mask_changed.connect(self._show_picture)
        self._player.frame.connect(self.viewer.show_pixels)
        self.fold.toggled.connect(self.points.setVisible)
        self.viewer.zoom_changed.connect(lambda zoom: self.zoom.setText(f"{zoom * 100:.0f} %"))
        self.viewer.grabbed.connect(state.results.file_soon)
        self.viewer.stroke_begun.connect(lambda: state.start.edit_mask(Mask.begin))
        self.viewer.stroke.connect(self._on_viewer_stroke)
        self.viewer.stroke_ended.connect(lambda: state.start.edit_mask(Mask.end))
        self.mask_bar.brush_changed.connect(lambda: self.viewer.set_brush(self.mask_bar.radius_px))

    def _show_model(self) -> None:
        manifest = self._state.manifest
        self.use.setVisible(self._state.can_start_from_picture)
        self.batch.set_name(manifest.name if manifest else "Paint")
        self.empty_title.setText(manifest.name if manifest else self.tr("No model yet"))
        hint = self.tr("Drop a .reverie file on the window, or open the library.")
        if manifest is not None:
            hint = manifest.summary
            if self._state.has_map:
                hint = self.tr("Drag across the map on the left, or press Generate for a surprise.")
        self.empty_hint.setText(hint)
        self.empty_hint.ensurePolished()  # a wrapped label in the middle of a column is not asked how high it gets
        self.empty_hint.setFixedHeight(self.empty_hint.heightForWidth(self.empty_hint.width()))
        self.empty_button.setVisible(manifest is not None)
        self._show_history()

    def _show_history(self) -> None:
        self.undo.setEnabled(self._state.can_undo)
        self.redo.setEnabled(self._state.can_redo)

    def _show_picture(self) -> None:
        shown, start = self._state.results.picture, self._state.start
        if self.masking and start.pixels is not None and start.mask is not None:
            self._stack.setCurrentIndex(1)
            self.viewer.show_pixels(start.pixels)
            self.viewer.show_mask(start.mask.canvas)
            return
        self.viewer.show_mask(None)
        for button in (self.copy, self.use):
            button.setEnabled(shown is not None)
        self.keep.setVisible(shown is not None and shown.kind == "live")
        self._stack.setCurrentIndex(0 if shown is None else 1)
        self.viewer.show_pixels(None if shown is None else shown.pixels)
        self.caption.setText("" if shown is None else self._words())

    def _words(self) -> str:
        shown = self._state.results.picture
        assert shown is not None
        height, width = shown.pixels.shape[:2]
        words = [f"{width} × {height} px"]
        if shown.request is not None:
            words.append(self.tr("seed {0}").format(shown.request.seed))
        kinds = {
            "preview": self.tr("unfinished"),
            "live": self.tr("live, not saved"),
            "frame": self.tr("film"),
            "made": self.tr("saved") if shown.path else self.tr("saving…"),
        }
        return " · ".join([kinds[shown.kind], *words])

    def _on_viewer_stroke(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        radius, erase = self.mask_bar.radius_px, self.mask_bar.eraser.isChecked()
        self._state.start.edit_mask(lambda mask: mask.line(start, end, radius_px=radius, erase=erase))
