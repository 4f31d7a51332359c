"""The right side of the library: all that is known of one model, in plain words."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from studio.core.model_card import Figure
from studio.state.library import LibraryEntry
from studio.ui import theme
from studio.ui.icons import icon, pixmap
from studio.ui.library.model_list import badges, preview_pixmap

_PREVIEW = 240
_WIDTH = 900


class ModelDetails(QScrollArea):
    """Shows one `LibraryEntry` and the four things one can do with it.

    Signals:
        open_requested(), fine_tune_requested(), export_requested(), remove_requested(): for the model shown.
    """

    open_requested = Signal()
    fine_tune_requested = Signal()
    export_requested = Signal()
    remove_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self._preview = QLabel()
        self._preview.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._name = _words(role="title")
        self._summary = _words()
        self._badges = QHBoxLayout()
        self._badges.setSpacing(theme.px(6))
        self._problem, self._problem_text = _warning("error", "bad")
        self._doubt, self._doubt_text = _warning("warning", "warn")
        self._open = QPushButton(icon("open", "on_accent"), " Open in Paint")
        self._open.setProperty("primary", "true")
        self._tune = QPushButton(icon("train"), " Fine-tune")
        self._export = QPushButton(icon("export"), " Export…")
        self._remove = QPushButton(icon("trash"), " Remove")
        self._facts = QFormLayout()
        self._facts.setHorizontalSpacing(theme.px(theme.GAP))
        self._facts.setVerticalSpacing(theme.px(10))
        self._facts.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self._facts.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._open.clicked.connect(self.open_requested)
        self._tune.clicked.connect(self.fine_tune_requested)
        self._export.clicked.connect(self.export_requested)
        self._remove.clicked.connect(self.remove_requested)
        self.setWidget(self._laid_out())

    def show_entry(self, entry: LibraryEntry) -> None:
        """Fill in all that is known."""
        card = entry.card
        side = theme.px(_PREVIEW)
        shown = preview_pixmap(entry.preview, side)
        self._preview.setPixmap(pixmap("models", 64) if shown.isNull() else shown)
        self._preview.setFixedSize(side, side)
        self._preview.setAccessibleName(f"What {card.name} makes")
        self._name.setText(card.name)
        self._summary.setText(card.summary)
        self._show_badges([card.kind, *badges(entry)])
        self._problem.setVisible(bool(entry.problem))
        self._problem_text.setText(entry.problem)
        self._doubt.setVisible(bool(card.experimental) and not entry.problem)
        self._doubt_text.setText(f"Experimental. {card.experimental}")
        self._open.setEnabled(not entry.problem)
        self._open.setToolTip(entry.problem or "Make pictures with this model (Enter)")
        reason = entry.problem or card.cannot_fine_tune
        self._tune.setEnabled(not reason)
        self._tune.setToolTip(reason or "Train it further on your own pictures")
        self._export.setEnabled(not entry.problem)
        self._export.setToolTip(entry.problem or "Save it as one .reverie file to share")
        self._remove.setEnabled(not card.bundled)
        self._remove.setToolTip("It came with Reverie." if card.bundled else "Move it to the trash; this can be undone")
        self._show_facts(entry)

    def _show_facts(self, entry: LibraryEntry) -> None:
        while self._facts.rowCount():
            self._facts.removeRow(0)
        card = entry.card
        rows = (
            ("Makes", card.size),
            ("System", card.family),
            ("Exactness", card.parity[:1].upper() + card.parity[1:]),
            ("Speed here", entry.speed or "measured at the first run"),
            ("Trained on", card.trained_on),
            ("Licence", card.licence),
            ("On the disk", card.disk),
            ("Id", card.id),
            ("Folder", str(entry.package.folder)),
            ("Measured", "" if card.figures else "no figures in the package"),
        )
        for name, value in rows:
            if not value:
                continue
            words = _words()
            words.setText(value)
            words.setAccessibleName(f"{name}: {value}")
            self._facts.addRow(_heading(name), words)
        if card.figures:
            self._facts.addRow(_heading("Measured"), _figures(card.figures))

    def _show_badges(self, words: list[str]) -> None:
        while (item := self._badges.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for text in words:
            badge = QLabel(text)
            badge.setTextFormat(Qt.TextFormat.PlainText)
            badge.setProperty("badge", "true")
            self._badges.addWidget(badge)
        self._badges.addStretch(1)

    def _laid_out(self) -> QWidget:
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.px(theme.SPACE))
        for button in (self._open, self._tune, self._export, self._remove):
            buttons.addWidget(button)
        buttons.addStretch(1)
        head = QVBoxLayout()
        head.setSpacing(theme.px(theme.SPACE))
        head.addWidget(self._name)
        head.addLayout(self._badges)
        head.addWidget(self._summary)
        head.addWidget(self._problem)
        head.addWidget(self._doubt)
        head.addStretch(1)
        top = QHBoxLayout()
        top.setSpacing(theme.px(theme.GAP))
        top.addWidget(self._preview, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(head, 1)
        page = QWidget()
        page.setProperty("clear", "true")
        column = QVBoxLayout(page)
        margin = theme.px(theme.GAP)
        column.setContentsMargins(margin, theme.px(theme.SPACE), margin, margin)
        column.setSpacing(margin)
        column.addLayout(top)
        column.addLayout(buttons)
        column.addWidget(theme.divider())
        column.addLayout(self._facts)
        column.addStretch(1)
        page.setMaximumWidth(theme.px(_WIDTH))
        return page


def _heading(name: str) -> QLabel:
    heading = theme.label(name, "hint")
    heading.setAlignment(Qt.AlignmentFlag.AlignTop)
    return heading


def _figures(figures: tuple[Figure, ...]) -> QWidget:
    """One line a figure with a sign for better or not, and below it how it was measured."""
    table = QWidget()
    grid = QGridLayout(table)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(theme.px(6))
    grid.setVerticalSpacing(theme.px(2))
    grid.setColumnStretch(1, 1)
    for number, figure in enumerate(figures):
        sign = QLabel()
        sign.setPixmap(pixmap("check", 14, "good") if figure.beats else pixmap("warning", 14, "warn"))
        words = _words()
        words.setText(figure.words)
        grid.addWidget(sign, 2 * number, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(words, 2 * number, 1)
        if figure.note:
            note = _words("hint")
            note.setText(figure.note)
            grid.addWidget(note, 2 * number + 1, 1)
    return table


def _words(role: str = "") -> QLabel:
    """A label for words out of a package: plain text, wrapped, can be selected."""
    words = theme.label("", role, wrap=True)
    words.setTextFormat(Qt.TextFormat.PlainText)
    words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return words


def _warning(symbol: str, colour: str) -> tuple[QWidget, QLabel]:
    """A line with a symbol, so that the colour is not the only sign."""
    line = QWidget()
    row = QHBoxLayout(line)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(theme.px(6))
    sign = QLabel()
    sign.setPixmap(pixmap(symbol, 16, colour))
    words = _words()
    row.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
    row.addWidget(words, 1)
    line.hide()
    return line, words
