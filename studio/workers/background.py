"""File and model work off the main thread, results back on it."""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from studio.core.errors import CancelledError, StudioError

_log = logging.getLogger(__name__)


class Background(QObject):
    """A small pool of threads. Callbacks always run on the thread that owns this object (the main thread).

    Args:
        threads: how many pieces of work at a time; 1 keeps them in order.
        parent: Qt owner.
    """

    _finished = Signal(object, object)

    def __init__(self, threads: int = 2, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="reverie-background")
        self._closed = False
        # An emit from a pool thread is queued to the thread that owns this object.
        self._finished.connect(self._on_pool_finished, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None] | None = None,
        failed: Callable[[StudioError], None] | None = None,
    ) -> None:
        """Run ``work`` on a pool thread, then ``done(result)`` or ``failed(error)`` on the owner's thread.

        An error outside the `StudioError` tree is logged and handed over as a `StudioError` that says so.
        """
        if self._closed:
            return

        def on_done(future: Future[Any]) -> None:
            if not self._closed and not future.cancelled():
                self._finished.emit(future, (done, failed))

        self._pool.submit(work).add_done_callback(on_done)

    def close(self) -> None:
        """Wait for running work, drop waiting work, deliver nothing more."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _on_pool_finished(self, future: Future[Any], callbacks: tuple[Any, Any]) -> None:
        if self._closed:
            return
        done, failed = callbacks
        error = future.exception()
        if error is None:
            if done is not None:
                done(future.result())
            return
        if isinstance(error, CancelledError):
            return
        if not isinstance(error, StudioError):
            _log.error("unexpected error in background work", exc_info=error)
            error = StudioError(f"Something unexpected went wrong: {error}.", "The log has the details.")
        if failed is not None:
            failed(error)
        else:
            _log.warning("%s", error)
