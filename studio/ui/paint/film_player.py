"""Plays the film that was just made in the viewer, round and round, until another picture is shown."""

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from studio.state.paint import PaintState
from studio.ui import theme

Later = Callable[[int, Callable[[], None]], Callable[[], None]]
"""`studio.workers.clock.Clock.later`: run once after so many ms; returns how to take it back."""


class FilmPlayer(QObject):
    """Signals: frame(object): the next picture."""

    frame = Signal(object)

    def __init__(self, state: PaintState, later: Later, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._later = later
        self._forget: Callable[[], None] = lambda: None
        self._index = 0
        state.results.film_changed.connect(self._on_film_changed)

    @property
    def playing(self) -> bool:
        """True while a film is on view."""
        return bool(self._state.results.film)

    def _on_film_changed(self) -> None:
        self._forget()
        self._index = 0
        # With reduced motion the last frame stays; the gallery plays the film on request.
        if self._state.results.film and not theme.reduced_motion():
            self._show_next()

    def _show_next(self) -> None:
        film = self._state.results.film
        if not film:
            return
        self.frame.emit(film[self._index % len(film)])
        self._index += 1
        self._forget = self._later(round(1000 / max(1, self._state.values.fps)), self._show_next)
