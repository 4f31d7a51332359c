"""The gallery as a page: search, stars, trash, tiles of any size, and the viewer."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from studio.core.gallery import Entry
from studio.state.gallery import GalleryState
from studio.ui import theme
from studio.ui.gallery.actions import add_shortcuts, show_menu
from studio.ui.gallery.grid import GridView
from studio.ui.gallery.viewer import Viewer
from studio.ui.icons import icon
from studio.ui.slider import Track

SMALLEST_PX, LARGEST_PX = 64, 512
_STEP_PX = 32


class GalleryPage(QWidget):
    """Everything that was made.

    Signals:
        make_requested(): the empty gallery's button: go and make something.
        tile_changed(int): the artist chose another tile size, to be remembered.

    Args:
        state: what the page shows.
        tile_px: size of the tiles at scale 1.
        parent: Qt owner.
    """

    make_requested = Signal()
    tile_changed = Signal(int)

    def __init__(self, state: GalleryState, *, tile_px: int = 128, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.grid = GridView(state, state.model, tile_px=tile_px)
        self.grid.setAccessibleName(self.tr("Results"))
        self.viewer = Viewer(state)
        self.stack = QStackedWidget()
        self._empty_words = theme.label("", "title", wrap=True)
        self._empty_hint = theme.label("", "hint", wrap=True)
        self._empty_button = QPushButton()
        self._empty_act: Callable[[], object] = self.make_requested.emit
        self._empty = self._make_empty()
        for widget in (self.grid, self._empty, self.viewer):
            self.stack.addWidget(widget)
        self.bar = self._make_bar(tile_px)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.bar)
        column.addWidget(self.stack, 1)
        self._connect()
        self._on_state_changed()
        self._on_model_counted(state.model.rowCount())

    def open_entry(self, entry: Entry) -> None:
        """Show a result in the viewer."""
        row = self._state.model.row_of(entry.id)
        if row >= 0:
            self.grid.setCurrentIndex(self._state.model.index(row, 0))
        self.viewer.show_entry(entry)
        self.stack.setCurrentWidget(self.viewer)
        self.bar.setVisible(False)

    def close_viewer(self) -> None:
        """Back to the tiles."""
        self.bar.setVisible(True)
        self.viewer.picture.clear()
        self._on_model_counted(self._state.model.rowCount())
        self.grid.setFocus()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self.stack.currentWidget() is self.grid:
            show_menu(self, self._state, self.grid.entries(), QPoint(event.globalPos()))

    def _make_bar(self, tile_px: int) -> QWidget:
        bar = QWidget()
        row = QHBoxLayout(bar)
        row.setContentsMargins(*[theme.px(theme.SPACE)] * 4)
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search model, prompt, date ..."))
        self.search.setAccessibleName(self.tr("Search the gallery"))
        self.search.setClearButtonEnabled(True)
        self.starred = self._toggle("star", self.tr("Starred"), self.tr("Show only what has a star"))
        self.trash = self._toggle("trash", self.tr("Trash"), self.tr("Show what was thrown away"))
        self._count = theme.label("", "hint")
        self.size_slider = Track()
        self.size_slider.setRange(SMALLEST_PX, LARGEST_PX)
        self.size_slider.setSingleStep(_STEP_PX)
        self.size_slider.setPageStep(2 * _STEP_PX)
        self.size_slider.setValue(tile_px)
        self.size_slider.setFixedWidth(theme.px(140))
        self.size_slider.setAccessibleName(self.tr("Size of the tiles"))
        self.size_slider.setToolTip(self.tr("Size of the tiles (Ctrl + wheel)"))
        more = QToolButton()
        more.setIcon(icon("more"))
        more.setAccessibleName(self.tr("More"))
        more.setToolTip(self.tr("More"))
        more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(more)
        menu.addAction(icon("folder"), self.tr("Open the results folder"), self._state.open_results_folder)
        self._rebuild = menu.addAction(
            icon("reset"), self.tr("Rebuild the gallery from the files"), self._state.rebuild
        )
        self._purge = menu.addAction(icon("trash"), self.tr("Empty the trash for good"), self._on_purge_triggered)
        more.setMenu(menu)
        row.addWidget(self.search, 1)
        for widget in (self.starred, self.trash, self._count, self.size_slider, more):
            row.addWidget(widget)
        return bar

    def _toggle(self, picture: str, words: str, help_text: str) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon(picture))
        button.setText(f" {words}")
        button.setAccessibleName(words)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setCheckable(True)
        button.setToolTip(help_text)
        return button

    def _make_empty(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.addStretch(2)
        for label in (self._empty_words, self._empty_hint):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
        self._empty_button.setProperty("primary", "true")
        column.addSpacing(theme.px(theme.SPACE))
        column.addWidget(self._empty_button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)
        self._empty_button.clicked.connect(self._on_empty_clicked)
        return page

    def _connect(self) -> None:
        state = self._state
        self.search.textChanged.connect(state.search)
        self.starred.toggled.connect(state.only_starred)
        self.trash.toggled.connect(state.show_trash)
        self.size_slider.valueChanged.connect(self._on_size_changed)
        self.grid.open_requested.connect(self.open_entry)
        self.grid.tile_wheel.connect(self._on_grid_wheel)
        self.viewer.closed.connect(self.close_viewer)
        self.viewer.moved.connect(self._on_viewer_moved)
        state.changed.connect(self._on_state_changed)
        state.model.counted.connect(self._on_model_counted)
        state.model.dataChanged.connect(self._on_model_data_changed)
        state.rebuild_progress.connect(self._on_rebuild_progress)
        add_shortcuts(self.grid, state, self.grid.entries)
        find = QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self)
        find.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        find.activated.connect(self.search.setFocus)

    def _on_model_counted(self, count: int) -> None:
        self._count.setText(self.tr("1 result") if count == 1 else self.tr("{} results").format(f"{count:,}"))
        if self.stack.currentWidget() is self.viewer and self.viewer.entry is not None and self.bar.isHidden():
            if self._state.model.row_of(self.viewer.entry.id) < 0:
                self._after_removal()
            return
        self.stack.setCurrentWidget(self.grid if count else self._empty)
        if not count:
            self._fill_empty()

    def _after_removal(self) -> None:
        """The result on view was thrown away: show the next one, or the tiles when there is none."""
        entry = self._current()
        if entry is None:
            self.close_viewer()
        else:
            self.viewer.show_entry(entry)

    def _current(self) -> Entry | None:
        model = self._state.model
        row = min(max(0, self.grid.currentIndex().row()), model.rowCount() - 1)
        return model.entry(row) if row >= 0 else None

    def _fill_empty(self) -> None:
        query = self._state.query
        everything = self.tr("Show everything")
        if self._state.rebuilding:
            words, hint, label, act = self.tr("Reading your files ..."), "", "", None
        elif query.text:
            words = self.tr("Nothing matches “{}”").format(query.text)
            hint, label, act = (
                self.tr("Every word must begin a word of the title, model, prompt or date."),
                everything,
                self._show_all,
            )
        elif query.starred and not query.trashed:
            words, hint = self.tr("Nothing has a star yet"), self.tr("Press . on a result to give it a star.")
            label, act = everything, self._show_all
        elif query.trashed:
            words, hint = self.tr("The trash is empty"), self.tr("What you delete waits here and can be put back.")
            label, act = everything, self._show_all
        else:
            words, hint = self.tr("Nothing here yet"), self.tr("Everything you make is saved and shown here.")
            label, act = self.tr("Make a picture"), self.make_requested.emit
        self._empty_words.setText(words)
        self._empty_hint.setText(hint)
        self._empty_button.setText(label)
        self._empty_button.setVisible(act is not None)
        if act is not None:
            self._empty_act = act

    def _show_all(self) -> None:
        self.search.clear()
        self.starred.setChecked(False)
        self.trash.setChecked(False)

    def _on_empty_clicked(self) -> None:
        self._empty_act()

    def _on_state_changed(self) -> None:
        self._rebuild.setEnabled(not self._state.rebuilding)
        self._purge.setEnabled(self._state.query.trashed)
        self._purge.setToolTip("" if self._state.query.trashed else self.tr("Look into the trash first"))

    def _on_purge_triggered(self) -> None:
        self._state.purge()

    def _on_rebuild_progress(self, done: int, total: int) -> None:
        self._count.setText(self.tr("{} of {} files read").format(f"{done:,}", f"{total:,}"))

    def _on_size_changed(self, value: int) -> None:
        self.grid.set_tile(value)
        self.tile_changed.emit(value)

    def _on_grid_wheel(self, by: int) -> None:
        self.size_slider.setValue(self.size_slider.value() + by * _STEP_PX)

    def _on_viewer_moved(self, by: int) -> None:
        model = self._state.model
        row = self.grid.currentIndex().row() + by
        entry = model.entry(row)
        if entry is not None:
            self.grid.setCurrentIndex(model.index(row, 0))
            self.viewer.show_entry(entry)

    def _on_model_data_changed(self, top: QModelIndex, bottom: QModelIndex, roles: Sequence[int] = ()) -> None:
        """A star may have changed on the result that is on view."""
        entry = self.viewer.entry
        if roles or entry is None or self.stack.currentWidget() is not self.viewer:
            return  # with roles it is only a thumbnail
        row = self._state.model.row_of(entry.id)
        if top.row() <= row <= bottom.row():
            fresh = self._state.model.entry(row)
            if fresh is not None and fresh != entry:
                self.viewer.show_entry(fresh)
