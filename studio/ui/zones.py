"""Three zones: controls left, result centre, gallery right. Both sides fold away."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QFrame, QScrollArea, QSplitter, QVBoxLayout, QWidget

from studio.ui import theme

LEFT_PX = 320
RIGHT_PX = 208


class Zones(QSplitter):
    """A pane's left, centre and right.

    Signals:
        folded(str, bool): ``left`` or ``right`` was folded away or brought back.
    """

    folded = Signal(str, bool)

    def __init__(self, left: QWidget, centre: QWidget, right: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._sides = {"left": left} | ({"right": right} if right is not None else {})
        self.setChildrenCollapsible(False)
        self.setHandleWidth(theme.px(6))
        left.setProperty("panel", "true")
        left.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        left.setMinimumWidth(theme.px(280))
        self.addWidget(left)
        self.addWidget(centre)
        sizes = [theme.px(LEFT_PX), theme.px(700)]
        if right is not None:
            right.setProperty("panel", "true")
            right.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
            right.setMinimumWidth(theme.px(120))
            self.addWidget(right)
            sizes.append(theme.px(RIGHT_PX))
        self.setStretchFactor(1, 1)
        self.setSizes(sizes)

    def fold(self, side: str, away: bool) -> None:
        """Fold a side away or bring it back."""
        widget = self._sides.get(side)
        if widget is not None and widget.isHidden() != away:
            widget.setVisible(not away)
            self.folded.emit(side, away)

    def toggle(self, side: str) -> None:
        """Fold a side when it is there, bring it back when it is not."""
        widget = self._sides.get(side)
        if widget is not None:
            self.fold(side, not widget.isHidden())

    def is_folded(self, side: str) -> bool:
        """True when the side is away."""
        widget = self._sides.get(side)
        return widget is not None and widget.isHidden()


def scrolled(body: QWidget) -> QScrollArea:
    """``body`` in a vertical scroll area without a frame."""
    area = QScrollArea()
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    body.setProperty("clear", "true")
    area.setWidget(body)
    area.viewport().setAutoFillBackground(False)
    body.setAutoFillBackground(False)
    return area


def column(*widgets: QWidget, margin: int = 0, spacing: int = theme.SPACE) -> QWidget:
    """Widgets below each other."""
    box = QWidget()
    lay = QVBoxLayout(box)
    lay.setContentsMargins(margin, margin, margin, margin)
    lay.setSpacing(spacing)
    for widget in widgets:
        lay.addWidget(widget)
    return box


def square(size_px: int) -> QSize:
    """A square icon size at the scale in use."""
    side = theme.px(size_px)
    return QSize(side, side)
