"""Paints one tile: the picture on a checkerboard, a star, a mark for films, a ring for what is chosen."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPen, QPixmap, QPixmapCache
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from studio.core.gallery import Entry
from studio.state.gallery_model import ENTRY_ROLE
from studio.ui import theme
from studio.ui.icons import icon

_BADGE_PX = 18
_CHECK_PX = 8


def fitted(size: QSize, area: QRect, *, whole: bool = True) -> QRect:
    """Where a picture of ``size`` goes inside ``area``: as large as fits, with ``whole`` by whole factors only."""
    if size.isEmpty() or area.isEmpty():
        return QRect()
    share = min(area.width() / size.width(), area.height() / size.height())
    if share >= 1.0 and whole:
        share = float(int(share))
    width, height = max(1, round(size.width() * share)), max(1, round(size.height() * share))
    return QRect(area.x() + (area.width() - width) // 2, area.y() + (area.height() - height) // 2, width, height)


def glyph(name: str, role: str, side_px: int) -> QPixmap:
    """An icon as pixels, kept: drawing an SVG for each tile at each paint is what makes a grid slow."""
    key = f"tile:{name}:{getattr(theme.colours(), role)}:{side_px}"
    made = QPixmap()
    if not QPixmapCache.find(key, made):
        made = icon(name, role).pixmap(QSize(side_px, side_px))
        QPixmapCache.insert(key, made)
    return made


def checkerboard() -> QBrush:
    """What shows through transparent places."""
    shades = theme.colours()
    key = f"checker:{shades.card}:{shades.hover}:{theme.px(_CHECK_PX)}"
    kept = QPixmap()
    if QPixmapCache.find(key, kept):
        return QBrush(kept)
    side = theme.px(_CHECK_PX)
    pattern = QPixmap(2 * side, 2 * side)
    pattern.fill(QColor(shades.card))
    painter = QPainter(pattern)
    painter.fillRect(0, 0, side, side, QColor(shades.hover))
    painter.fillRect(side, side, side, side, QColor(shades.hover))
    painter.end()
    QPixmapCache.insert(key, pattern)
    return QBrush(pattern)


class TileDelegate(QStyledItemDelegate):
    """Paints the tiles of `GridView`."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        shades = theme.colours()
        margin = theme.px(theme.SPACE) // 2
        area: QRect = option.rect.adjusted(margin, margin, -margin, -margin)  # pyright: ignore[reportAttributeAccessIssue]
        state: QStyle.StateFlag = option.state  # pyright: ignore[reportAttributeAccessIssue]
        painter.save()
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        painter.fillRect(area, QColor(shades.hover if hovered else shades.card))
        model = index.model()
        entry, image = model.data(index, ENTRY_ROLE), model.data(index, Qt.ItemDataRole.DecorationRole)
        if isinstance(image, QImage):
            self._paint_picture(painter, area, image)
        if isinstance(entry, Entry):
            self._paint_marks(painter, area, entry, damaged=isinstance(image, QImage) and image.isNull())
        painter.setBrush(Qt.BrushStyle.NoBrush)  # a badge left its own
        if state & QStyle.StateFlag.State_Selected:
            painter.setPen(QPen(QColor(shades.accent_text), theme.px(3)))
            painter.drawRect(area.adjusted(1, 1, -2, -2))
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(QColor(shades.text), 1, Qt.PenStyle.DashLine))
            painter.drawRect(area.adjusted(-2, -2, 1, 1))
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(theme.px(128), theme.px(128))

    def _paint_picture(self, painter: QPainter, area: QRect, image: QImage) -> None:
        if image.isNull():
            place = fitted(QSize(32, 32), area)
            painter.drawPixmap(place.topLeft(), glyph("warning", "muted", place.width()))
            return
        place = fitted(image.size(), area, whole=False)
        if image.hasAlphaChannel():
            painter.setBrushOrigin(place.topLeft())
            painter.fillRect(place, checkerboard())
        smooth = place.width() % image.width() != 0  # whole factors keep the pixels of pixel art
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawImage(place, image)

    def _paint_marks(self, painter: QPainter, area: QRect, entry: Entry, *, damaged: bool) -> None:
        side = theme.px(_BADGE_PX)
        if entry.starred:
            self._badge(painter, QRect(area.right() - side - 3, area.y() + 4, side, side), "star-full", "accent_text")
        if entry.kind == "film":
            self._badge(painter, QRect(area.x() + 4, area.bottom() - side - 3, side, side), "film", "text")
        if damaged:
            painter.setPen(QColor(theme.colours().muted))
            words = self.tr("cannot be shown")
            painter.drawText(
                area.adjusted(4, 4, -4, -8), int(Qt.AlignmentFlag.AlignBottom | Qt.AlignmentFlag.AlignHCenter), words
            )

    def _badge(self, painter: QPainter, place: QRect, name: str, role: str) -> None:
        """Icons lie on a disc of the window's colour, so that they are seen on any picture."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        back = QColor(theme.colours().window)
        back.setAlpha(225)
        painter.setBrush(back)
        painter.drawEllipse(place.adjusted(-3, -3, 3, 3))
        inner = place.adjusted(1, 1, -1, -1)
        painter.drawPixmap(inner.topLeft(), glyph(name, role, inner.width()))
