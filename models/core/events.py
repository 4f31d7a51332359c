"""The trainer's only voice: whole lines appended to ``events.jsonl``."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from studio.core.protocol import EVENTS_NAME, TrainingEvent

HEARTBEAT_S = 2.0


class Emitter:
    """Appends `TrainingEvent` lines. A full disk never stops the training: the line is dropped.

    Args:
        run: the run folder.
        heard: also called with every event, such as a progress display.
    """

    def __init__(self, run: Path, *, heard: Callable[[TrainingEvent], None] | None = None) -> None:
        self._handle = os.open(run / EVENTS_NAME, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0))
        self._heard = heard
        self._last_s = 0.0
        self._whole = self._ends_whole()

    def emit(self, event: TrainingEvent) -> None:
        """Append one line."""
        self._last_s = time.monotonic()
        # A line that a killed trainer or a full disk cut short must not swallow the next one.
        line = (b"" if self._whole else b"\n") + msgspec.json.encode(event) + b"\n"
        try:
            self._whole = os.write(self._handle, line) == len(line)
        except OSError:
            self._whole = False
        if self._heard is not None:
            self._heard(event)

    def heartbeat(self) -> None:
        """Append a heartbeat when nothing else was said for `HEARTBEAT_S`."""
        if time.monotonic() - self._last_s >= HEARTBEAT_S:
            self.emit(TrainingEvent("heartbeat", time.time()))

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    def _ends_whole(self) -> bool:
        size = os.lseek(self._handle, 0, os.SEEK_END)
        if size == 0:
            return True
        os.lseek(self._handle, size - 1, os.SEEK_SET)
        return os.read(self._handle, 1) == b"\n"
