"""Tools of the mask: brush, eraser, size, undo, redo, invert, clear."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QWidget

from studio.core.params import Param
from studio.state.paint_mask import Mask
from studio.state.paint_start import PaintStart
from studio.ui import theme
from studio.ui.buttons import push_button, tool_button
from studio.ui.slider import NumberSlider

SIZE = Param("size", "int", 6, "Size", "Width of the brush in picture pixels.", 1, 64, 1, "px")


class MaskBar(QWidget):
    """Shown above the picture while the mask is painted.

    Signals:
        brush_changed(): another size or tool. done(): leave the mask.
    """

    brush_changed = Signal()
    done = Signal()

    def __init__(self, start: PaintStart) -> None:
        super().__init__()
        self._start = start
        self.brush = tool_button("brush", self.tr("Brush: may change"), keys="B", checkable=True)
        self.eraser = tool_button("eraser", self.tr("Eraser: stays as it is"), keys="E", checkable=True)
        group = QButtonGroup(self)
        group.addButton(self.brush)
        group.addButton(self.eraser)
        self.brush.setChecked(True)
        self.brush_size = NumberSlider(SIZE)
        self.brush_size.setMaximumWidth(theme.px(220))
        self.undo = tool_button("undo", self.tr("Undo stroke"), lambda: start.edit_mask(Mask.undo), keys="Ctrl+Z")
        self.redo = tool_button("redo", self.tr("Redo stroke"), lambda: start.edit_mask(Mask.redo), keys="Ctrl+Shift+Z")
        self.invert = tool_button("swap", self.tr("Invert"), lambda: start.edit_mask(Mask.invert))
        self.clear = tool_button("trash", self.tr("Clear"), lambda: start.edit_mask(Mask.clear))
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.GAP, theme.SPACE // 2, theme.GAP, theme.SPACE // 2)
        for widget in (self.brush, self.eraser, self.brush_size, self.undo, self.redo, self.invert, self.clear):
            row.addWidget(widget, int(widget is self.brush_size))
        row.addStretch(1)
        row.addWidget(push_button(self.tr("Done"), self.done.emit, name="check"))
        self.brush_size.changed.connect(self.brush_changed)
        group.buttonClicked.connect(lambda _: self.brush_changed.emit())

    @property
    def radius_px(self) -> float:
        """Radius of the brush in picture pixels."""
        return float(self.brush_size.value()) / 2

    def resize_brush(self, steps: int) -> None:
        """`[` and `]`: a smaller or larger brush."""
        width = int(self.brush_size.value())
        self.brush_size.set_value(width + steps * max(1, width // 5))
        self.brush_changed.emit()

    def pick(self, *, eraser: bool) -> None:
        """B and E."""
        (self.eraser if eraser else self.brush).setChecked(True)
        self.brush_changed.emit()
