"""A grid of equal tiles that costs the same with 500 results and with 50,000.

QListView lays out every item (0.1 to 0.2 s for 50,000 here at each resize); a grid of equal tiles needs no layout at
all: the place of a row is arithmetic.
"""

from collections.abc import Sequence

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QDrag, QKeyEvent, QPainter, QPaintEvent, QPixmap, QRegion, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractItemView, QStyle, QStyleOptionViewItem, QWidget

from studio.core.errors import StudioError
from studio.core.gallery import Entry
from studio.state.gallery import GalleryState
from studio.state.gallery_model import ENTRY_ROLE, GalleryModel
from studio.ui import theme
from studio.ui.gallery.tile import TileDelegate

_DRAG_PICTURE_PX = 96
_Index = QModelIndex | QPersistentModelIndex


class GridView(QAbstractItemView):
    """Equal tiles, as many columns as fit.

    Signals:
        open_requested(Entry): double click, Enter or Space.
        chosen(Entry): a click on a tile.
        tile_wheel(int): the wheel was turned with Ctrl, in steps.

    Args:
        state: makes what is dragged out.
        model: the rows.
        tile_px: side of a tile's picture at scale 1.
        parent: Qt owner.
    """

    open_requested = Signal(object)
    chosen = Signal(object)
    tile_wheel = Signal(int)

    def __init__(
        self, state: GalleryState, model: GalleryModel, *, tile_px: int, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._tile_px = tile_px
        self.setModel(model)
        self.setItemDelegate(TileDelegate(self))
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setDragEnabled(True)
        self.setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.doubleClicked.connect(self._on_double_clicked)
        self.clicked.connect(self._on_clicked)

    def set_tile(self, size_px: int) -> None:
        """Another tile size; what was on top stays on top."""
        top = self._row_at_top()
        self._tile_px = size_px
        self.updateGeometries()
        self.verticalScrollBar().setValue(top // self.columns * self.cell.height())
        self.viewport().update()

    def entries(self) -> list[Entry]:
        """The selected results from top to bottom, or the current one."""
        rows = sorted(index.row() for index in self.selectionModel().selectedIndexes())
        found = [self._entry(row) for row in rows] or [self._entry(self.currentIndex().row())]
        return [entry for entry in found if entry is not None]

    @property
    def cell(self) -> QSize:
        """Size of a tile with its margin, px."""
        side = theme.px(self._tile_px) + theme.px(theme.SPACE)
        return QSize(side, side)

    @property
    def columns(self) -> int:
        """How many tiles stand side by side."""
        return max(1, self.viewport().width() // self.cell.width())

    # -- QAbstractItemView: geometry ---------------------------------------------------------------------------------

    def visualRect(self, index: _Index) -> QRect:
        if not index.isValid():
            return QRect()
        return self._rect(index.row(), *self._measures())

    def indexAt(self, point: QPoint) -> QModelIndex:
        side, columns, left = self._measures()
        column, row = (point.x() - left) // side, (point.y() + self.verticalOffset()) // side
        at = row * columns + column
        if not 0 <= column < columns or not 0 <= at < self._rows():
            return QModelIndex()
        return self.model().index(at, 0)

    def scrollTo(
        self, index: _Index, hint: QAbstractItemView.ScrollHint = QAbstractItemView.ScrollHint.EnsureVisible
    ) -> None:
        rect, bar = self.visualRect(index), self.verticalScrollBar()
        if not rect.isValid():
            return
        if hint == QAbstractItemView.ScrollHint.PositionAtCenter:
            bar.setValue(bar.value() + rect.center().y() - self.viewport().height() // 2)
        elif rect.top() < 0:
            bar.setValue(bar.value() + rect.top())
        elif rect.bottom() > self.viewport().height():
            bar.setValue(bar.value() + rect.bottom() - self.viewport().height() + 1)

    def horizontalOffset(self) -> int:
        return 0

    def verticalOffset(self) -> int:
        return self.verticalScrollBar().value()

    def isIndexHidden(self, index: _Index) -> bool:
        return False

    def moveCursor(self, action: QAbstractItemView.CursorAction, modifiers: Qt.KeyboardModifier) -> QModelIndex:
        last, at = self._rows() - 1, max(0, self.currentIndex().row())
        if last < 0:
            return QModelIndex()
        page = max(1, self.viewport().height() // self.cell.height()) * self.columns
        moves = QAbstractItemView.CursorAction
        steps = {
            moves.MoveLeft: -1,
            moves.MovePrevious: -1,
            moves.MoveRight: 1,
            moves.MoveNext: 1,
            moves.MoveUp: -self.columns,
            moves.MoveDown: self.columns,
            moves.MovePageUp: -page,
            moves.MovePageDown: page,
            moves.MoveHome: -at,
            moves.MoveEnd: last - at,
        }
        wanted = at + steps.get(action, 0)
        if not self.currentIndex().isValid():
            wanted = 0
        return self.model().index(max(0, min(last, wanted)), 0)

    def setSelection(self, rect: QRect, command: QItemSelectionModel.SelectionFlag) -> None:
        area = rect.normalized()
        cell, columns = self.cell, self.columns
        left = max(0, self.viewport().width() - columns * cell.width()) // 2
        first_column = max(0, (area.left() - left) // cell.width())
        last_column = min(columns - 1, (area.right() - left) // cell.width())
        top = max(0, (area.top() + self.verticalOffset()) // cell.height())
        bottom = (area.bottom() + self.verticalOffset()) // cell.height()
        chosen = QItemSelection()
        for line in range(top, min(bottom, self._rows() // columns) + 1):
            first, last = line * columns + first_column, min(line * columns + last_column, self._rows() - 1)
            if first <= last and first_column <= last_column:
                chosen.select(self.model().index(first, 0), self.model().index(last, 0))
        self.selectionModel().select(chosen, command)

    def visualRegionForSelection(self, selection: QItemSelection) -> QRegion:
        return QRegion(self.viewport().rect())

    def updateGeometries(self) -> None:
        lines = -(-self._rows() // self.columns)
        bar = self.verticalScrollBar()
        bar.setRange(0, max(0, lines * self.cell.height() - self.viewport().height()))
        bar.setPageStep(max(1, self.viewport().height()))
        bar.setSingleStep(max(1, self.cell.height() // 3))
        super().updateGeometries()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self.viewport().update()

    # -- QAbstractItemView: model -----------------------------------------------------------------------------------

    def dataChanged(self, topLeft: _Index, bottomRight: _Index, roles: Sequence[int] = ()) -> None:
        if topLeft == bottomRight and not roles:  # the base class would measure every row of a range
            super().dataChanged(topLeft, bottomRight, list(roles))
        self.viewport().update()

    def rowsInserted(self, parent: _Index, start: int, end: int) -> None:
        super().rowsInserted(parent, start, end)
        self.updateGeometries()
        self.viewport().update()

    def rowsAboutToBeRemoved(self, parent: _Index, start: int, end: int) -> None:
        super().rowsAboutToBeRemoved(parent, start, end)
        self.viewport().update()

    def reset(self) -> None:
        super().reset()
        self.updateGeometries()
        self.viewport().update()

    # -- painting and events ------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._is_stale():
            self.updateGeometries()
        painter = QPainter(self.viewport())
        side, columns, left = self._measures()
        top = max(0, (event.rect().top() + self.verticalOffset()) // side)
        bottom = (event.rect().bottom() + self.verticalOffset()) // side
        hovered = self.indexAt(self.viewport().mapFromGlobal(self.cursor().pos())).row() if self.underMouse() else -1
        option = QStyleOptionViewItem()
        self.initViewItemOption(option)
        for row in range(top * columns, min(self._rows(), (bottom + 1) * columns)):
            index = self.model().index(row, 0)
            option.rect = self._rect(row, side, columns, left)  # pyright: ignore[reportAttributeAccessIssue]
            option.state = self._state_of(index, hovered=row == hovered)  # pyright: ignore[reportAttributeAccessIssue]
            self.itemDelegate().paint(painter, option, index)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.updateGeometries()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self._on_double_clicked(self.currentIndex())
        elif event.text() and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            event.ignore()  # letters are shortcuts, not a search by first letter
        else:
            super().keyPressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.tile_wheel.emit(1 if event.angleDelta().y() > 0 else -1)
            event.accept()
        else:
            super().wheelEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.HoverLeave, QEvent.Type.HoverMove):
            self.viewport().update()
        return super().viewportEvent(event)

    def startDrag(self, actions: Qt.DropAction) -> None:
        entries = self.entries()
        if not entries:
            return
        drag = QDrag(self)
        try:
            drag.setMimeData(self._state.mime(entries))
        except StudioError as error:
            self._state.tell(error)
            return
        image = self._state.cache.get(entries[0])
        if image is not None and not image.isNull():
            small = image.scaled(_DRAG_PICTURE_PX, _DRAG_PICTURE_PX, Qt.AspectRatioMode.KeepAspectRatio)
            drag.setPixmap(QPixmap.fromImage(small))
        drag.exec(Qt.DropAction.CopyAction)

    def _measures(self) -> tuple[int, int, int]:
        """Side of a cell, number of columns, and left edge of the first."""
        side, width = self.cell.width(), self.viewport().width()
        columns = max(1, width // side)
        return side, columns, max(0, width - columns * side) // 2

    def _rect(self, at: int, side: int, columns: int, left: int) -> QRect:
        row, column = divmod(at, columns)
        return QRect(left + column * side, row * side - self.verticalOffset(), side, side)

    def _state_of(self, index: QModelIndex, *, hovered: bool) -> QStyle.StateFlag:
        state = QStyle.StateFlag.State_Enabled
        if self.selectionModel().isSelected(index):
            state |= QStyle.StateFlag.State_Selected
        if index == self.currentIndex() and self.hasFocus():
            state |= QStyle.StateFlag.State_HasFocus
        if hovered:
            state |= QStyle.StateFlag.State_MouseOver
        return state

    def _is_stale(self) -> bool:
        lines = -(-self._rows() // self.columns)
        wanted = max(0, lines * self.cell.height() - self.viewport().height())
        return self.verticalScrollBar().maximum() != wanted

    def _rows(self) -> int:
        return self.model().rowCount()

    def _row_at_top(self) -> int:
        return self.verticalOffset() // self.cell.height() * self.columns

    def _entry(self, row: int) -> Entry | None:
        if row < 0:
            return None
        model = self.model()
        found = model.data(model.index(row, 0), ENTRY_ROLE)
        return found if isinstance(found, Entry) else None

    def _on_double_clicked(self, index: QModelIndex) -> None:
        entry = self._entry(index.row())
        if entry is not None:
            self.open_requested.emit(entry)

    def _on_clicked(self, index: QModelIndex) -> None:
        entry = self._entry(index.row())
        if entry is not None:
            self.chosen.emit(entry)
