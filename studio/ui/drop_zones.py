"""Named drop zones: while something is dragged over the window, it says what a drop would do."""

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, QRect, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QWidget

from studio.ui import icons, theme

PICTURES = frozenset((".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"))
RECIPES = frozenset((".png", ".jpg", ".jpeg", ".webp", ".gif", ".mp4", ".txt"))
PACKAGES = frozenset((".reverie",))


@dataclass(frozen=True)
class Zone:
    """What a drop there does: ``key`` for the program, ``title`` and ``hint`` for the artist."""

    key: str
    title: str
    hint: str
    icon: str


OPEN = Zone("recipe", "Open recipe", "Set everything as it was", "open")
START = Zone("start", "Start from this picture", "Image to image, or find its place", "picture")
TRAIN = Zone("train", "Train on these", "Make your own model", "train")
IMPORT = Zone("import", "Import model", "Add it to the library", "import")


def dropped_files(mime: QMimeData) -> tuple[Path, ...]:
    """Local files of a drag."""
    return tuple(Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile())


def zones_for(mime: QMimeData) -> tuple[Zone, ...]:
    """What could be done with what is dragged; empty when nothing."""
    files = dropped_files(mime)
    if not files:
        return (START,) if mime.hasImage() else ()
    suffixes = {path.suffix.lower() for path in files}
    if suffixes <= PACKAGES:
        return (IMPORT,)
    zones: list[Zone] = []
    if len(files) == 1 and suffixes <= RECIPES:
        zones.append(OPEN)
    if len(files) == 1 and suffixes <= PICTURES:
        zones.append(START)
    if not suffixes <= {".txt", ".mp4"}:
        zones.append(TRAIN)
    if len(files) == 1 and (files[0] / "manifest.json").is_file():
        zones.insert(0, IMPORT)
    return tuple(zones)


class DropZones(QWidget):
    """Lies over the window during a drag.

    Signals:
        dropped(str, object): the zone's key and the `QMimeData`.
    """

    dropped = Signal(str, object)

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self._host = host
        self._zones: tuple[Zone, ...] = ()
        self._here = -1
        self.setAcceptDrops(True)
        self.hide()

    @property
    def zones(self) -> tuple[Zone, ...]:
        """The zones on view."""
        return self._zones

    def offer(self, mime: QMimeData) -> bool:
        """Show the zones for a drag; False when there is nothing to do with it."""
        self._zones = zones_for(mime)
        self._here = -1
        if self._zones:
            self.setGeometry(self._host.rect())
            self.show()
            self.raise_()
        return bool(self._zones)

    def rects(self) -> list[QRect]:
        """Where the zones are, in order."""
        count = len(self._zones)
        gap, tall = theme.px(24), min(theme.px(220), self.height() - theme.px(120))
        wide = min(theme.px(300), (self.width() - gap * (count + 1)) // max(1, count))
        left = (self.width() - count * wide - (count - 1) * gap) // 2
        top = (self.height() - tall) // 2
        return [QRect(left + index * (wide + gap), top, wide, tall) for index in range(count)]

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        event.acceptProposedAction()
        self._hover(event.position().toPoint())

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        self._hover(event.position().toPoint())
        event.setAccepted(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self._hover(event.position().toPoint())
        self.hide()
        # With one zone the whole window is it.
        index = 0 if len(self._zones) == 1 else self._here
        if index >= 0:
            event.acceptProposedAction()
            self.dropped.emit(self._zones[index].key, event.mimeData())

    def paintEvent(self, event: QPaintEvent) -> None:
        shades = theme.colours()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        veil = QColor(shades.window)
        veil.setAlpha(225)
        painter.fillRect(self.rect(), veil)
        for index, (zone, rect) in enumerate(zip(self._zones, self.rects(), strict=True)):
            on = index == self._here or len(self._zones) == 1
            painter.setBrush(QColor(shades.hover if on else shades.card))
            style = Qt.PenStyle.SolidLine if on else Qt.PenStyle.DashLine
            painter.setPen(QPen(QColor(shades.accent if on else shades.edge), 3 if on else 2, style))
            painter.drawRoundedRect(rect, 12, 12)
            self._paint_words(painter, zone, rect)

    def _paint_words(self, painter: QPainter, zone: Zone, rect: QRect) -> None:
        shades = theme.colours()
        mark = icons.pixmap(zone.icon, 40, "accent_text")
        painter.drawPixmap(rect.center().x() - mark.width() // 2, rect.top() + theme.px(40), mark)
        font = painter.font()
        font.setBold(True)
        font.setPointSizeF(self.font().pointSizeF() * 1.2)
        painter.setFont(font)
        painter.setPen(QColor(shades.text))
        middle = Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap
        inner = rect.adjusted(12, theme.px(100), -12, 0)
        painter.drawText(inner, int(middle), zone.title)
        painter.setFont(self.font())
        painter.setPen(QColor(shades.muted))
        painter.drawText(rect.adjusted(12, theme.px(150), -12, 0), int(middle), zone.hint)

    def _hover(self, place: QPoint) -> None:
        self._here = next((index for index, rect in enumerate(self.rects()) if rect.contains(place)), -1)
        self.update()
