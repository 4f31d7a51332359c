"""The big button: Generate, or Stop while something runs, with where it stands."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QSizePolicy, QVBoxLayout, QWidget

from studio.state.paint_results import PaintResults
from studio.ui import theme
from studio.ui.buttons import push_button, tool_button
from studio.ui.icons import icon


class MakeBar(QWidget):
    """Generate/Stop, progress, and "add to the queue" while something runs.

    Signals:
        main_pressed(): the big button. queue_pressed(): one more behind what runs.
    """

    main_pressed = Signal()
    queue_pressed = Signal()

    def __init__(self, results: PaintResults) -> None:
        super().__init__()
        self._results = results
        self.button = push_button("", self.main_pressed.emit, primary=True)
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button.setMinimumHeight(theme.px(44))
        self.queue = tool_button("queue", self.tr("Add to the queue"), self.queue_pressed.emit)
        self.queue.setMinimumHeight(theme.px(40))
        self.words = theme.label("", "number")
        self.words.setAccessibleName(self.tr("Progress"))
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(self.tr("Progress"))
        row = QHBoxLayout()
        row.setSpacing(theme.SPACE // 2)
        row.addWidget(self.button)
        row.addWidget(self.queue)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.GAP, theme.SPACE, theme.GAP, theme.GAP)
        column.setSpacing(theme.SPACE // 2 + 2)
        column.addWidget(self.words)
        column.addWidget(self.bar)
        column.addLayout(row)
        results.progress_changed.connect(self.refresh)
        self._stopping = False
        self._enabled = True
        self.refresh()

    def set_available(self, available: bool) -> None:
        """Whether there is a model to generate with."""
        self._enabled = available
        self.refresh()

    def refresh(self) -> None:
        """Show where the job stands."""
        running, waiting = self._results.running, self._results.waiting
        progress = self._results.progress
        busy = running is not None
        self.bar.setVisible(busy)
        self.queue.setVisible(busy)
        self.bar.setRange(0, progress.total if busy else 1)
        self.bar.setValue(progress.index if busy else 0)
        words = (progress.words or self.tr("Starting…")) if busy else ""
        if waiting:
            more = self.tr("{0} waiting").format(waiting)
            words = f"{words} · {more}" if words else more
        self.words.setText(words)
        self.words.setVisible(bool(words))
        self.button.setEnabled(busy or self._enabled)
        if self.button.property("busy") != busy:
            self.button.setProperty("busy", busy)
            words = self.tr("Stop") if busy else self.tr("Generate")
            self.button.setText(f" {words}")
            self.button.setAccessibleName(words)
            self.button.setIcon(icon("stop" if busy else "sparkle", "bad" if busy else "on_accent"))
            self.button.setToolTip(
                self.tr("Stop; what is done is kept (Esc)") if busy else self.tr("Make pictures (Ctrl+Enter)")
            )
            theme.mark(self.button, "primary", "false" if busy else "true")
            theme.mark(self.button, "danger", "true" if busy else "false")
