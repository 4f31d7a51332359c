"""The live loss plot. pyqtgraph is imported with the first curve, because most windows never train."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.ui import theme
from studio.ui.form import QuietCombo
from studio.ui.palettes import Colours

Curves = Mapping[str, tuple[list[int], list[float]]]
HELD_OUT = "valid: "
_HEIGHT_PX = 190


class LossPlot(QWidget):
    """One figure over steps, chosen from a list; a dashed line with marks is measured on held-out pictures."""

    def __init__(self) -> None:
        super().__init__()
        self._plot: Any = None
        self._lines: dict[str, Any] = {}
        self._curves: Curves = {}
        self._shades: Colours | None = None
        self.figure_box = QuietCombo()
        self.figure_box.setAccessibleName(self.tr("Figure to plot"))
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self.figure_box, 0, Qt.AlignmentFlag.AlignLeft)
        self.figure_box.currentIndexChanged.connect(self._on_figure_box_changed)

    def names(self) -> tuple[str, ...]:
        """Lines on view."""
        return tuple(self._lines)

    def show_curves(self, curves: Curves) -> None:
        """Draw the chosen figure; the first one of training when none was chosen."""
        self._curves = {name: points for name, points in curves.items() if points[0]}
        if not self._curves:
            return
        trained = [name for name in self._curves if not name.startswith(HELD_OUT)]
        figures = list(dict.fromkeys([*trained, *(name.removeprefix(HELD_OUT) for name in self._curves)]))
        shown = [self.figure_box.itemText(index) for index in range(self.figure_box.count())]
        if shown != figures:
            kept = self.figure_box.currentText() if trained and shown and shown[0] in trained else ""
            self.figure_box.blockSignals(True)
            self.figure_box.clear()
            self.figure_box.addItems(figures)
            self.figure_box.setCurrentIndex(figures.index(kept) if kept in figures else 0)
            self.figure_box.blockSignals(False)
        if self._plot is None:
            self._make()
        self._draw()

    def _on_figure_box_changed(self, _index: int) -> None:
        self._draw()

    def _draw(self) -> None:
        if self._plot is None:
            return
        figure = self.figure_box.currentText()
        wanted = [name for name in (figure, HELD_OUT + figure) if name in self._curves]
        if theme.colours() is not self._shades or wanted != list(self._lines):
            self._start_lines(wanted)
        for name, line in self._lines.items():
            line.setData(*self._curves[name])
        last = ", ".join(f"{name} {self._curves[name][1][-1]:.4g}" for name in wanted)
        self._plot.setAccessibleName(self.tr("{} over steps").format(figure))
        self._plot.setAccessibleDescription(last)

    def _make(self) -> None:
        import pyqtgraph

        self._plot = pyqtgraph.PlotWidget()
        self._plot.setFixedHeight(theme.px(_HEIGHT_PX))
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.hideButtons()
        self._plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._plot.setDownsampling(auto=True, mode="mean")
        self._plot.setClipToView(True)
        self._column.addWidget(self._plot)

    def _start_lines(self, names: list[str]) -> None:
        """New lines in the colours of the theme in use."""
        import pyqtgraph

        self._shades = shades = theme.colours()
        self._plot.clear()
        self._plot.setBackground(QColor(shades.card))
        for side in ("left", "bottom"):
            axis = self._plot.getAxis(side)
            axis.setPen(QColor(shades.line))
            axis.setTextPen(QColor(shades.muted))
        self._lines = {}
        for name in names:
            held_out = name.startswith(HELD_OUT)
            colour = QColor(shades.text if held_out else shades.accent_text)
            style = Qt.PenStyle.DashLine if held_out else Qt.PenStyle.SolidLine
            self._lines[name] = self._plot.plot(
                pen=pyqtgraph.mkPen(colour, width=2, style=style),
                symbol="o" if held_out else None,
                symbolSize=5,
                symbolBrush=colour,
                symbolPen=None,
            )
