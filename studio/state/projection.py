"""Find a picture's place in the latent space of a model that can encode."""

from collections.abc import Callable
from typing import Any, Protocol

from PySide6.QtCore import QObject, Qt, Signal

from studio.core.errors import StudioError
from studio.core.events import Pixels
from studio.state.notices import Notices


class Encoder(Protocol):
    """What projection needs of the engine."""

    def encode_picture(self, package_id: str, pixels: Pixels) -> tuple[float, ...]:
        """The place of a picture in the latent space of a model."""
        ...


class EncoderLane(Protocol):
    """What projection needs of `studio.workers.lane.Lane`."""

    def call(self, work: Callable[[Any], None]) -> None:
        """Run ``work(engine)`` on the lane's thread."""
        ...


class Projection(QObject):
    """Asks the lane's engine for places; answers on the main thread."""

    _answered = Signal(object, object)

    def __init__(self, lane: EncoderLane, *, notices: Notices, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lane = lane
        self._notices = notices
        self._answered.connect(self._on_lane_answered, Qt.ConnectionType.QueuedConnection)

    def project(self, package_id: str, pixels: Pixels, done: Callable[[tuple[float, ...]], None]) -> None:
        """Call ``done`` with the place of ``pixels``; an error becomes a notice."""

        def work(engine: Encoder) -> None:
            try:
                answer: object = engine.encode_picture(package_id, pixels)
            except StudioError as error:
                answer = error
            self._answered.emit(answer, done)

        self._lane.call(work)

    def _on_lane_answered(self, answer: object, done: Callable[[object], None]) -> None:
        if isinstance(answer, StudioError):
            self._notices.post_error(answer)
        else:
            done(answer)
