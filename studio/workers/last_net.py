"""The last net: what Qt says and what nobody caught is logged, told, and the window goes on."""

import logging
import sys
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QtMsgType, qInstallMessageHandler

from studio.core.errors import StudioError

_log = logging.getLogger(__name__)
_LEVELS = {QtMsgType.QtDebugMsg: logging.DEBUG, QtMsgType.QtInfoMsg: logging.INFO}


def spread(tell: Callable[[StudioError], None], leave: Callable[[], None]) -> None:
    """Catch what is left over from now on.

    Args:
        tell: shows an error to the artist.
        leave: ends the application; called for Ctrl+C in the terminal.
    """

    def hook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            leave()
            return
        _log.error("unexpected error", exc_info=(kind, error, trace))
        known = error if isinstance(error, StudioError) else None
        tell(known or StudioError(f"Something unexpected went wrong: {error}.", "The log has the details."))

    sys.excepthook = hook
    qInstallMessageHandler(_on_qt_message)


def fold() -> None:
    """Take the net away."""
    sys.excepthook = sys.__excepthook__
    qInstallMessageHandler(None)


def _on_qt_message(kind: QtMsgType, _context: object, message: str) -> None:
    logging.getLogger("studio.qt").log(_LEVELS.get(kind, logging.WARNING), "%s", message)
