"""The narrow column beside the pane: the newest results on top."""

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QStackedLayout, QVBoxLayout, QWidget

from studio.core.gallery import Entry
from studio.state.gallery import GalleryState
from studio.ui import theme
from studio.ui.gallery.actions import add_shortcuts, show_menu
from studio.ui.gallery.grid import GridView

STRIP_PX = 124
_TILE_PX = 96


class GalleryStrip(QWidget):
    """Newest results: click shows one in the pane, double click opens the viewer, drag takes the file out."""

    def __init__(self, state: GalleryState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumWidth(theme.px(STRIP_PX))
        self.view = GridView(state, state.newest, tile_px=_TILE_PX)
        self.view.setAccessibleName(self.tr("Newest results"))
        self.view.chosen.connect(state.show_requested)
        self.view.open_requested.connect(state.open_requested)
        self._empty = theme.label(self.tr("What you make appears here, already saved."), "hint", wrap=True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignHCenter)
        self._empty.setMargin(theme.px(theme.SPACE))
        body = QWidget()
        self._stack = QStackedLayout(body)
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self.view)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(body)
        add_shortcuts(self.view, state, self.view.entries)
        state.newest.counted.connect(self._on_model_counted)
        self._on_model_counted(state.newest.rowCount())

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        entries: list[Entry] = self.view.entries()
        show_menu(self, self._state, entries, QPoint(event.globalPos()))

    def _on_model_counted(self, count: int) -> None:
        self._stack.setCurrentWidget(self.view if count else self._empty)
