"""Where a job stands, in words: "12/20" and a smoothed time left after three steps."""

import time
from collections.abc import Callable

_SMOOTHING = 0.3
_WARM_UP = 3


class Progress:
    """Counts steps of one job.

    Args:
        clock: seconds that only grow; replaced in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.restart()

    def restart(self) -> None:
        """A new job."""
        self.index, self.total, self.seen = 0, 0, 0
        self._last_s = self._clock()
        self._step_s = 0.0

    def step(self, index: int, total: int) -> None:
        """Step ``index`` of ``total`` is done."""
        now_s = self._clock()
        took_s = now_s - self._last_s
        self._last_s = now_s
        self.index, self.total = index, total
        self.seen += 1
        if self.seen == 1:
            return  # the first step also loads the model: it says nothing of the next ones
        self._step_s = took_s if self.seen == 2 else (1 - _SMOOTHING) * self._step_s + _SMOOTHING * took_s

    @property
    def left_s(self) -> float | None:
        """Seconds left, or None while too little is known."""
        if self.seen < _WARM_UP or self.total <= 0:
            return None
        return max(0.0, (self.total - self.index) * self._step_s)

    @property
    def words(self) -> str:
        """Such as ``12/20 · 3 s left``; empty before the first step."""
        if self.total <= 0:
            return ""
        left_s = self.left_s
        count = f"{self.index}/{self.total}"
        return count if left_s is None else f"{count} · {duration(left_s)} left"


def duration(seconds: float) -> str:
    """Seconds for people: ``<1 s``, ``12 s``, ``3 min``, ``2 h 5 min``."""
    if seconds < 1:
        return "<1 s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
