"""Undo and redo of immutable values."""

from typing import Generic, TypeVar

Value = TypeVar("Value")
LIMIT = 200
"""Steps kept; the oldest are forgotten first."""


class History(Generic[Value]):
    """A line of values. Changes with the same ``key`` in a row, while a drag is on, count as one step.

    Args:
        value: where it starts.
    """

    def __init__(self, value: Value) -> None:
        self._past: list[Value] = []
        self._future: list[Value] = []
        self._value = value
        self._key = ""
        self._held = False

    @property
    def value(self) -> Value:
        """The present value."""
        return self._value

    @property
    def can_undo(self) -> bool:
        """True when there is something to go back to."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """True when something was undone and nothing changed since."""
        return bool(self._future)

    def push(self, value: Value, *, key: str = "") -> None:
        """Make ``value`` the present one. A non-empty ``key`` equal to the last one, in a drag, replaces it."""
        if not (self._held and key and key == self._key):
            self._past.append(self._value)
            del self._past[:-LIMIT]
        self._key = key
        self._future.clear()
        self._value = value

    def hold(self) -> None:
        """A drag begins: changes of one key become one step until `release`."""
        self._held, self._key = True, ""

    def release(self) -> None:
        """The drag is over."""
        self._held, self._key = False, ""

    def undo(self) -> Value:
        """Go back one step and return the present value."""
        if self._past:
            self._future.append(self._value)
            self._value = self._past.pop()
            self._key = ""
        return self._value

    def redo(self) -> Value:
        """Take back an undo and return the present value."""
        if self._future:
            self._past.append(self._value)
            self._value = self._future.pop()
            self._key = ""
        return self._value

    def restart(self, value: Value) -> None:
        """Forget everything and start from ``value``."""
        self.__init__(value)
