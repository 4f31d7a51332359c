"""Tells the desktop that a long job or a training is over, while the artist works in another window."""

from collections.abc import Callable
from time import monotonic
from typing import Protocol

from PySide6.QtCore import QObject
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

from studio.core.jobs import Job
from studio.state.notices import Notice, Notices
from studio.state.queue import QueueState
from studio.ui.icons import icon

LONG_S = 20.0
"""Shorter jobs end before anybody has gone away."""
SHOWN_MS = 10_000


class Teller(Protocol):
    """Shows words outside of the window."""

    def tell(self, title: str, text: str) -> None:
        """Show a title and a sentence."""
        ...


class TrayTeller:
    """The desktop's notification area; where there is none, the window asks for attention in the task bar."""

    def __init__(self, window: QWidget, picture: Callable[[], QIcon] = lambda: icon("sparkle", "accent")) -> None:
        self._window = window
        self._picture = picture
        self._tray: QSystemTrayIcon | None = None

    def tell(self, title: str, text: str) -> None:
        """Show a message; the icon stays in the tray only until the window is in front again."""
        QApplication.alert(self._window)
        if not QSystemTrayIcon.isSystemTrayAvailable():
            return
        if self._tray is None:
            self._tray = QSystemTrayIcon(self._picture(), self._window)
            self._tray.setToolTip("Reverie")
            self._tray.messageClicked.connect(self._on_clicked)
            self._tray.activated.connect(lambda _reason: self._on_clicked())
        self._tray.show()
        self._tray.showMessage(title, text, self._picture(), SHOWN_MS)

    def _on_clicked(self) -> None:
        if self._tray is not None:
            self._tray.hide()
        self._window.showNormal() if self._window.isMinimized() else self._window.show()
        self._window.raise_()
        self._window.activateWindow()


class DesktopNotices(QObject):
    """Passes on what ends while the window is not in front: jobs of more than `LONG_S`, good and bad news.

    Args:
        window: the window, and the owner of this object.
        notices: what is said in the window; trainings and failures speak through it.
        queue: whose long jobs are told.
        teller: shows the words; the desktop's tray when None.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        window: QWidget,
        *,
        notices: Notices,
        queue: QueueState,
        teller: Teller | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._teller = teller or TrayTeller(window)
        self._clock = clock
        self._begun: dict[int, float] = {}
        notices.posted.connect(self._on_notices_posted)
        queue.job_changed.connect(self._on_queue_job_changed)

    def _on_notices_posted(self, notice: Notice) -> None:
        if notice.level in ("success", "error"):
            self._tell(notice.text, notice.hint)

    def _on_queue_job_changed(self, job: Job) -> None:
        if job.state == "running":
            self._begun.setdefault(job.id, self._clock())
            return
        begun = self._begun.pop(job.id, None)
        if begun is None or job.state != "done" or self._clock() - begun < LONG_S:
            return  # a failure is told by its notice
        request = job.request
        made = self.tr("The film is ready.")
        if not request.path:
            made = self.tr("{0} pictures are ready.").format(request.count)
            made = self.tr("The picture is ready.") if request.count == 1 else made
        self._tell(made, "")

    def _tell(self, text: str, more: str) -> None:
        if not self._window.isActiveWindow():
            self._teller.tell("Reverie", f"{text} {more}".strip())
