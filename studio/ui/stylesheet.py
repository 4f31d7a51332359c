"""The one style sheet, built from a palette and the interface scale."""

import re
from dataclasses import asdict

from studio.ui.palettes import Colours

_SHEET = """
QWidget { selection-background-color: @accent; selection-color: @on_accent; }
QMainWindow, QWidget[backdrop="true"] { background: @window; }
QWidget[panel="true"] { background: @panel; }
QFrame[card="true"] { background: @card; border: 1px solid @line; border-radius: 8px; }
QFrame[card="true"][selected="true"] { border: 2px solid @accent; }
QFrame[divider="true"] { background: @line; border: none; }
QToolTip { background: @card; color: @text; border: 1px solid @edge; padding: 5px; }

QLabel { background: transparent; }
QLabel[role="title"] { font-size: 17pt; font-weight: 600; }
QLabel[role="subtitle"] { font-size: 12pt; font-weight: 600; }
QLabel[role="section"] { color: @muted; font-size: 9pt; font-weight: 600; padding-top: 4px; }
QLabel[role="hint"] { color: @muted; font-size: 9pt; }
QLabel[role="number"] { color: @muted; font-size: 9pt;
  font-family: "DejaVu Sans Mono", "Consolas", "Menlo", monospace; }
QLabel[level="error"] { color: @bad; } QLabel[level="warning"] { color: @warn;
  } QLabel[level="success"] { color: @good; }
QLabel[badge="true"] { background: @hover; color: @text; border-radius: 4px; padding: 1px 6px; font-size: 9pt; }

QPushButton, QComboBox, QLineEdit, QPlainTextEdit, QSpinBox, QDoubleSpinBox {
  min-height: 18px; padding: 5px 10px; border-radius: 6px; border: 1px solid @edge; background: @field; color: @text; }
QPushButton { background: @card; }
QPushButton:hover, QComboBox:hover { background: @hover; }
QPushButton:pressed { background: @line; }
QPushButton:checked { background: @hover; border: 2px solid @accent; padding: 4px 9px; }
QPushButton:disabled, QComboBox:disabled, QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled {
  color: @edge; border-color: @line; background: transparent; }
QPushButton[primary="true"] { background: @accent; color: @on_accent; border: 1px solid @accent; font-weight: 600;
  padding: 8px 16px; }
QPushButton[primary="true"]:hover { border-color: @text; }
QPushButton[primary="true"]:disabled { background: @hover; color: @muted; border-color: @line; }
QPushButton[danger="true"] { background: @card; color: @bad; border: 2px solid @bad; font-weight: 600;
  padding: 7px 15px; }
QPushButton[link="true"] { background: transparent; border: none; color: @accent_text; padding: 4px 6px;
  font-weight: 600; }
QPushButton[link="true"]:hover { text-decoration: underline; }
QPushButton:focus, QComboBox:focus, QLineEdit:focus, QPlainTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus,
QListView:focus, QTreeView:focus, QTableView:focus { border: 2px solid @accent_text; }
QPushButton:focus, QComboBox:focus, QLineEdit:focus, QPlainTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus {
  padding: 4px 9px; }
QPushButton[primary="true"]:focus { border: 2px solid @text; padding: 7px 15px; }
QPushButton[danger="true"]:focus { padding: 7px 15px; }
QSpinBox QLineEdit, QDoubleSpinBox QLineEdit, QSpinBox QLineEdit:focus, QDoubleSpinBox QLineEdit:focus,
QComboBox QLineEdit, QComboBox QLineEdit:focus { border: none; padding: 0px; min-height: 0px;
  background: transparent; }
QSpinBox[slim="true"], QDoubleSpinBox[slim="true"] { padding: 0px 4px; min-height: 18px; border-color: transparent;
  background: transparent; }
QSpinBox::up-button, QDoubleSpinBox::up-button, QSpinBox::down-button, QDoubleSpinBox::down-button {
  width: 0px; height: 0px; border: none; }
QSpinBox[slim="true"]:hover, QDoubleSpinBox[slim="true"]:hover { border-color: @edge; background: @field; }
QSpinBox[slim="true"]:focus, QDoubleSpinBox[slim="true"]:focus { border: 1px solid @accent_text; background: @field; }

QToolButton { border: 1px solid transparent; border-radius: 6px; padding: 4px; background: transparent;
  color: @text; }
QToolButton:hover { background: @hover; } QToolButton:pressed { background: @line; }
QToolButton:checked { background: @hover; border-color: @accent; }
QToolButton:focus { border: 2px solid @accent_text; padding: 3px; }
QToolButton:disabled { color: @edge; }
QToolButton[tab="true"] { padding: 7px 14px; border-radius: 6px; color: @muted; font-weight: 600; }
QToolButton[tab="true"]:hover { color: @text; }
QToolButton[tab="true"]:checked { color: @text; background: @hover; border-color: transparent;
  border-bottom: 2px solid @accent; }
QToolButton[tab="true"]:focus { border: 2px solid @accent_text; padding: 6px 13px; }
QToolButton[fold="true"] { font-weight: 600; color: @muted; padding: 4px 2px 4px 0px; font-size: 9pt; }
QToolButton[fold="true"]:hover { color: @text; }
QToolButton::menu-indicator { image: none; }

QComboBox::drop-down { border: none; width: 22px; }
QComboBox::down-arrow { image: url(@icons/chevron-down-@shade.svg); width: 14px; height: 14px; }
QComboBox QAbstractItemView { background: @card; border: 1px solid @edge; padding: 4px; outline: none; }
QComboBox QAbstractItemView::item { min-height: 26px; padding: 2px 6px; }
QCheckBox, QRadioButton { spacing: 8px; padding: 3px; border: 2px solid transparent; border-radius: 4px; }
QCheckBox:focus, QRadioButton:focus { border-color: @accent_text; }
QCheckBox::indicator { width: 15px; height: 15px; border: 1px solid @edge; border-radius: 4px; background: @field; }
QCheckBox::indicator:checked { background: @accent; border-color: @accent; image: url(@icons/check-@tick.svg); }
QCheckBox::indicator:disabled { border-color: @line; }

QScrollArea { border: none; background: transparent; }
QScrollArea > QWidget > QWidget[clear="true"] { background: transparent; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle { background: @edge; border-radius: 3px; margin: 2px; min-height: 28px; min-width: 28px; }
QScrollBar::handle:hover { background: @muted; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QListView, QTreeView, QTableView { background: @field; border: 1px solid @line; border-radius: 6px; outline: none; }
QListView::item { padding: 4px; border-radius: 4px; color: @text; }
QListView::item:hover { background: @hover; }
QListView::item:selected { background: @hover; color: @text; border: 2px solid @accent; }
QTreeView::item:selected, QTableView::item:selected { background: @hover; color: @text; }
QHeaderView::section { background: @card; color: @muted; border: none; border-bottom: 1px solid @line;
  padding: 5px 8px; }
QProgressBar { background: @hover; border: none; border-radius: 3px; max-height: 6px; min-height: 6px;
  color: transparent; }
QProgressBar::chunk { background: @accent; border-radius: 3px; }
QMenu { background: @card; border: 1px solid @edge; padding: 5px; }
QMenu::item { padding: 6px 24px 6px 12px; border-radius: 4px; } QMenu::item:selected { background: @hover; }
QMenu::item:disabled { color: @edge; } QMenu::separator { height: 1px; background: @line; margin: 4px 8px; }
QSplitter::handle { background: @window; }
QStatusBar { background: @panel; } QStatusBar::item { border: none; }
"""


_OFF = """
QPushButton:disabled, QComboBox:disabled, QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled,
QPushButton[primary="true"]:disabled { border: 1px dashed #b4b4b4; color: #b4b4b4; background: transparent; }
QToolButton:disabled, QLabel:disabled, QMenu::item:disabled { color: #b4b4b4; }
"""


def style_sheet(shades: Colours, scale: float, *, icons: str = "") -> str:
    """The style sheet with every colour named and every length scaled; ``icons`` is the folder of the SVGs."""
    sheet = re.sub(r"(\d+(?:\.\d+)?)(px|pt)", lambda found: _scaled(found.group(1), found.group(2), scale), _SHEET)
    if shades.line == shades.text:  # with lines as strong as words, what is off would look like what is on
        sheet += _OFF
    words = {name: str(value) for name, value in asdict(shades).items()}
    words |= {"icons": icons, "shade": "light" if shades.dark else "dark", "tick": "dark" if shades.dark else "light"}
    for name in sorted(words, key=len, reverse=True):
        sheet = sheet.replace(f"@{name}", words[name])
    return sheet


def _scaled(number: str, unit: str, scale: float) -> str:
    """A length at ``scale``; hairlines stay at least one pixel."""
    value = float(number) * scale
    if unit == "pt":
        return f"{value:.1f}pt"
    return f"{max(1, round(value)) if float(number) > 0 else 0}px"
