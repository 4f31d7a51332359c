"""The live loss plot. pyqtgraph is imported with the first curve, because most windows never train."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.ui import theme

Curves = Mapping[str, tuple[list[int], list[float]]]
_HUES = (0, 200, 120, 280, 50)


class LossPlot(QWidget):
    """Figures over steps. Dashed lines with marks are measured on held-out pictures."""

    def __init__(self) -> None:
        super().__init__()
        self._plot: Any = None
        self._lines: dict[str, Any] = {}
        self.setMinimumHeight(theme.px(170))
        self.setAccessibleName(self.tr("Loss over steps"))
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)

    def names(self) -> tuple[str, ...]:
        """Figures that have a line."""
        return tuple(self._lines)

    def show_curves(self, curves: Curves) -> None:
        """Draw; a figure that was not there before gets a line."""
        shown = {name: points for name, points in curves.items() if points[0]}
        if set(self._lines) - set(shown):
            self._clear()
        if not shown:
            return
        if self._plot is None:
            self._make()
        for name, (steps, values) in shown.items():
            if name not in self._lines:
                plot: Any = self._plot
                self._lines[name] = plot.plot(name=name)
                self._style(name, len(self._lines) - 1)
            self._lines[name].setData(steps, values)
        last = ", ".join(f"{name} {values[-1]:.4g}" for name, (_, values) in shown.items())
        self.setAccessibleDescription(last)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._plot is not None:
            self._tint()

    def _make(self) -> None:
        import pyqtgraph

        self._plot = pyqtgraph.PlotWidget()
        self._plot.setBackground(None)
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(x=False, y=False)
        self._plot.hideButtons()
        self._plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._plot.setClipToView(True)
        self._plot.setDownsampling(auto=True, mode="mean")
        self._plot.addLegend(offset=(-8, 4), labelTextSize="9pt")
        self._column.addWidget(self._plot)
        self._tint()

    def _tint(self) -> None:
        muted = QColor(theme.colours().muted)
        for side in ("left", "bottom"):
            axis = self._plot.getAxis(side)
            axis.setPen(QColor(theme.colours().line))
            axis.setTextPen(muted)
        self._plot.getPlotItem().legend.setLabelTextColor(QColor(theme.colours().text))
        for index, name in enumerate(self._lines):
            self._style(name, index)

    def _style(self, name: str, index: int) -> None:
        import pyqtgraph

        shades = theme.colours()
        if index == 0:
            colour = QColor(shades.accent_text)
        else:
            colour = QColor.fromHsv(_HUES[index % len(_HUES)], 150, 230 if shades.dark else 130)
        held_out = name.startswith("valid:")
        style = Qt.PenStyle.DashLine if held_out else Qt.PenStyle.SolidLine
        line = self._lines[name]
        line.setPen(pyqtgraph.mkPen(colour, width=2, style=style))
        line.setSymbol("o" if held_out else None)
        line.setSymbolSize(5)
        line.setSymbolBrush(colour)
        line.setSymbolPen(None)

    def _clear(self) -> None:
        for line in self._lines.values():
            self._plot.removeItem(line)
        self._lines.clear()
