"""The list on the left of the library: one row per model, painted with its preview."""

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QIcon, QImage, QKeyEvent, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from studio.core.events import Pixels
from studio.state.library import LibraryEntry
from studio.ui import theme
from studio.ui.icons import icon

THUMB = 56
_ROW = 76
_Index = QModelIndex | QPersistentModelIndex
ENTRY = Qt.ItemDataRole.UserRole


def preview_pixmap(pixels: Pixels | None, side_px: int) -> QPixmap:
    """``(H, W, 4) uint8`` as a pixmap that fits a square; small pictures keep sharp pixels. Empty for None."""
    if pixels is None:
        return QPixmap()
    height, width = pixels.shape[:2]
    data = pixels.tobytes()  # the image only borrows it until it is copied
    image = QImage(data, width, height, width * 4, QImage.Format.Format_RGBA8888).copy()
    grows = max(width, height) < side_px
    mode = Qt.TransformationMode.FastTransformation if grows else Qt.TransformationMode.SmoothTransformation
    return QPixmap.fromImage(image.scaled(side_px, side_px, Qt.AspectRatioMode.KeepAspectRatio, mode))


class ModelRows(QAbstractListModel):
    """The entries that match the search."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: tuple[LibraryEntry, ...] = ()
        self._thumbs: dict[str, QPixmap] = {}

    def show_entries(self, entries: tuple[LibraryEntry, ...]) -> None:
        """Replace what is listed."""
        self.beginResetModel()
        self._entries = entries
        side = theme.px(THUMB)
        kept = self._thumbs
        self._thumbs = {
            key: kept[key] if key in kept and max(kept[key].width(), kept[key].height()) == side
            else preview_pixmap(entry.preview, side)
            for entry in entries
            for key in (entry.package.sha256,)
        }  # fmt: skip
        self.endResetModel()

    def row_of(self, package_id: str) -> int:
        """The row of a model, or -1."""
        ids = [entry.card.id for entry in self._entries]
        return ids.index(package_id) if package_id in ids else -1

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else len(self._entries)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        entry = self._entries[index.row()]
        if role == ENTRY:
            return entry
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.card.name
        if role == Qt.ItemDataRole.DecorationRole:
            return self._thumbs[entry.package.sha256]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{entry.card.name}, {entry.card.kind}, {', '.join(badges(entry))}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return entry.problem or entry.card.summary
        return None


def badges(entry: LibraryEntry) -> list[str]:
    """Words that stand beside a model's name."""
    words = ["Starter"] if entry.card.bundled else []
    if entry.problem:
        words.append("Cannot be used")
    elif entry.card.experimental:
        words.append("Experimental")
    return words


class _RowPainter(QStyledItemDelegate):
    """Paints a row: preview, name, family and size, badges."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(theme.px(220), theme.px(_ROW))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        entry: LibraryEntry = index.data(ENTRY)
        shades = theme.colours()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        rect: QRect = option.rect.adjusted(theme.px(3), theme.px(2), -theme.px(3), -theme.px(2))  # pyright: ignore[reportAttributeAccessIssue]
        state: QStyle.StateFlag = option.state  # pyright: ignore[reportAttributeAccessIssue]
        selected = bool(state & QStyle.StateFlag.State_Selected)
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        if selected or hovered:
            painter.setBrush(QColor(shades.hover))
            painter.setPen(QPen(QColor(shades.accent), theme.px(2)) if selected else Qt.PenStyle.NoPen)
            painter.drawRoundedRect(rect, theme.px(theme.RADIUS), theme.px(theme.RADIUS))
        self._paint_thumb(painter, rect, index)
        self._paint_words(painter, rect, entry)
        painter.restore()

    def _paint_thumb(self, painter: QPainter, rect: QRect, index: _Index) -> None:
        side = theme.px(THUMB)
        place = QRect(rect.left() + theme.px(8), rect.center().y() - side // 2, side, side)
        thumb: QPixmap = index.data(Qt.ItemDataRole.DecorationRole)
        if thumb.isNull():
            thumb = icon("models", "muted").pixmap(QSize(side // 2, side // 2), QIcon.Mode.Normal)
        painter.drawPixmap(
            place.center().x() - thumb.width() // 2 + 1, place.center().y() - thumb.height() // 2 + 1, thumb
        )

    def _paint_words(self, painter: QPainter, rect: QRect, entry: LibraryEntry) -> None:
        shades = theme.colours()
        left = rect.left() + theme.px(8 + THUMB + 12)
        width = rect.right() - left - theme.px(8)
        line = theme.px(20)
        top = rect.center().y() - (line * 3) // 2 + theme.px(1)
        name_font, quiet_font = QFont(painter.font()), QFont(painter.font())
        name_font.setWeight(QFont.Weight.DemiBold)
        quiet_font.setPointSizeF(painter.font().pointSizeF() * 0.9)
        rows = (
            (name_font, shades.text, entry.card.name),
            (quiet_font, shades.muted, entry.card.kind),
            (
                quiet_font,
                shades.bad if entry.problem else shades.muted,
                "  ·  ".join([entry.card.disk, *badges(entry)]),
            ),
        )
        for number, (font, colour, words) in enumerate(rows):
            painter.setFont(font)
            painter.setPen(QColor(colour))
            shown = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, width)
            painter.drawText(QRect(left, top + number * line, width, line), Qt.AlignmentFlag.AlignVCenter, shown)


class ModelList(QListView):
    """The rows, by mouse and keys: Enter opens, Delete removes.

    Signals:
        opened(), removal_asked(): of the current row.
    """

    opened = Signal()
    removal_asked = Signal()

    def __init__(self, rows: ModelRows, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(rows)
        self.setItemDelegate(_RowPainter(self))
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Models")
        self.doubleClicked.connect(lambda _index: self.opened.emit())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.opened.emit()
        elif event.key() == Qt.Key.Key_Delete:
            self.removal_asked.emit()
        else:
            super().keyPressEvent(event)
