"""Notices: what happened and what to do, shown without a modal dialog."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QObject, Signal

from studio.core.errors import CancelledError, StudioError


@dataclass(frozen=True)
class Notice:
    """One message. ``action`` is the label of a button that runs ``run``; both may be empty."""

    text: str
    hint: str = ""
    level: Literal["info", "success", "warning", "error"] = "info"
    action: str = ""
    run: Callable[[], None] | None = None


class Notices(QObject):
    """Where every view-model posts and the window listens."""

    posted = Signal(object)

    def post(self, notice: Notice) -> None:
        """Show a notice."""
        self.posted.emit(notice)

    def post_error(self, error: StudioError, *, action: str = "", run: Callable[[], None] | None = None) -> None:
        """Show an error with its hint; a `CancelledError` shows nothing."""
        if not isinstance(error, CancelledError):
            self.posted.emit(Notice(error.message, error.hint, "error", action, run))
