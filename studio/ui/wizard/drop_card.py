"""The first card: drop pictures, see what was understood, what was not used and why."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFileDialog, QFrame, QListWidget, QProgressBar, QVBoxLayout, QWidget

from studio.core.findings import Understanding, Unused
from studio.state.wizard import WizardState
from studio.ui import theme
from studio.ui.buttons import push_button
from studio.ui.form import Fold
from studio.ui.icon_label import IconLabel
from studio.ui.wizard.card import Card, row, say
from studio.ui.wizard.pictures import Thumbs

LISTED = 500


def dropped_paths(event: QDropEvent) -> list[Path]:
    """Local files and folders that an event carries."""
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]


class DropZone(QFrame):
    """A dashed box that takes files, folders and zips.

    Signals:
        dropped(object list[Path]): something was dropped.
    """

    dropped = Signal(object)

    def __init__(self, *inside: QWidget) -> None:
        super().__init__()
        self.setAcceptDrops(True)
        self.setAccessibleName(self.tr("Drop zone for pictures"))
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.GAP, theme.GAP, theme.GAP, theme.GAP)
        for widget in inside:
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        self._over = False

    def paintEvent(self, _event: QPaintEvent) -> None:
        shades = theme.colours()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(shades.accent if self._over else shades.edge), theme.px(2), Qt.PenStyle.DashLine))
        painter.setBrush(QColor(shades.hover) if self._over else Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), theme.px(8), theme.px(8))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_paths(event):
            event.acceptProposedAction()
            self._shade(over=True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._shade(over=False)
        event.accept()

    def dropEvent(self, event: QDropEvent) -> None:
        self._shade(over=False)
        paths = dropped_paths(event)
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths)

    def _shade(self, *, over: bool) -> None:
        self._over = over
        self.update()


class DropCard(Card):
    """Pictures: the drop, its sentence, thumbnails, and lists of what needs a look."""

    def __init__(self, state: WizardState) -> None:
        super().__init__("1  Your pictures")
        self._state = state
        self._icon = IconLabel("drop", 32)
        self._words = theme.label(self.tr("Drop pictures, a folder or a zip here"))
        self.files_button = push_button(self.tr("Files …"), self._on_files_clicked, name="picture")
        self.folder_button = push_button(self.tr("Folder …"), self._on_folder_clicked, name="folder")
        self.sample_button = push_button(
            self.tr("Try it with sample pictures"),
            state.try_samples,
            name="sparkle",
            tip=self.tr("Draws 60 small pictures and starts with them."),
        )
        buttons = QWidget()
        line = row(self.files_button, self.folder_button, self.sample_button, stretch=False)
        line.setContentsMargins(0, 0, 0, 0)
        buttons.setLayout(line)
        self.zone = DropZone(self._icon, self._words, buttons)
        self.zone.dropped.connect(state.start_with)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._busy = theme.label("", "hint")
        self._cancel = push_button(self.tr("Cancel"), state.cancel)
        self.sentence = theme.label("", wrap=True)
        self._facts = theme.label("", "hint", wrap=True)
        self.thumbs = Thumbs(56)
        self.lists = {name: _list() for name in ("unused", "alike", "look")}
        self._folds = {name: Fold("", widget) for name, widget in self.lists.items()}
        self.add(self.zone)
        self.add_row(self._busy, self._bar, self._cancel, stretch=False)
        self.add(self.sentence, self._facts, self.thumbs, *self._folds.values())
        state.progressed.connect(self._on_state_progressed)
        self._shown: Understanding | None = None
        for fold in self._folds.values():
            fold.hide()
        self.thumbs.hide()
        self._facts.hide()
        self.refresh()

    def refresh(self) -> None:
        """Show the state."""
        busy = self._state.busy
        say(self._busy, busy)
        self._bar.setVisible(bool(busy))
        self._cancel.setVisible(bool(busy))
        if not busy:
            self._bar.setRange(0, 0)
        found = self._state.flow.understanding
        compact = found is not None
        self._icon.setHidden(compact)
        if self._state.problem:
            say(self.sentence, self._state.problem, level="error")
        elif found is None:
            say(self.sentence, "")
        if found is self._shown and not self._state.problem:
            return
        self._shown = found
        if found is None:
            say(self._facts, "")
            self.thumbs.show_pictures((), name="")
            for fold in self._folds.values():
                fold.hide()
            return
        if not self._state.problem:
            say(self.sentence, found.sentence)
        say(self._facts, facts(found))
        self.thumbs.show_pictures(self._state.thumbnails, name=self.tr("First pictures of the drop"))
        self._fill("unused", self.tr("Not used"), _lines(found.unused))
        self._fill("alike", self.tr("Look alike"), ["  =  ".join(names) for names in found.near_duplicates])
        self._fill("look", self.tr("Worth a look"), _lines((*found.tiny, *found.odd)))

    def _fill(self, name: str, title: str, lines: list[str]) -> None:
        fold, widget = self._folds[name], self.lists[name]
        widget.clear()
        widget.addItems(lines[:LISTED] + ([f"and {len(lines) - LISTED} more"] if len(lines) > LISTED else []))
        widget.setAccessibleName(title)
        widget.setFixedHeight(theme.px(min(6, max(1, len(lines))) * 27 + 12))
        fold.head.setText(f" {title} ({len(lines)})")
        fold.head.setAccessibleName(f"{title}: {len(lines)}")
        fold.setVisible(bool(lines))

    def _on_state_progressed(self, done: int, total: int) -> None:
        self._bar.setRange(0, total)
        self._bar.setValue(done)
        count = f"{done:,} / {total:,}" if total else f"{done:,}"
        self._busy.setText(f"{self._state.busy}  {count}")

    def _on_files_clicked(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, self.tr("Pictures or a zip"))
        if names:
            self._state.start_with([Path(name) for name in names])

    def _on_folder_clicked(self) -> None:
        name = QFileDialog.getExistingDirectory(self, self.tr("A folder of pictures"))
        if name:
            self._state.start_with([Path(name)])


def facts(found: Understanding) -> str:
    """Sizes and kinds in one line."""
    numbers = found.statistics
    small, middle, large = numbers.smallest_px, numbers.median_px, numbers.largest_px
    if small == large:
        parts = [f"All {small[0]} x {small[1]} px"]
    else:
        parts = [f"{small[0]} x {small[1]} to {large[0]} x {large[1]} px, mostly {middle[0]} x {middle[1]}"]
    if numbers.alpha_share:
        parts.append(f"{numbers.alpha_share:.0%} with transparency")
    if numbers.grey_share:
        parts.append(f"{numbers.grey_share:.0%} grey")
    if numbers.near_duplicates:
        parts.append(f"{numbers.near_duplicates} look like others")
    return " · ".join(parts)


def _lines(files: tuple[Unused, ...]) -> list[str]:
    return [f"{file.shown}: {file.reason}" for file in files]


def _list() -> QListWidget:
    made = QListWidget()
    made.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return made
