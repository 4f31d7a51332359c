"""What the window and the system ask of a running trainer."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import msgspec

from studio.core.dataset import ITEMS_NAME
from studio.core.errors import CancelledError
from studio.core.protocol import CONTROL_NAME, Control

POLL_S = 0.25
_WATCH_S = 2.0


class Steering:
    """Reads ``control.json`` at most every `POLL_S` and remembers a request to terminate.

    Args:
        run: the run folder.
        since_s: time of the start; an older control.json is of an earlier start, and its wishes are void.
    """

    def __init__(self, run: Path, *, since_s: float = 0.0) -> None:
        self.terminated = False
        self._path = run / CONTROL_NAME
        self._since_s = since_s
        self._next_s = 0.0
        self._control = Control()
        earlier = self._read()
        stale = self._stale()
        self._samples = earlier.sample_requests if stale else 0
        self._exports = earlier.export_requests if stale else 0

    @property
    def stopping(self) -> bool:
        """Stop was asked for, by the window or the system."""
        return self.terminated or self._current().action == "stop"

    @property
    def pausing(self) -> bool:
        """Pause was asked for."""
        return self._current().action == "pause"

    def take_sample_request(self) -> bool:
        """True once for each growth of ``sample_requests``."""
        asked, self._samples = self._current().sample_requests > self._samples, self._current().sample_requests
        return asked

    def take_export_request(self) -> bool:
        """True once for each growth of ``export_requests``."""
        asked, self._exports = self._current().export_requests > self._exports, self._current().export_requests
        return asked

    def _current(self) -> Control:
        now = time.monotonic()
        if now >= self._next_s:
            self._next_s = now + POLL_S
            control = self._read()
            if self._stale():
                control = Control("run", control.sample_requests, control.export_requests)
            self._control = control
        return self._control

    def _read(self) -> Control:
        """The wish in the file; the last one while the file is missing or half written by a foreign tool."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Control)
        except (OSError, msgspec.MsgspecError, ValueError):
            return self._control

    def _stale(self) -> bool:
        try:
            return self._path.stat().st_mtime < self._since_s
        except OSError:
            return False


class DatasetWatch:
    """Notices that the data set on the disk is no longer the one in memory.

    Args:
        folder: the prepared data set.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / ITEMS_NAME
        self._known = self._mark()
        self._next_s = 0.0
        self._trouble = ""

    def trouble(self) -> str:
        """A sentence while the data set is gone or changed; empty when it is as it was."""
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _WATCH_S
            self._trouble = self._look()
        return self._trouble

    def _look(self) -> str:
        mark = self._mark()
        if mark is None:
            return f"The data set at {self._path.parent} is gone; bring it back to go on."
        if mark != self._known:
            return f"The data set at {self._path.parent} was changed; undo the change to go on, or start a new run."
        return ""

    def _mark(self) -> tuple[int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_size, stat.st_mtime_ns


class _AbandonError(BaseException):
    """Not an `Exception`, so that no library in between takes it for a failure of its own and tries something else."""


@contextmanager
def terminable(steering: Steering) -> Iterator[None]:
    """Within it SIGTERM and Ctrl+C ask ``steering`` to end the run after a checkpoint. Main thread only."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        steering.terminated = True

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def abandonable(steering: Steering) -> Iterator[None]:
    """Within it a wish to stop ends the work at once, between two Python instructions; for work that can be done again.

    Windows has no interval timer: there the work goes on to its end, and whoever cannot wait ends the process, which
    loses nothing either.

    Raises:
        CancelledError: stop was asked for.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return

    def on_alarm(_number: int, _frame: FrameType | None) -> None:
        if steering.stopping:
            raise _AbandonError

    before = signal.signal(signal.SIGALRM, on_alarm)
    try:
        signal.setitimer(signal.ITIMER_REAL, POLL_S, POLL_S)
        yield
    except _AbandonError:
        raise CancelledError from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
