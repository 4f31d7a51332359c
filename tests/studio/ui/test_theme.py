"""The look keeps its promises: contrast, scale, one structure in three themes."""

import pytest
from PySide6.QtWidgets import QApplication

from studio.ui import theme
from studio.ui.icons import FOLDER, icon
from studio.ui.palettes import CONTRAST, DARK, LIGHT, Colours, contrast


@pytest.mark.parametrize("shades", [DARK, LIGHT, CONTRAST], ids=["dark", "light", "contrast"])
def test_words_and_graphics_can_be_seen_on_every_surface(shades: Colours) -> None:
    for surface in (shades.window, shades.panel, shades.card, shades.field, shades.hover):
        for words in ("text", "muted", "accent_text", "good", "warn", "bad"):
            assert contrast(getattr(shades, words), surface) >= 4.5, (words, surface)
        assert contrast(shades.edge, surface) >= 3.0, surface
    assert contrast(shades.on_accent, shades.accent) >= 4.5
    assert contrast(shades.accent, shades.panel) >= 3.0


@pytest.mark.parametrize("name", ["dark", "light", "contrast", "system"])
def test_apply_names_every_colour_and_scales(qapp: QApplication, name: str) -> None:
    theme.apply(qapp, name, 1.5)
    sheet = qapp.styleSheet()
    assert "@" not in sheet
    assert theme.px(10) == 15
    assert qapp.font().pointSizeF() == pytest.approx(15.0)
    theme.apply(qapp, "dark", 1.0)
    assert theme.colours() is DARK


def test_every_icon_draws_something_in_the_colour_of_its_theme(qapp: QApplication) -> None:
    names = sorted(path.stem for path in FOLDER.glob("*.svg"))
    assert len(names) >= 30
    for name in names:
        image = icon(name).pixmap(24, 24).toImage()
        assert any(image.pixelColor(x, y).alpha() for x in range(24) for y in range(24)), name
    theme.apply(qapp, "light", 1.0)
    light = icon("play").pixmap(24, 24).toImage()
    theme.apply(qapp, "dark", 1.0)
    assert icon("play").pixmap(24, 24).toImage() != light


def test_an_unknown_icon_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        icon("no-such-icon")
