"""The batch: every picture of the last Generate, as a grid beside the large one."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from studio.state.paint_results import PaintResults
from studio.ui import theme
from studio.ui.buttons import push_button
from studio.ui.picture import plain_icon, scaled_for, to_image

THUMB_PX = 88


class BatchBar(QWidget):
    """Hidden until there are two pictures."""

    def __init__(self, results: PaintResults) -> None:
        super().__init__()
        self._results = results
        self._drawn: list[int] = []
        side = theme.px(THUMB_PX)
        self.list = QListWidget()
        self.list.setViewMode(QListWidget.ViewMode.IconMode)
        self.list.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.list.setMovement(QListWidget.Movement.Static)
        self.list.setUniformItemSizes(True)
        self.list.setIconSize(QSize(side, side))
        self.list.setGridSize(QSize(side + theme.px(14), side + theme.px(14)))
        self.list.setAccessibleName(self.tr("Batch"))
        self.count = theme.label("", "section")
        self.sheet = push_button(
            self.tr("Contact sheet"),
            self._on_sheet_clicked,
            name="grid",
            tip=self.tr("Save all of them on one sheet, beside the other results"),
        )
        top = QHBoxLayout()
        top.addWidget(self.count, 1)
        top.addWidget(self.sheet)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.SPACE, theme.SPACE, theme.SPACE, theme.SPACE)
        column.addLayout(top)
        column.addWidget(self.list)
        self._name = "Paint"
        self.list.currentRowChanged.connect(self._on_row_changed)
        results.batch_changed.connect(self.refresh)
        self.refresh()

    def set_name(self, name: str) -> None:
        """What the contact sheet's file is called."""
        self._name = name

    def refresh(self) -> None:
        """Show the batch; only new pictures are drawn."""
        batch = self._results.batch
        self.setVisible(len(batch) > 1)
        kept = [id(shown.pixels) for shown in batch]
        self.list.blockSignals(True)
        if kept[: len(self._drawn)] != self._drawn:
            self.list.clear()
            self._drawn = []
        for shown in batch[len(self._drawn) :]:
            image = scaled_for(to_image(shown.pixels), theme.px(THUMB_PX))
            item = QListWidgetItem(plain_icon(image), "")
            seed = getattr(shown.request, "seed", 0)
            item.setToolTip(self.tr("Seed {0}").format(seed))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, self.tr("Picture with seed {0}").format(seed))
            self.list.addItem(item)
        self._drawn = kept
        self.list.setCurrentRow(self.list.count() - 1)
        self.list.scrollToBottom()
        self.list.blockSignals(False)
        self.count.setText(self.tr("{0} pictures").format(len(batch)))

    def _on_row_changed(self, row: int) -> None:
        self._results.show(row)

    def _on_sheet_clicked(self) -> None:
        self._results.save_sheet(self._name)
