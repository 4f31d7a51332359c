"""An icon that stands by itself and follows the theme."""

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QLabel

from studio.ui import icons

_LOOK = (QEvent.Type.PaletteChange, QEvent.Type.StyleChange)


class IconLabel(QLabel):
    """The icon ``name`` in the theme's colour ``role``, ``size_px`` at scale 1; drawn again when the theme changes."""

    def __init__(self, name: str, size_px: int, role: str = "muted") -> None:
        super().__init__()
        self._icon = (name, size_px, role)
        self.setPixmap(icons.pixmap(*self._icon))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in _LOOK:
            self.setPixmap(icons.pixmap(*self._icon))
