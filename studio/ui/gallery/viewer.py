"""One result at full size with what is known of it and everything that can be done with it."""

import time
from functools import partial

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QImage, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QScrollArea, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from studio.core.gallery import Entry
from studio.state.gallery import GalleryState
from studio.ui import theme
from studio.ui.elided import ElidedLabel
from studio.ui.gallery.actions import Deed, add_shortcuts, deeds, show_menu
from studio.ui.gallery.picture_view import PictureView
from studio.ui.icons import icon

_SIDE_PX = 290


class Viewer(QWidget):
    """Left and Right go to the neighbours, Esc goes back; A, S, P, R recall.

    Signals:
        closed(): back to the grid.
        moved(int): the neighbour in this direction is wanted.
    """

    closed = Signal()
    moved = Signal(int)

    def __init__(self, state: GalleryState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._entry: Entry | None = None
        self.picture = PictureView()
        self.picture.setAccessibleName(self.tr("Result"))
        self._title = ElidedLabel("section")
        self._facts = theme.label("", wrap=True)
        self._facts.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self._buttons = QVBoxLayout()
        self._buttons.setSpacing(2)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.picture, 1)
        row.addWidget(self._side())
        add_shortcuts(self, state, self.entries)

    @property
    def entry(self) -> Entry | None:
        """The result on view."""
        return self._entry

    def entries(self) -> list[Entry]:
        """The result on view as a list, for actions."""
        return [] if self._entry is None else [self._entry]

    def show_entry(self, entry: Entry) -> None:
        """Put a result on view."""
        other = self._entry is None or self._entry.id != entry.id
        self._entry = entry
        self._title.setText(entry.title)
        self._facts.setText("\n".join(self._lines(entry)))
        self._fill_buttons(entry)
        if other:
            self.picture.clear()
            self.picture.setAccessibleDescription(", ".join(self._lines(entry)))
            self._state.whole(entry, partial(self._on_whole, entry.id))
        self.picture.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        elif event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.moved.emit(1 if event.key() == Qt.Key.Key_Right else -1)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        show_menu(self, self._state, self.entries(), QPoint(event.globalPos()))

    def _side(self) -> QWidget:
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setSpacing(theme.px(theme.SPACE))
        back = QPushButton(icon("grid"), " " + self.tr("Back to the gallery"))
        back.setToolTip(self.tr("Esc"))
        back.clicked.connect(self.closed)
        column.addWidget(back)
        steps = QHBoxLayout()
        for name, words, by in (("up", self.tr("Newer (Left)"), -1), ("down", self.tr("Older (Right)"), 1)):
            button = QToolButton()
            button.setIcon(icon(name))
            button.setToolTip(words)
            button.setAccessibleName(words)
            button.clicked.connect(partial(self._on_step_clicked, by))
            steps.addWidget(button)
        steps.addStretch(1)
        column.addLayout(steps)
        column.addWidget(self._title)
        column.addWidget(self._facts)
        column.addLayout(self._buttons)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidget(inner)
        area.setWidgetResizable(True)
        area.setFixedWidth(theme.px(_SIDE_PX))
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        return area

    def _lines(self, entry: Entry) -> list[str]:
        lines = [self.tr("Film") if entry.kind == "film" else self.tr("Picture")]
        if entry.width_px:
            lines[0] += f", {entry.width_px} × {entry.height_px} px"
        if entry.model:
            lines.append(self.tr("Model: {}").format(entry.model))
        if entry.seed >= 0:
            lines.append(self.tr("Seed: {}").format(entry.seed))
        lines.append(time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.created_s)))
        if entry.starred:
            lines.append(self.tr("Starred"))
        return lines

    def _fill_buttons(self, entry: Entry) -> None:
        while (item := self._buttons.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        for deed in deeds(self._state, trash=entry.trashed):
            button = QToolButton()
            button.setIcon(icon(deed.picture))
            button.setText(f" {deed.words}")
            button.setToolTip(f"{deed.words} ({deed.key})" if deed.key else deed.words)
            button.setAccessibleName(deed.words)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.clicked.connect(partial(self._on_deed_clicked, deed))
            self._buttons.addWidget(button)

    def _on_deed_clicked(self, deed: Deed) -> None:
        if self._entry is not None:
            deed.run([self._entry])

    def _on_step_clicked(self, by: int) -> None:
        self.moved.emit(by)

    def _on_whole(self, entry_id: int, frames: list[tuple[QImage, float]]) -> None:
        if self._entry is not None and self._entry.id == entry_id:
            self.picture.show_frames(frames)
