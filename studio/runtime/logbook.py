"""The log on disk: rotating, beside the database, with a trace when the process dies."""

import faulthandler
import logging
import logging.handlers
from contextlib import suppress
from pathlib import Path
from typing import TextIO

FILE_BYTES = 1_000_000
FILES = 3
_FORMAT = "%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"


class _QuietHandler(logging.handlers.RotatingFileHandler):
    """Loses a line that cannot be written instead of printing a traceback about it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the name is the library's
        """Do nothing."""


class Logbook:
    """Writes warnings of everything and more of ours below ``folder``. A full disk disturbs nobody."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handler: logging.Handler | None = None
        self._crash: TextIO | None = None

    def open(self) -> None:
        """Begin to write; without a folder to write to, nothing is written."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handler = _QuietHandler(
                self._folder / "reverie.log", maxBytes=FILE_BYTES, backupCount=FILES - 1, encoding="utf-8", delay=True
            )
            self._crash = (self._folder / "crash.txt").open("a", encoding="utf-8")
        except OSError:
            return
        handler.setFormatter(logging.Formatter(_FORMAT))
        self._handler = handler
        logging.getLogger().addHandler(handler)
        logging.getLogger("studio").setLevel(logging.INFO)
        faulthandler.enable(self._crash)

    def close(self) -> None:
        """Stop writing."""
        if self._handler is not None:
            logging.getLogger().removeHandler(self._handler)
            with suppress(OSError):  # what still waited in memory does not fit on a full disk
                self._handler.close()
            self._handler = None
        if self._crash is not None:
            faulthandler.disable()
            with suppress(OSError):
                self._crash.close()
            self._crash = None
