"""A cancel token: set by whoever waits, read by whoever works, at every step."""

import threading
from collections.abc import Callable

from studio.core.errors import CancelledError


class CancelToken:
    """Asks running work to stop. Safe to use from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """True once `cancel` was called."""
        return self._event.is_set()

    def cancel(self) -> None:
        """Ask for a stop; calls what was given to `on_cancel`, once."""
        with self._lock:
            self._event.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` when cancelled (at once when already so). Returns a function that takes it back."""
        with self._lock:
            if not self._event.is_set():
                self._callbacks.append(callback)

                def forget() -> None:
                    with self._lock:
                        if callback in self._callbacks:
                            self._callbacks.remove(callback)

                return forget
        callback()
        return lambda: None

    def raise_if_cancelled(self) -> None:
        """Raise `CancelledError` when a stop was asked for."""
        if self._event.is_set():
            raise CancelledError
