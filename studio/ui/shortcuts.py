"""Every key in one table, and the sheet that shows it."""

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from studio.ui import theme
from studio.ui.buttons import tool_button


@dataclass(frozen=True)
class Keys:
    """A key and what it does, in words."""

    keys: str
    does: str


SHEET: dict[str, tuple[Keys, ...]] = {
    "Everywhere": (
        Keys("Ctrl+1 … Ctrl+5", "Paint, Train, Gallery, Models, Settings"),
        Keys("Ctrl+Enter", "Generate; again to stop"),
        Keys("Ctrl+Shift+Enter", "Generate before everything that waits"),
        Keys("Esc, Shift+X", "Stop what runs, or close what is open"),
        Keys("Ctrl+Z, Ctrl+Shift+Z", "Undo, redo"),
        Keys("Ctrl+B, Ctrl+Shift+B", "Fold the left, the right side"),
        Keys("Ctrl+J", "Queue"),
        Keys("Shift+?", "This sheet"),
    ),
    "Picture": (
        Keys("Ctrl+C, Ctrl+V", "Copy the picture, start from the copied one"),
        Keys("Ctrl+S", "Keep the live picture"),
        Keys("P", "Save this point"),
        Keys("+  −  0  1", "Larger, smaller, fit, 100 %"),
        Keys("Arrows", "Walk on the latent map"),
    ),
    "Mask": (
        Keys("B, E", "Brush, eraser"),
        Keys("[  ]", "Smaller, larger brush"),
        Keys("Esc", "Back to the picture"),
    ),
    "Gallery": (
        Keys("A  S  P  R", "Recall all, the seed, the classes, all with a new seed"),
        Keys(".", "Star"),
        Keys("Del", "To the trash, with undo"),
    ),
    "Saved points": (
        Keys("Enter, F2, Del", "Go there, rename, remove"),
        Keys("Alt+Left, Alt+Right", "Move along the line"),
    ),
}


class KeySheet(QWidget):
    """Lies over the window until a key or click.

    Signals:
        closed(): it is away again.
    """

    closed = Signal()

    def __init__(self, host: QWidget) -> None:
        super().__init__(host)
        self._host = host
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAutoFillBackground(False)
        self.setAccessibleName(self.tr("Keyboard shortcuts"))
        card = QFrame()
        card.setProperty("card", "true")
        head = QHBoxLayout()
        head.addWidget(theme.label(self.tr("Keys"), "title"), 1)
        head.addWidget(tool_button("close", self.tr("Close"), self.close_sheet, keys="Esc"))
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.GAP * 2)
        grid.setVerticalSpacing(theme.SPACE)
        for column, groups in enumerate((("Everywhere",), ("Picture", "Mask"), ("Gallery", "Saved points"))):
            grid.addLayout(self._groups(groups), 0, column, Qt.AlignmentFlag.AlignTop)
        inside = QVBoxLayout(card)
        inside.setContentsMargins(theme.GAP * 2, theme.GAP, theme.GAP * 2, theme.GAP * 2)
        inside.addLayout(head)
        inside.addLayout(grid)
        outer = QVBoxLayout(self)
        outer.addWidget(card, 0, Qt.AlignmentFlag.AlignCenter)
        self.hide()

    def open_sheet(self) -> None:
        """Show the sheet over the whole window."""
        self.setGeometry(self._host.rect())
        self.show()
        self.raise_()
        self.setFocus()

    def close_sheet(self) -> None:
        """Take it away."""
        if not self.isHidden():
            self.hide()
            self.closed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        self.close_sheet()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.close_sheet()

    def paintEvent(self, event: QPaintEvent) -> None:
        veil = QColor(theme.colours().window)
        veil.setAlpha(200)
        QPainter(self).fillRect(self.rect(), veil)

    def _groups(self, names: tuple[str, ...]) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(theme.SPACE)
        for name in names:
            column.addWidget(theme.label(name, "section"))
            rows = QGridLayout()
            rows.setHorizontalSpacing(theme.GAP)
            rows.setVerticalSpacing(theme.SPACE // 2)
            for line, keys in enumerate(SHEET[name]):
                badge = theme.label(keys.keys)
                badge.setProperty("badge", "true")
                rows.addWidget(badge, line, 0, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
                words = theme.label(keys.does, wrap=True)
                words.setMinimumWidth(theme.px(150))
                rows.addWidget(words, line, 1)
            column.addLayout(rows)
            column.addSpacing(theme.SPACE)
        column.addStretch(1)
        return column
