"""Notices at the bottom of the window: what happened, what to do, and the button that does it. Never modal."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAccessible, QAccessibleEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.state.notices import Notice, Notices
from studio.ui import icons, theme
from studio.ui.buttons import push_button, tool_button

MOST = 3
GOES_AFTER_MS = 8000
"""Good news leaves by itself; bad news and offers wait for the artist."""
WIDTH_PX = 520
_MARKS = {"info": ("info", "accent_text"), "success": ("check", "good"), "warning": ("warning", "warn"),
          "error": ("error", "bad")}  # fmt: skip


class NoticeCard(QFrame):
    """One notice. ``close_card`` takes it away."""

    def __init__(self, notice: Notice, close_card: Callable[["NoticeCard"], None]) -> None:
        super().__init__()
        self.notice = notice
        self.setProperty("card", "true")
        name, role = _MARKS[notice.level]
        mark = QLabel()
        mark.setPixmap(icons.pixmap(name, 20, role))
        # The level is said in words too, for whoever cannot see the mark.
        words = {"error": self.tr("Error"), "warning": self.tr("Warning")}.get(notice.level, "")
        self.text = theme.label(notice.text, wrap=True)
        self.text.setAccessibleName(f"{words}: {notice.text}" if words else notice.text)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column = QVBoxLayout()
        column.setSpacing(2)
        column.addWidget(self.text)
        if notice.hint:
            hint = theme.label(notice.hint, "hint", wrap=True)
            hint.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            column.addWidget(hint)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.SPACE + 4, theme.SPACE, theme.SPACE, theme.SPACE)
        row.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addSpacing(theme.SPACE // 2)
        row.addLayout(column, 1)
        if notice.action and notice.run is not None:
            run = notice.run

            def act() -> None:
                close_card(self)
                run()

            self.action = push_button(notice.action, act)
            self.action.setProperty("link", "true")
            # A click leaves the focus where the artist works: this button is about to go.
            self.action.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            row.addWidget(self.action)
        dismiss = tool_button("close", self.tr("Dismiss"), lambda: close_card(self))
        dismiss.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        row.addWidget(dismiss, 0, Qt.AlignmentFlag.AlignTop)


class NoticeBar(QWidget):
    """A stack of the last notices over the bottom of ``host``."""

    def __init__(
        self, notices: Notices, host: QWidget, *, later: Callable[[int, Callable[[], None]], Callable[[], None]]
    ) -> None:
        super().__init__(host)
        self._host = host
        self._later = later
        self._cards: list[NoticeCard] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(theme.SPACE)
        self.setAccessibleName(self.tr("Notices"))
        notices.posted.connect(self.add)
        host.installEventFilter(self)
        self.hide()

    @property
    def cards(self) -> tuple[NoticeCard, ...]:
        """What is shown, oldest first."""
        return tuple(self._cards)

    def add(self, notice: Notice) -> None:
        """Show a notice; the same one again replaces the first; the oldest of too many goes."""
        for card in [card for card in self._cards if card.notice.text == notice.text]:
            self._close(card)
        while len(self._cards) >= MOST:
            self._close(self._cards[0])
        card = NoticeCard(notice, self._close)
        self._cards.append(card)
        self._column.addWidget(card)
        self.show()
        self._place()
        QAccessible.updateAccessibility(QAccessibleEvent(card.text, QAccessible.Event.Alert))
        if notice.level in ("info", "success") and not notice.action:
            self._later(GOES_AFTER_MS, lambda: self._close(card))

    def close_last(self) -> bool:
        """Esc: take the newest away; False when there was none."""
        if self._cards:
            self._close(self._cards[-1])
            return True
        return False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Show):
            self._place()
        return False

    def _close(self, card: NoticeCard) -> None:
        if card in self._cards:
            self._cards.remove(card)
            self._column.removeWidget(card)
            card.hide()
            card.deleteLater()
            self.setVisible(bool(self._cards))
            self._place()

    def _place(self) -> None:
        if not self._cards:
            return
        width = min(theme.px(WIDTH_PX), self._host.width() - 4 * theme.SPACE)
        height = sum(card.heightForWidth(width) if card.hasHeightForWidth() else card.sizeHint().height()
                     for card in self._cards)  # fmt: skip
        height += theme.SPACE * (len(self._cards) - 1)
        left = (self._host.width() - width) // 2
        self.setGeometry(left, self._host.height() - height - theme.px(24), width, height)
        self.raise_()
