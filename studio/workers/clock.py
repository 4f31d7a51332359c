"""Calls after a while, for those who may not own timers."""

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer


class Clock(QObject):
    """Runs callables later on the thread that owns it. Everything still waiting ends with it."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._closed = False

    def later(self, delay_ms: int, call: Callable[[], object]) -> Callable[[], None]:
        """Run ``call`` once after ``delay_ms``; the returned function takes it back."""
        timer = QTimer(self)
        timer.setSingleShot(True)

        waiting = [timer]

        def fire() -> None:
            waiting.clear()
            timer.deleteLater()
            call()

        def forget() -> None:
            if waiting:  # once fired there is no timer to stop any more
                waiting.clear()
                timer.stop()
                timer.deleteLater()

        timer.timeout.connect(fire)
        if not self._closed:
            timer.start(delay_ms)
        return forget

    def close(self) -> None:
        """Nothing that waits is called any more."""
        self._closed = True
        for timer in self.findChildren(QTimer):
            timer.stop()
