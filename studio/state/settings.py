"""The settings as the window sees them: change one, and it is heard and saved."""

import msgspec
from PySide6.QtCore import QObject, Signal

from studio.core.errors import StorageError
from studio.core.settings import Settings
from studio.runtime.settings_store import SettingsStore
from studio.state.notices import Notice, Notices
from studio.workers.background import Background


class SettingsState(QObject):
    """Holds the artist's settings.

    Signals:
        changed(object): the new `Settings`.
    """

    changed = Signal(object)

    def __init__(
        self, store: SettingsStore, *, background: Background, notices: Notices, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._background = background
        self._notices = notices
        loaded = store.load()
        self._value = loaded.settings
        self._problem = loaded.problem
        self._saving = False
        self._unsaved = False
        self._number = 0

    @property
    def value(self) -> Settings:
        """The settings in use."""
        return self._value

    def tell_problem(self) -> None:
        """Post what was wrong with the settings file at start, once somebody listens."""
        if self._problem:
            self._notices.post(Notice(self._problem, "Your pictures and models are untouched.", "warning"))
            self._problem = ""

    def change(self, changes: dict[str, object]) -> None:
        """Replace the named settings; a value that the settings refuse is told and changes nothing."""
        try:
            merged = msgspec.structs.asdict(self._value) | changes
            value = msgspec.convert(merged, Settings)
        except (msgspec.ValidationError, ValueError) as error:
            self._notices.post(Notice(f"This setting cannot be used: {error}.", level="error"))
            return
        if value == self._value:
            return
        self._value = value
        self._number += 1
        self.changed.emit(value)
        self._unsaved = True
        self._save()

    def flush(self) -> None:
        """Write what is not saved yet, now; called when the window closes."""
        if self._unsaved:
            try:
                self._store.save(self._value, number=self._number)
                self._unsaved = False
            except StorageError as error:
                self._notices.post_error(error)

    def _save(self) -> None:
        if self._saving or not self._unsaved:
            return
        self._saving, self._unsaved = True, False
        value, number = self._value, self._number
        self._background.run(lambda: self._store.save(value, number=number), self._on_save_done, self._on_save_failed)

    def _on_save_done(self, _: object) -> None:
        self._saving = False
        self._save()

    def _on_save_failed(self, error: Exception) -> None:
        self._saving = False
        self._notices.post(Notice(str(error), "The change holds until you close Reverie.", "error"))
