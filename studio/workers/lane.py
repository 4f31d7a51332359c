"""The inference lane: one Python thread, one queue, one engine. The seam to change if generation leaves the process."""

import logging
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from PySide6.QtCore import QObject, Qt, Signal

from studio.core.cancel import CancelToken
from studio.core.errors import CancelledError, StudioError
from studio.core.events import Event
from studio.core.requests import Request

_log = logging.getLogger(__name__)


class Engine(Protocol):
    """What the lane drives; `studio.runtime.engine.Engine` or a scripted fake."""

    def run(self, request: Request, cancel: CancelToken) -> Iterator[Event]:
        """Yield events until the request is done; raises `StudioError`."""
        ...


@dataclass(frozen=True, eq=False)
class Ticket:
    """A piece of work in the lane. ``key`` is empty for a normal job and names the control for a live one."""

    request: Request
    on_event: Callable[[Event], None]
    on_end: Callable[[StudioError | None], None]
    key: str = ""
    token: CancelToken = field(default_factory=CancelToken)


class Lane(QObject):
    """Runs requests one after another on its own thread; callbacks run on the owner's (main) thread.

    Args:
        make_engine: called once, on the lane's thread, before the first request: heavy imports happen there.
        parent: Qt owner.
    """

    busy_changed = Signal(bool)
    _event = Signal(object, object)
    _ended = Signal(object, object)

    def __init__(self, make_engine: Callable[[], Engine], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._make_engine = make_engine
        self._engine: Engine | None = None
        self._work: queue.SimpleQueue[Ticket | Callable[[Engine], None] | None] = queue.SimpleQueue()
        self._live: dict[str, Ticket] = {}
        self._current: Ticket | None = None
        self._lock = threading.Lock()
        self._pending = 0
        self._thread: threading.Thread | None = None
        self._closed = False
        self._event.connect(self._on_lane_event, Qt.ConnectionType.QueuedConnection)
        self._ended.connect(self._on_lane_ended, Qt.ConnectionType.QueuedConnection)

    @property
    def busy(self) -> bool:
        """True while anything runs or waits."""
        return self._pending > 0

    def submit(
        self, request: Request, on_event: Callable[[Event], None], on_end: Callable[[StudioError | None], None]
    ) -> Ticket:
        """Run ``request`` after what waits already. ``on_end(None)`` means done; a `CancelledError` means stopped."""
        ticket = Ticket(request, on_event, on_end)
        self._put(ticket)
        return ticket

    def submit_live(
        self,
        key: str,
        request: Request,
        on_event: Callable[[Event], None],
        on_end: Callable[[StudioError | None], None],
    ) -> Ticket:
        """Latest wins: a waiting request of the same ``key`` is dropped; a running one finishes, so frames come."""
        ticket = Ticket(request, on_event, on_end, key=key)
        with self._lock:
            waiting = self._live.get(key)
            self._live[key] = ticket
        if waiting is not None:
            waiting.token.cancel()
        self._put(ticket)
        return ticket

    def call(self, work: Callable[[Engine], None]) -> None:
        """Run ``work(engine)`` on the lane's thread between requests (unload models, measure speed)."""
        self._start()
        self._work.put(work)

    def close(self) -> None:
        """Cancel everything and end the thread. Call before the window goes."""
        self._closed = True
        with self._lock:
            live = list(self._live.values())
        for ticket in live:
            ticket.token.cancel()
        if self._current is not None:
            self._current.token.cancel()
        if self._thread is not None:
            self._work.put(None)
            self._thread.join()
            self._thread = None

    def _put(self, ticket: Ticket) -> None:
        if self._closed:
            return
        self._start()
        self._pending += 1
        if self._pending == 1:
            self.busy_changed.emit(True)
        self._work.put(ticket)

    def _start(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._loop, name="reverie-lane", daemon=True)
            self._thread.start()

    def _loop(self) -> None:
        while (item := self._work.get()) is not None:
            if self._closed:
                continue
            if isinstance(item, Ticket):
                error = self._run(item)
                if not self._closed:
                    self._ended.emit(item, error)
            else:
                self._call(item)

    def _call(self, work: Callable[[Engine], None]) -> None:
        try:
            if self._engine is None:
                self._engine = self._make_engine()
            work(self._engine)
        except Exception:  # noqa: BLE001  one of the three places that may: the lane must live on
            _log.exception("work in the lane failed")

    def _run(self, ticket: Ticket) -> StudioError | None:
        self._current = ticket
        if self._closed:  # `close` looked for the running request before there was one
            ticket.token.cancel()
        with self._lock:
            if self._live.get(ticket.key) is ticket:
                del self._live[ticket.key]
        try:
            ticket.token.raise_if_cancelled()
            if self._engine is None:
                self._engine = self._make_engine()
            for event in self._engine.run(ticket.request, ticket.token):
                self._event.emit(ticket, event)
                ticket.token.raise_if_cancelled()
        except StudioError as error:
            return error
        except Exception as error:  # noqa: BLE001  one of the three places that may: the lane must live on
            _log.exception("unexpected error in the lane")
            return StudioError(f"Something unexpected went wrong: {error}.", "The log has the details.")
        finally:
            self._current = None
        return None

    def _on_lane_event(self, ticket: Ticket, event: Event) -> None:
        if not self._closed:
            ticket.on_event(event)

    def _on_lane_ended(self, ticket: Ticket, error: StudioError | None) -> None:
        if self._closed:
            return
        self._pending -= 1
        if error is None and ticket.token.cancelled:
            error = CancelledError()
        ticket.on_end(error)
        if self._pending == 0:
            self.busy_changed.emit(False)
