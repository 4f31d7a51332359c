"""How long the window's event loop is held up: the gap between ticks of a 5 ms timer."""

import time
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QEventLoop, QObject, Qt, QTimer

TICK_MS = 5


@dataclass(frozen=True)
class Gaps:
    """Gaps between timer ticks in milliseconds: 50th and 99th percentile and the largest, over ``count`` ticks."""

    p50_ms: float
    p99_ms: float
    max_ms: float
    count: int


class GapMeter(QObject):
    """Records when a 5 ms timer really fires."""

    def __init__(self) -> None:
        super().__init__()
        self._timer = QTimer(self, timerType=Qt.TimerType.PreciseTimer, interval=TICK_MS)
        self._timer.timeout.connect(self._on_timer_timeout)
        self._last_s = 0.0
        self._gaps_ms: list[float] = []

    def start(self) -> None:
        """Begin to record."""
        self._gaps_ms.clear()
        self._last_s = time.perf_counter()
        self._timer.start()

    def stop(self) -> Gaps:
        """End and give the figures."""
        self._timer.stop()
        gaps = sorted(self._gaps_ms)
        if not gaps:
            return Gaps(0.0, 0.0, 0.0, 0)

        def at(share: float) -> float:
            return gaps[min(len(gaps) - 1, int(share * len(gaps)))]

        return Gaps(at(0.5), at(0.99), gaps[-1], len(gaps))

    def _on_timer_timeout(self) -> None:
        now = time.perf_counter()
        self._gaps_ms.append((now - self._last_s) * 1000)
        self._last_s = now


def spin(seconds: float) -> None:
    """Run the event loop for ``seconds``."""
    loop = QEventLoop()
    timer = QTimer(timerType=Qt.TimerType.PreciseTimer, singleShot=True)
    timer.timeout.connect(loop.quit)
    timer.start(int(seconds * 1000))
    loop.exec()


def spin_until(done: "list[object]", *, count: int = 1, timeout_s: float = 120.0) -> bool:
    """Run the event loop until ``done`` holds ``count`` things; False after ``timeout_s``."""
    end = time.monotonic() + timeout_s
    while len(done) < count and time.monotonic() < end:
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 20)
    return len(done) >= count
