"""Buttons with an icon, a name for screen readers and the key in the tooltip."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QToolButton

from studio.ui.icons import icon
from studio.ui.zones import square


def tool_button(
    name: str, label: str, run: Callable[[], object] | None = None, *, keys: str = "", checkable: bool = False
) -> QToolButton:
    """An icon-only button that says what it does. ``keys`` is shown, not bound."""
    button = QToolButton()
    button.setIcon(icon(name))
    button.setIconSize(square(16))
    button.setAccessibleName(label)
    button.setToolTip(f"{label} ({keys})" if keys else label)
    button.setCheckable(checkable)
    button.setCursor(Qt.CursorShape.ArrowCursor)
    if run is not None:
        button.clicked.connect(lambda _checked: run())
    return button


def push_button(
    label: str, run: Callable[[], object] | None = None, *, name: str = "", primary: bool = False, tip: str = ""
) -> QPushButton:
    """A button with words, and an icon when ``name`` is given."""
    button = QPushButton(label)
    if name:
        button.setText(f" {label}")
        button.setAccessibleName(label)
        button.setIcon(icon(name, "on_accent" if primary else "text"))
        button.setIconSize(square(16))
    if primary:
        button.setProperty("primary", "true")
    if tip:
        button.setToolTip(tip)
        button.setAccessibleDescription(tip)
    if run is not None:
        button.clicked.connect(lambda _checked: run())
    return button
