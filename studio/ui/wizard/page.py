"""The wizard's page: on the left what goes in, on the right what comes out."""

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.core.wizard import STEPS, step_of
from studio.state.wizard import WizardState
from studio.ui import theme
from studio.ui.wizard.base_card import BaseCard, NameCard
from studio.ui.wizard.drop_card import DropCard, dropped_paths
from studio.ui.wizard.result_card import ResultCard, RunsCard
from studio.ui.wizard.train_card import FitCard, TrainCard
from studio.ui.zones import scrolled

_WIDEST_PX = 1280
_RAIL = ("Pictures", "Understood", "Model", "Fits", "Train", "Result")


class WizardPage(QWidget):
    """Binds to `WizardState`. Anything dropped on it starts the wizard.

    Signals:
        open_requested(str id): show this model in its pane.
    """

    open_requested = Signal(str)

    def __init__(self, state: WizardState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self.setAcceptDrops(True)
        self.setAccessibleName(self.tr("Training wizard"))
        self.drop_card, self.base_card, self.name_card = DropCard(state), BaseCard(state), NameCard(state)
        self.fit_card, self.train_card = FitCard(state), TrainCard(state)
        self.result_card, self.runs_card = ResultCard(state), RunsCard(state)
        self._rail = theme.label("", "hint")
        self._rail.setTextFormat(Qt.TextFormat.RichText)
        self._rail.setAccessibleName(self.tr("Where you are"))
        head = QHBoxLayout()
        head.addWidget(theme.label(self.tr("Make your own model"), "title"))
        head.addStretch(1)
        head.addWidget(self._rail)
        columns = QHBoxLayout()
        columns.setSpacing(theme.GAP)
        columns.addLayout(_column(self.drop_card, self.base_card, self.name_card), 1)
        columns.addLayout(_column(self.result_card, self.fit_card, self.train_card, self.runs_card), 1)
        body = QWidget()
        body.setProperty("clear", "true")
        inner = QVBoxLayout(body)
        inner.setContentsMargins(theme.GAP, theme.GAP, theme.GAP, theme.GAP)
        inner.setSpacing(theme.GAP)
        inner.addLayout(head)
        inner.addLayout(columns)
        inner.addStretch(1)
        body.setMaximumWidth(theme.px(_WIDEST_PX))
        area = scrolled(body)
        area.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(area)
        # A training tells many things a second; the page is drawn at most ten times.
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(100)
        self._timer.timeout.connect(self.refresh)
        state.changed.connect(self._on_state_changed)
        state.training.runs_changed.connect(self._on_state_changed)
        state.open_requested.connect(self.open_requested)
        self.refresh()

    def refresh(self) -> None:
        """Show the state now."""
        for card in (self.drop_card, self.base_card, self.name_card, self.fit_card, self.train_card):
            card.refresh()
        self.result_card.refresh()
        self.runs_card.refresh()
        begun = self._state.flow.understanding is not None
        self.base_card.setEnabled(begun)
        self.name_card.setEnabled(begun)
        reached = STEPS.index(step_of(self._state.flow))
        shades = theme.colours()
        words = [
            f'<span style="color:{shades.accent_text}; font-weight:600">{word}</span>' if index == reached else word
            for index, word in enumerate(_RAIL)
        ]
        self._rail.setText(" &nbsp;›&nbsp; ".join(words))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "_timer"):
            self._on_state_changed()  # the theme's colours stand in the words of the rail

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_paths(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = dropped_paths(event)
        if paths:
            event.acceptProposedAction()
            self._state.start_with(paths)

    def _on_state_changed(self) -> None:
        if not self._timer.isActive():
            self._timer.start()


def _column(*cards: QWidget) -> QVBoxLayout:
    made = QVBoxLayout()
    made.setSpacing(theme.GAP)
    for card in cards:
        made.addWidget(card)
    made.addStretch(1)
    return made
