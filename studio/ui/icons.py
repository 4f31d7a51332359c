"""Icons: our own SVGs, tinted from the theme in use each time they are painted, so a theme change needs no reload."""

from functools import cache
from pathlib import Path

from PySide6.QtCore import QByteArray, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QPainter, QPixmap, QPixmapCache

from studio.ui import theme

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "icons"
"""Where the SVG files lie."""


class _TintedEngine(QIconEngine):
    """Draws one SVG in a colour of the theme. ``role`` is an attribute of `palettes.Colours`."""

    def __init__(self, name: str, role: str) -> None:
        super().__init__()
        self._icon_name = name
        self._role = role

    def paint(self, painter: QPainter, rect: object, mode: QIcon.Mode, state: QIcon.State) -> None:
        assert isinstance(rect, QRect)
        ratio = painter.device().devicePixelRatioF()
        drawn = _drawn(self._icon_name, self._colour(mode, state), rect.size() * ratio)
        painter.drawPixmap(rect, drawn)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return _drawn(self._icon_name, self._colour(mode, state), size)

    def clone(self) -> QIconEngine:
        return _TintedEngine(self._icon_name, self._role)

    def _colour(self, mode: QIcon.Mode, state: QIcon.State) -> str:
        shades = theme.colours()
        if mode == QIcon.Mode.Disabled:
            return shades.edge
        if state == QIcon.State.On and self._role == "text":
            return shades.accent_text
        return str(getattr(shades, self._role))


def icon(name: str, role: str = "text") -> QIcon:
    """The icon ``name`` of resources/icons in the theme's colour ``role`` (``text``, ``muted``, ``on_accent`` ...).

    Raises:
        FileNotFoundError: there is no such icon.
    """
    _source(name)
    return QIcon(_TintedEngine(name, role))


def pixmap(name: str, size_px: int, role: str = "muted") -> QPixmap:
    """The icon as a picture of ``size_px`` at scale 1, for labels."""
    side = theme.px(size_px)
    return icon(name, role).pixmap(QSize(side, side))


def _drawn(name: str, colour: str, size: QSize) -> QPixmap:
    """The icon in a colour and size; Qt's own cache keeps it, which ends with the application."""
    key = f"reverie/{name}/{colour}/{size.width()}x{size.height()}"
    pixmap = QPixmap()
    if size.isEmpty() or QPixmapCache.find(key, pixmap):  # a button may be asked to paint before it has room
        return pixmap
    from PySide6.QtSvg import QSvgRenderer

    pixmap = QPixmap(size)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    QSvgRenderer(QByteArray(_tinted(name, colour))).render(painter, QRectF(pixmap.rect()))
    painter.end()
    QPixmapCache.insert(key, pixmap)
    return pixmap


@cache
def _source(name: str) -> str:
    return (FOLDER / f"{name}.svg").read_text(encoding="utf-8")


@cache
def _tinted(name: str, colour: str) -> bytes:
    return _source(name).replace("currentColor", colour).encode()
