"""A numbered card of the wizard."""

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.ui import theme


class Card(QFrame):
    """A card with a title and things below it."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setProperty("card", "true")
        self.setAccessibleName(title)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(theme.GAP, theme.GAP, theme.GAP, theme.GAP)
        self.column.setSpacing(theme.SPACE)
        self.column.addWidget(theme.label(title, "subtitle"))

    def add(self, *widgets: QWidget) -> None:
        """Put widgets below one another."""
        for widget in widgets:
            self.column.addWidget(widget)

    def add_row(self, *widgets: QWidget, stretch: bool = True) -> None:
        """Put widgets beside one another."""
        self.column.addLayout(row(*widgets, stretch=stretch))


def row(*widgets: QWidget, stretch: bool = True) -> QHBoxLayout:
    """Widgets beside one another, with room at the end."""
    line = QHBoxLayout()
    line.setSpacing(theme.SPACE)
    for widget in widgets:
        line.addWidget(widget)
    if stretch:
        line.addStretch(1)
    return line


def say(label: QLabel, text: str, *, level: str = "") -> None:
    """Set the words of a label and hide it when there are none."""
    label.setText(text)
    label.setVisible(bool(text))
    theme.mark(label, "level", level)
