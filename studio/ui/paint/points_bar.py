"""The bench: saved points in the order of travel, and the film through them."""

from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QIcon, QImage, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from studio.core.params import Param
from studio.state.paint import PaintState
from studio.state.paint_values import film_frames
from studio.ui import theme
from studio.ui.buttons import push_button, tool_button
from studio.ui.elided import ElidedLabel
from studio.ui.form import QuietCombo
from studio.ui.picture import plain_icon, png_bytes, scaled_for, to_image
from studio.ui.slider import NumberSlider

THUMB_PX = 64
FRAMES = Param("frames", "int", 24, "Frames", "Frames between two points: more of them move more slowly.", 1, 240, 1)
FPS = Param("fps", "int", 24, "Per second", "Frames shown each second.", 1, 60, 1)


class PointList(QListWidget):
    """Saved points. Enter goes there, F2 renames, Del removes, Alt+Left and Alt+Right move along the line."""

    def __init__(self, state: PaintState) -> None:
        super().__init__()
        self._state = state
        self._shown: tuple[object, ...] = ()
        side = theme.px(THUMB_PX)
        self.setViewMode(QListWidget.ViewMode.IconMode)
        self.setFlow(QListWidget.Flow.LeftToRight)
        self.setWrapping(False)
        self.setMovement(QListWidget.Movement.Static)
        self.setIconSize(QSize(side, side))
        self.setSpacing(theme.SPACE // 2)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setGridSize(QSize(side + theme.px(28), side + theme.px(30)))
        self.setFixedHeight(side + theme.px(40))
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setAccessibleName(self.tr("Saved points"))
        self.setToolTip(self.tr("Enter goes there, F2 renames, Del removes, Alt+Left and Alt+Right move it."))
        state.memory.changed.connect(self.refresh)
        self.itemActivated.connect(lambda item: state.go_to_point(self.row(item)))
        self.itemClicked.connect(lambda item: state.go_to_point(self.row(item)))
        self.itemChanged.connect(self._on_item_changed)
        self.refresh()

    def refresh(self) -> None:
        """Show the points of the open model."""
        points = self._state.memory.points
        if points == self._shown:
            return
        self._shown = points
        row = self.currentRow()
        self.blockSignals(True)
        self.clear()
        side = theme.px(THUMB_PX)
        for saved in points:
            image = QImage.fromData(saved.thumbnail) if saved.thumbnail else QImage()
            icon = QIcon() if image.isNull() else plain_icon(scaled_for(image, side))
            item = QListWidgetItem(icon, saved.name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
            item.setToolTip(saved.name)
            item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
            self.addItem(item)
        self.setCurrentRow(min(row, self.count() - 1))
        self.blockSignals(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row = self.currentRow()
        alt = event.modifiers() & Qt.KeyboardModifier.AltModifier
        memory = self._state.memory
        if row >= 0 and event.key() == Qt.Key.Key_Delete:
            memory.remove_point(row)
        elif row >= 0 and alt and event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            to = row + (1 if event.key() == Qt.Key.Key_Right else -1)
            memory.move_point(row, to)
            self.setCurrentRow(min(max(to, 0), self.count() - 1))
        elif row >= 0 and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._state.go_to_point(row)
        else:
            super().keyPressEvent(event)

    def currentChanged(self, current: QModelIndex | QPersistentModelIndex, previous: Any) -> None:
        super().currentChanged(current, previous)
        self.scrollTo(current)

    def _on_item_changed(self, item: QListWidgetItem) -> None:
        row = self.row(item)
        if 0 <= row < len(self._state.memory.points):
            self._state.memory.rename_point(row, item.text())


class PointsBar(QWidget):
    """Saved points and what to do with them."""

    def __init__(self, state: PaintState) -> None:
        super().__init__()
        self._state = state
        self.setProperty("panel", "true")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.list = PointList(state)
        self.save = push_button(
            self.tr("Save this point"), self.save_point, name="pin", tip=self.tr("Keep the place of this picture (P)")
        )
        self.remove = tool_button("trash", self.tr("Remove point"), self._on_remove_clicked, keys="Del")
        self.film = push_button(self.tr("Make film"), state.make_film, name="film")
        self.loop = QCheckBox(self.tr("Seamless loop"))
        self.loop.setToolTip(self.tr("Travel back from the last point to the first, without a seam."))
        self.format = QuietCombo()
        for name, label in (("mp4", "MP4"), ("gif", "GIF")):
            self.format.addItem(label, name)
        self.format.setAccessibleName(self.tr("Film format"))
        self.frames = NumberSlider(FRAMES)
        self.fps = NumberSlider(FPS)
        self.length = ElidedLabel("hint")
        self.length.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._lay_out()
        self._connect()
        self.refresh()

    def save_point(self) -> None:
        """Keep the place of the picture on view, with a glimpse of it."""
        shown = self._state.results.picture
        thumbnail = b"" if shown is None else png_bytes(scaled_for(to_image(shown.pixels), THUMB_PX))
        self._state.save_point(thumbnail=thumbnail)

    def refresh(self) -> None:
        """Show what the film will be."""
        values, state = self._state.values, self._state
        self.frames.set_value(values.frames)
        self.fps.set_value(values.fps)
        self.loop.setChecked(values.loop)
        self.format.setCurrentIndex(self.format.findData(values.film_format))
        points = len(state.memory.points)
        places = points if points >= 2 else 4
        count = film_frames(values, places)
        text = self.tr("{0} frames, {1:.1f} s").format(count, count / max(1, values.fps))
        if points < 2:
            text = self.tr("4 random places: ") + text
        self.length.setText(text)
        self.film.setEnabled(state.package is not None)
        self.save.setEnabled(state.package is not None)
        self.remove.setEnabled(points > 0)
        self.empty.setVisible(points == 0)
        self.list.setVisible(points > 0)

    def _lay_out(self) -> None:
        self.empty = theme.label(
            self.tr("Save points you like, then travel through them as a film. Without any, it visits random places."),
            "hint",
            wrap=True,
        )
        top = QHBoxLayout()
        top.addWidget(self.save)
        top.addWidget(self.remove)
        top.addWidget(self.length, 1)
        top.addWidget(self.format)
        top.addWidget(self.film)
        options = QHBoxLayout()
        options.setSpacing(theme.GAP)
        self.frames.setMaximumWidth(theme.px(200))
        self.fps.setMaximumWidth(theme.px(200))
        options.addWidget(self.frames, 1)
        options.addWidget(self.fps, 1)
        options.addWidget(self.loop)
        options.addStretch(0)
        column = QVBoxLayout(self)
        column.setContentsMargins(theme.GAP, theme.SPACE, theme.GAP, theme.SPACE + 2)
        column.setSpacing(theme.SPACE // 2)
        # The list grows upwards: the button stays under the pointer from the first point to the last.
        column.addWidget(self.empty)
        column.addWidget(self.list)
        column.addLayout(top)
        column.addLayout(options)

    def _connect(self) -> None:
        state = self._state
        state.memory.changed.connect(self.refresh)
        state.values_changed.connect(self.refresh)
        state.model_changed.connect(self.refresh)
        self.frames.changed.connect(lambda value: self._set({"frames": int(value)}))
        self.fps.changed.connect(lambda value: self._set({"fps": int(value)}))
        self.loop.clicked.connect(lambda on: self._set({"loop": on}))
        self.format.activated.connect(lambda _: self._set({"film_format": self.format.currentData()}))

    def _set(self, changes: dict[str, object]) -> None:
        self._state.change(changes)
        self.refresh()

    def _on_remove_clicked(self) -> None:
        row = self.list.currentRow()
        if self._state.memory.points:
            self._state.memory.remove_point(row if row >= 0 else len(self._state.memory.points) - 1)
