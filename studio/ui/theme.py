"""Look of the window: Fusion, one palette and one small style sheet.

Mark widgets with dynamic properties instead of styling them one by one:
``QLabel[role="title"|"section"|"hint"|"number"]``, ``QPushButton[primary="true"]``, ``QFrame[card="true"]``,
``QWidget[panel="true"]``, ``QToolButton[quiet="true"]``, ``QToolButton[tab="true"]``.
"""

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication, QFrame, QLabel, QWidget

from studio.ui.palettes import CONTRAST, DARK, LIGHT, Colours
from studio.ui.stylesheet import style_sheet

SPACE = 8
"""Distance between things that belong together, px at scale 1."""
GAP = 16
"""Distance between groups, px at scale 1."""
RADIUS = 6
"""Corner of cards and buttons, px at scale 1."""
CONTROL_HEIGHT = 30
"""Least height of buttons and fields, px at scale 1."""

_FAMILIES = ["Inter", "SF Pro Text", "Segoe UI Variable Text", "Segoe UI", "Cantarell", "Noto Sans", "DejaVu Sans"]
_POINT_SIZE = 10.0
_ICONS = (Path(__file__).resolve().parents[2] / "resources" / "icons").as_posix()
_NAME, _SCALE, _MOTION = "reverie_theme", "reverie_scale", "reverie_motion"
_NAMED = {"dark": DARK, "light": LIGHT, "contrast": CONTRAST}


def apply(app: QApplication, name: str = "system", scale: float = 1.0, *, reduced_motion: bool = False) -> None:
    """Give the whole application the theme ``name`` (``system``, ``light``, ``dark``, ``contrast``) at ``scale``."""
    if name not in _NAMED:
        light = app.styleHints().colorScheme() == Qt.ColorScheme.Light
        name = "light" if light else "dark"
    app.setProperty(_NAME, name)
    app.setProperty(_SCALE, scale)
    app.setProperty(_MOTION, reduced_motion)
    shades = _NAMED[name]
    if app.style().objectName() != "fusion":
        app.setStyle("Fusion")
    app.setPalette(_palette(shades))
    font = QFont()
    font.setFamilies(_FAMILIES)
    font.setPointSizeF(_POINT_SIZE * scale)
    app.setFont(font)
    app.setStyleSheet(style_sheet(shades, scale, icons=_ICONS))


def colours() -> Colours:
    """Colours of the theme in use."""
    app = QApplication.instance()
    return _NAMED.get(str(app.property(_NAME)) if app else "", DARK)


def scale() -> float:
    """Interface scale in use."""
    app = QApplication.instance()
    return float((app.property(_SCALE) if app else None) or 1.0)


def px(size: float) -> int:
    """A length of scale 1 in pixels of the scale in use."""
    return round(size * scale())


def reduced_motion() -> bool:
    """True when the artist wants no animation."""
    app = QApplication.instance()
    return bool(app and app.property(_MOTION))


def label(text: str, role: str = "", *, wrap: bool = False) -> QLabel:
    """A label with a role: ``title``, ``section``, ``hint``, ``number`` or none."""
    made = QLabel(text)
    made.setWordWrap(wrap)
    made.setIndent(0)
    if role:
        made.setProperty("role", role)
    return made


def mark(widget: QWidget, name: str, value: str = "true") -> None:
    """Set a styling property and restyle ``widget`` when it changed."""
    if widget.property(name) != value:
        widget.setProperty(name, value)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def divider() -> QFrame:
    """A quiet horizontal line."""
    line = QFrame()
    line.setFixedHeight(1)
    line.setProperty("divider", "true")
    return line


def _palette(shades: Colours) -> QPalette:
    """The Qt palette of ``shades``; what the style sheet does not name takes its colour from here."""
    palette = QPalette()
    role = QPalette.ColorRole
    pairs = {
        role.Window: shades.panel,
        role.WindowText: shades.text,
        role.Base: shades.field,
        role.AlternateBase: shades.card,
        role.Text: shades.text,
        role.Button: shades.card,
        role.ButtonText: shades.text,
        role.BrightText: shades.bad,
        role.Highlight: shades.accent,
        role.HighlightedText: shades.on_accent,
        role.Link: shades.accent_text,
        role.LinkVisited: shades.accent_text,
        role.ToolTipBase: shades.card,
        role.ToolTipText: shades.text,
        role.PlaceholderText: shades.muted,
        role.Light: shades.hover,
        role.Midlight: shades.hover,
        role.Mid: shades.line,
        role.Dark: shades.line,
        role.Shadow: shades.window,
        role.Accent: shades.accent,
    }
    for key, value in pairs.items():
        palette.setColor(key, QColor(value))
    off = QPalette.ColorGroup.Disabled
    for key in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(off, key, QColor(shades.edge))
    palette.setColor(off, role.Highlight, QColor(shades.line))
    return palette
