"""The queue as a list: what runs, what waits, what came of it, and buttons that change it."""

from collections.abc import Callable

from PySide6.QtCore import QItemSelectionModel, QSize, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from studio.core.errors import StudioError
from studio.core.events import Event, FrameMade, Step
from studio.core.jobs import FINAL_STATES, Job
from studio.state.queue import QueueState
from studio.ui import theme
from studio.ui.icons import icon

_JOB_ROLE = int(Qt.ItemDataRole.UserRole)
_ICONS = {"running": "play", "waiting": "pause", "done": "check", "failed": "error", "cancelled": "stop"}
_JOB, _STATE, _PROGRESS = range(3)
_ROW_PX = 28


def job_words(job: Job, model: str = "") -> str:
    """What a job makes, in a few words; ``model`` is the name of its model."""
    model = model or job.request.package
    request = job.request
    if request.path:
        return f"{model}, film ({request.film_format.upper()})"
    pictures = "1 picture" if request.count == 1 else f"{request.count} pictures"
    return f"{model}, {pictures}, seed {request.seed}"


class QueuePanel(QWidget):
    """Jobs in order. Del cancels, Ctrl+R tries again, Ctrl+Up and Ctrl+Down change the order, Ctrl+Home runs next."""

    def __init__(
        self,
        state: QueueState,
        parent: QWidget | None = None,
        *,
        describe: Callable[[str], str] = str,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._describe = describe
        self._items: dict[int, QTreeWidgetItem] = {}
        self._bar: QProgressBar | None = None
        self._bar_job = 0
        self.list = self._make_list()
        self._empty = theme.label(
            self.tr("Nothing waits. What you generate runs here, one job after another."), "hint", wrap=True
        )
        self._empty.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(*[theme.px(theme.SPACE)] * 4)
        column.addWidget(theme.label(self.tr("Queue"), "subtitle"))
        column.addWidget(self.list, 1)
        column.addWidget(self._empty, 1)
        column.addLayout(self._make_buttons())
        state.changed.connect(self.refresh)
        state.event.connect(self._on_state_event)  # pyright: ignore[reportAttributeAccessIssue]
        self.refresh()

    def refresh(self) -> None:
        """Show the jobs as they are; what is chosen stays chosen."""
        chosen = self.chosen()
        jobs = self._state.jobs()
        if [job.id for job in jobs] != list(self._items):
            self._drop_bar()
            self.list.clear()
            self._items = {job.id: QTreeWidgetItem(self.list) for job in jobs}
        for job in jobs:
            self._fill(self._items[job.id], job)
        for job_id in chosen:
            if job_id in self._items:
                # Without NoUpdate a Ctrl that is still held would turn the selection over.
                self.list.setCurrentItem(self._items[job_id], _JOB, QItemSelectionModel.SelectionFlag.NoUpdate)
                self._items[job_id].setSelected(True)
        self.list.setVisible(bool(jobs))
        self._empty.setVisible(not jobs)
        self._enable()

    def chosen(self) -> list[int]:
        """Ids of the chosen jobs."""
        return [int(item.data(_JOB, _JOB_ROLE)) for item in self.list.selectedItems()]

    def _make_list(self) -> QTreeWidget:
        made = QTreeWidget()
        made.setColumnCount(3)
        made.setHeaderLabels([self.tr("Job"), self.tr("State"), self.tr("Progress")])
        made.setRootIsDecorated(False)
        made.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        made.setAllColumnsShowFocus(True)
        made.setAccessibleName(self.tr("Queue"))
        made.setTextElideMode(Qt.TextElideMode.ElideRight)
        made.header().setStretchLastSection(False)
        made.header().setSectionResizeMode(_JOB, QHeaderView.ResizeMode.Stretch)
        made.header().setSectionResizeMode(_STATE, QHeaderView.ResizeMode.ResizeToContents)
        made.header().setSectionResizeMode(_PROGRESS, QHeaderView.ResizeMode.Fixed)
        made.setColumnWidth(_PROGRESS, theme.px(96))
        made.itemSelectionChanged.connect(self._enable)
        return made

    def _make_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self._cancel = self._button("stop", self.tr("Cancel"), "Del", self._on_cancel_clicked, row)
        self._retry = self._button("reset", self.tr("Try again"), "Ctrl+R", self._on_retry_clicked, row)
        self._front = self._button("sparkle", self.tr("Run next"), "Ctrl+Home", self._on_front_clicked, row)
        self._up = self._button("up", self.tr("Earlier"), "Ctrl+Up", self._on_up_clicked, row)
        self._down = self._button("down", self.tr("Later"), "Ctrl+Down", self._on_down_clicked, row)
        row.addStretch(1)
        self._clear = self._button("close", self.tr("Clear finished jobs"), "Ctrl+Del", self._state.clear_finished, row)
        self._clear.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)  # a cross alone would close the panel
        return row

    def _button(self, picture: str, words: str, key: str, act: Callable[[], object], row: QHBoxLayout) -> QToolButton:
        action = QAction(icon(picture), words, self)
        action.setShortcut(QKeySequence(key))
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.setToolTip(f"{words} ({key})")
        action.triggered.connect(act)
        self.addAction(action)
        button = QToolButton()
        button.setDefaultAction(action)
        button.setAccessibleName(words)
        row.addWidget(button)
        return button

    def _fill(self, item: QTreeWidgetItem, job: Job) -> None:
        words = {
            "running": self.tr("Running"),
            "waiting": self.tr("Waiting"),
            "done": self.tr("Done"),
            "failed": self.tr("Failed"),
            "cancelled": self.tr("Cancelled"),
        }[job.state]
        item.setData(_JOB, _JOB_ROLE, job.id)
        told = self._told(job)
        item.setText(_JOB, told)
        item.setSizeHint(_JOB, QSize(theme.px(80), theme.px(_ROW_PX)))
        item.setIcon(_STATE, icon(_ICONS[job.state]))
        item.setText(_STATE, words)
        count = f"{job.made}/{1 if job.request.path else job.request.count}"
        item.setText(_PROGRESS, "" if job.state == "running" else count)
        tip = job.message or f"{told}: {words}"
        for column in range(3):
            item.setToolTip(column, tip)
        item.setData(_JOB, int(Qt.ItemDataRole.AccessibleTextRole), f"{told}, {words}, {count}. {job.message}")
        if job.state == "running":
            self._show_bar(item, job)
        elif self._bar_job == job.id:
            self._drop_bar()

    def _told(self, job: Job) -> str:
        """What a job makes, with the model's name; its id once the model is gone."""
        try:
            return job_words(job, self._describe(job.request.package))
        except StudioError:
            return job_words(job)

    def _show_bar(self, item: QTreeWidgetItem, job: Job) -> None:
        if self._bar_job != job.id:
            self._drop_bar()
            self._bar, self._bar_job = QProgressBar(), job.id
            self._bar.setRange(0, max(1, job.request.count))
            self._bar.setFormat("%v/%m")
            # The tree takes the height of a row from the most its widget can be: the bar alone would squeeze the row.
            holder = QWidget()
            middle = QHBoxLayout(holder)
            middle.setContentsMargins(0, 0, theme.SPACE, 0)
            middle.addWidget(self._bar)
            self.list.setItemWidget(item, _PROGRESS, holder)
        if self._bar is not None and self._bar.maximum() == job.request.count:
            self._bar.setValue(job.made)

    def _drop_bar(self) -> None:
        item = self._items.get(self._bar_job)
        if item is not None and self._bar is not None:
            self.list.removeItemWidget(item, _PROGRESS)
        self._bar, self._bar_job = None, 0

    def _enable(self) -> None:
        jobs = {job.id: job for job in self._state.jobs()}
        states = {jobs[job_id].state for job_id in self.chosen() if job_id in jobs}
        waiting = "waiting" in states
        for button, possible in (
            (self._cancel, bool(states - FINAL_STATES)),
            (self._retry, bool(states & {"failed", "cancelled"})),
            (self._front, waiting),
            (self._up, waiting),
            (self._down, waiting),
            (self._clear, any(job.state in FINAL_STATES for job in jobs.values())),
        ):
            button.defaultAction().setEnabled(possible)

    def _each(self, act: Callable[[int], object]) -> None:
        for job_id in self.chosen():
            act(job_id)

    def _on_cancel_clicked(self) -> None:
        self._each(self._state.cancel)

    def _on_retry_clicked(self) -> None:
        self._each(self._state.retry)

    def _on_front_clicked(self) -> None:
        for job_id in reversed(self.chosen()):
            self._state.to_front(job_id)

    def _on_up_clicked(self) -> None:
        self._each(lambda job_id: self._state.move(job_id, by=-1))

    def _on_down_clicked(self) -> None:
        for job_id in reversed(self.chosen()):
            self._state.move(job_id, by=1)

    def _on_state_event(self, job_id: int, event: Event) -> None:
        """Steps move the bar of a single picture and of a film; a batch counts pictures."""
        if self._bar is None or job_id != self._bar_job or not isinstance(event, Step | FrameMade):
            return
        running = self._state.running
        if running is not None and (running.request.count == 1 or running.request.path):
            self._bar.setMaximum(max(1, event.total))
            self._bar.setValue(event.index + (1 if isinstance(event, FrameMade) else 0))
