"""Parameters that describe themselves: form, tooltip, check and command-line flag come from one value."""

from typing import Literal

import msgspec

from studio.core.errors import BadInputError

Value = bool | int | float | str
"""What a control can hold."""

Kind = Literal["int", "float", "choice", "bool", "text"]


class Param(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One control of a model or one setting of a run.

    Attributes:
        name: key in ``ImageRequest.controls``; also the command-line flag (``--name``).
        kind: ``int``, ``float``, ``choice``, ``bool`` or ``text``.
        default: value of a reset.
        label: what the artist reads; plain words.
        help: one sentence on what it changes.
        low, high, step: range and step, in ``unit``; numbers only.
        unit: such as ``steps``, ``px``, ``%``; may be empty.
        choices: allowed values of a ``choice``.
        group: heading in the form; ``Advanced`` is folded, ``Attributes`` stands under its own heading.
    """

    name: str
    kind: Kind
    default: Value
    label: str
    help: str = ""
    low: float = 0.0
    high: float = 1.0
    step: float = 0.0
    unit: str = ""
    choices: tuple[str, ...] = ()
    group: str = ""

    def __post_init__(self) -> None:
        if self.kind in ("int", "float") and self.low > self.high:
            raise ValueError(f"control {self.name!r}: low {self.low} is above high {self.high}")
        if self.kind == "choice" and self.default not in self.choices:
            raise ValueError(f"control {self.name!r}: default {self.default!r} is not one of its choices")

    def checked(self, value: Value) -> Value:
        """Return ``value`` as this control's type, or raise `BadInputError` with the allowed range in it."""
        if self.kind == "bool":
            if isinstance(value, bool):
                return value
            if str(value).lower() in ("true", "false", "1", "0", "yes", "no"):
                return str(value).lower() in ("true", "1", "yes")
            raise BadInputError(f"{self.label} takes yes or no, not {value!r}.")
        if self.kind == "text":
            return str(value)
        if self.kind == "choice":
            if str(value) in self.choices:
                return str(value)
            raise BadInputError(f"{self.label} cannot be {value!r}.", f"Choose one of: {', '.join(self.choices)}.")
        return self._checked_number(value)

    def _checked_number(self, value: Value) -> Value:
        try:
            number = float(value)
        except ValueError:
            raise BadInputError(f"{self.label} takes a number, not {value!r}.") from None
        if not self.low <= number <= self.high:  # also refuses NaN
            unit = f" {self.unit}" if self.unit else ""
            raise BadInputError(
                f"{self.label} is {number:g}, outside {self.low:g} to {self.high:g}{unit}.",
                "Choose a value inside the range.",
            )
        return round(number) if self.kind == "int" else number


def checked_values(params: tuple[Param, ...], values: dict[str, Value]) -> dict[str, Value]:
    """Every control of ``params`` with its checked value; absent ones get their default.

    Raises:
        BadInputError: a value is out of range, or a name is unknown to this model.
    """
    known = {param.name: param for param in params}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise BadInputError(
            f"This model has no control called {', '.join(unknown)}.",
            f"It has: {', '.join(known) or 'none'}.",
        )
    return {name: param.checked(values.get(name, param.default)) for name, param in known.items()}
