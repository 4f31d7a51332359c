"""The top of the window: the panes that work, the queue, the device, and both folds."""

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QWidget

from studio.core.events import RunFacts
from studio.ui import theme
from studio.ui.buttons import tool_button
from studio.ui.icons import icon
from studio.ui.zones import square

PROVIDERS = {
    "CPUExecutionProvider": "Processor",
    "CUDAExecutionProvider": "NVIDIA GPU",
    "DmlExecutionProvider": "GPU (DirectML)",
    "CoreMLExecutionProvider": "Apple GPU",
    "OpenVINOExecutionProvider": "OpenVINO",
}


class TopBar(QWidget):
    """Tabs and badges.

    Signals:
        pane_picked(int): a tab was pressed.
    """

    pane_picked = Signal(int)

    def __init__(self, tabs: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.tabs: list[QToolButton] = []
        self._told = False
        group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.GAP, theme.SPACE - 2, theme.SPACE, theme.SPACE - 2)
        row.setSpacing(theme.SPACE // 2)
        self.name = theme.label("Reverie", "subtitle")
        row.addWidget(self.name)
        row.addSpacing(theme.GAP)
        for index, (label, mark) in enumerate(tabs):
            tab = self._make_tab(index, label, mark)
            group.addButton(tab, index)
            self.tabs.append(tab)
            row.addWidget(tab)
        row.addStretch(1)
        self.busy = theme.label("", "number")
        self.busy.setAccessibleName(self.tr("Busy"))
        self.queue = self._badge("queue", self.tr("Queue"), keys="Ctrl+J")
        self.device = self._badge("chip", self.tr("Device"))
        self.left = tool_button("left", self.tr("Fold the left side"), keys="Ctrl+B")
        self.right = tool_button("right", self.tr("Fold the right side"), keys="Ctrl+Shift+B")
        self.help = tool_button("keyboard", self.tr("Keys"), keys="Shift+?")
        for widget in (self.busy, self.queue, self.device, self.left, self.right, self.help):
            row.addWidget(widget)
        group.idClicked.connect(self.pane_picked)
        self.show_facts(None)
        self.show_waiting(0)

    def minimumSizeHint(self) -> QSize:
        return QSize(theme.px(520), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """Where there is no room for all words, first the badge and the name go, then the words of the tabs."""
        beside, alone = Qt.ToolButtonStyle.ToolButtonTextBesideIcon, Qt.ToolButtonStyle.ToolButtonIconOnly
        row = self.layout()
        for spare in range(3):
            self.name.setVisible(spare == 0)
            self.device.setToolButtonStyle(beside if spare == 0 else alone)
            for tab in self.tabs:
                tab.setToolButtonStyle(beside if spare < 2 else alone)
            if row is None or row.minimumSize().width() <= self.width():
                return

    def pick(self, index: int) -> None:
        """Mark the tab of the pane on view."""
        self.tabs[index].setChecked(True)

    def show_facts(self, facts: RunFacts | None) -> None:
        """What the last run ran on, from the live session; and why not on the GPU."""
        self._told = facts is not None
        if facts is None:
            self.device.setText(" " + self.tr("no model loaded"))
            self.device.setToolTip(self.tr("The first Generate opens the model and says here what it runs on."))
            return
        name = PROVIDERS.get(facts.provider, facts.provider.removesuffix("ExecutionProvider"))
        self.device.setText(f" {name}")
        # A reason is shown by another mark as well: colour alone says nothing to some.
        self.device.setIcon(icon("warning" if facts.reason else "chip", "warn" if facts.reason else "good"))
        self.device.setToolTip(facts.reason or self.tr("The last picture was made on this device."))
        self.device.setAccessibleDescription(facts.reason)
        self._fit()

    def show_waiting(self, count: int) -> None:
        """How many jobs run or wait."""
        self.queue.setText(f" {count}" if count else "")
        self.queue.setAccessibleDescription(self.tr("{0} jobs").format(count))

    def show_busy(self, busy: bool) -> None:
        """The busy mark."""
        self.busy.setText(self.tr("working…") if busy else "")
        if busy and not self._told:
            self.device.setText(" " + self.tr("model in use"))

    def _make_tab(self, index: int, label: str, mark: str) -> QToolButton:
        tab = QToolButton()
        tab.setText(f" {label}")
        tab.setIcon(icon(mark))
        tab.setIconSize(square(16))
        tab.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        tab.setProperty("tab", "true")
        tab.setCheckable(True)
        tab.setAccessibleName(label)
        tab.setToolTip(f"{label} (Ctrl+{index + 1})")
        return tab

    def _badge(self, mark: str, label: str, *, keys: str = "", run: Callable[[], object] | None = None) -> QToolButton:
        badge = tool_button(mark, label, run, keys=keys)
        badge.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        return badge
