"""The three palettes. Text reaches 4.5:1 and graphics 3:1 on every surface they stand on (a test measures it)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Colours:
    """Colours of a theme, as ``#rrggbb``.

    Attributes:
        window: behind everything; ``panel``: side zones; ``card``: raised surfaces; ``field``: inputs and the viewer.
        line: quiet borders; ``edge``: borders that must be seen (3:1), such as those of inputs.
        text, muted: words and quieter words, both 4.5:1.
        accent: the one colour; ``on_accent``: words on it; ``accent_text``: the accent used for words and thin lines.
        hover: surface under the pointer.
        good, warn, bad: words of a state; never the only sign of it.
        dark: True when light words stand on dark surfaces.
    """

    window: str
    panel: str
    card: str
    field: str
    line: str
    edge: str
    text: str
    muted: str
    accent: str
    on_accent: str
    accent_text: str
    hover: str
    good: str
    warn: str
    bad: str
    dark: bool


DARK = Colours(
    window="#15161a",
    panel="#1b1d22",
    card="#23262d",
    field="#101115",
    line="#30343d",
    edge="#788090",
    text="#ebecf0",
    muted="#a7adba",
    accent="#f0a868",
    on_accent="#1d1206",
    accent_text="#f3b47b",
    hover="#2d313a",
    good="#7fd1a0",
    warn="#f0cf6b",
    bad="#ff9a90",
    dark=True,
)
LIGHT = Colours(
    window="#eceae6",
    panel="#f6f5f2",
    card="#ffffff",
    field="#ffffff",
    line="#d8d5ce",
    edge="#85817a",
    text="#1e1f23",
    muted="#5a5c64",
    accent="#a8500f",
    on_accent="#ffffff",
    accent_text="#97470c",
    hover="#e8e4dc",
    good="#1d6b41",
    warn="#7a5600",
    bad="#b3261e",
    dark=False,
)
CONTRAST = Colours(
    window="#000000",
    panel="#000000",
    card="#000000",
    field="#000000",
    line="#ffffff",
    edge="#ffffff",
    text="#ffffff",
    muted="#ffffff",
    accent="#ffd800",
    on_accent="#000000",
    accent_text="#ffd800",
    hover="#33335c",
    good="#7cff9b",
    warn="#ffd800",
    bad="#ffb0a8",
    dark=True,
)


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2, "relative luminance")."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
