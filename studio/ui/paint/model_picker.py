"""Which model paints: its name, what it makes, and a glimpse of it."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.core.families_table import family_name, plain_name
from studio.state.paint import PaintState
from studio.state.previews import Previews
from studio.ui import theme
from studio.ui.form import QuietCombo
from studio.ui.picture import plain_icon, scaled_for

ICON_PX = 44


class ModelPicker(QWidget):
    """The models of the library that make pictures."""

    def __init__(self, state: PaintState, previews: Previews) -> None:
        super().__init__()
        self._state = state
        self._previews = previews
        self.combo = QuietCombo()
        self.combo.setIconSize(QSize(theme.px(ICON_PX), theme.px(ICON_PX)))
        self.combo.setAccessibleName(self.tr("Model"))
        self.combo.setToolTip(self.tr("The model that makes the pictures. Every model of the library is listed."))
        self.combo.setMinimumHeight(theme.px(ICON_PX + 12))
        self.combo.setSizeAdjustPolicy(QuietCombo.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.combo.setMinimumContentsLength(8)
        self.combo.setPlaceholderText(self.tr("No model"))
        self.summary = theme.label("", "hint", wrap=True)
        self.facts = theme.label("", "hint", wrap=True)
        below = QHBoxLayout()
        below.addWidget(self.facts, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACE // 2)
        column.addWidget(self.combo)
        column.addWidget(self.summary)
        column.addLayout(below)
        self.combo.activated.connect(lambda _: state.choose(str(self.combo.currentData())))
        state.models_changed.connect(self._fill)
        state.model_changed.connect(self._show_model)
        previews.ready.connect(self._on_preview_ready)
        self._fill()
        self._show_model()

    def _fill(self) -> None:
        self.combo.clear()
        for package in self._state.models:
            self.combo.addItem(self._icon(package.sha256), package.manifest.name, package.manifest.id)
            self.combo.setItemData(self.combo.count() - 1, package.manifest.summary, Qt.ItemDataRole.ToolTipRole)
        self._show_model()

    def _show_model(self) -> None:
        manifest = self._state.manifest
        if manifest is None:
            self.summary.setText(self.tr("No model is open."))
            self.facts.clear()
            return
        self.combo.setCurrentIndex(self.combo.findData(manifest.id))
        self.summary.setText(manifest.summary)
        size = f"{manifest.size.width_px} × {manifest.size.height_px} px" if manifest.size else ""
        words = [size, plain_name(manifest.family)]
        self.facts.setToolTip(f"{family_name(manifest.family)} ({manifest.family})")
        if manifest.quality == "experimental":
            words.append(self.tr("experimental"))
        self.facts.setText(" · ".join(word for word in words if word))

    def _icon(self, sha256: str) -> QIcon:
        package = next(one for one in self._state.models if one.sha256 == sha256)
        image = self._previews.preview(package)
        if image is None:
            blank = QPixmap(theme.px(ICON_PX), theme.px(ICON_PX))
            blank.fill(Qt.GlobalColor.transparent)
            return QIcon(blank)
        return plain_icon(scaled_for(image, theme.px(ICON_PX)))

    def _on_preview_ready(self, sha256: str) -> None:
        for index, package in enumerate(self._state.models):
            if package.sha256 == sha256 and index < self.combo.count():
                self.combo.setItemIcon(index, self._icon(sha256))
