"""The left zone of Paint: the model, what it can be told, and the big button."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.state.map_maker import MapMaker
from studio.state.paint import PaintState
from studio.state.paint_values import UNLABELLED
from studio.state.previews import Previews
from studio.ui import theme
from studio.ui.buttons import push_button
from studio.ui.form import ParamForm
from studio.ui.paint.class_picker import ClassPicker
from studio.ui.paint.latent_pad import LatentPad
from studio.ui.paint.make_bar import MakeBar
from studio.ui.paint.model_picker import ModelPicker
from studio.ui.paint.presets import PresetRow
from studio.ui.paint.seed_row import SeedRow
from studio.ui.paint.start_box import StartBox
from studio.ui.zones import scrolled


class Controls(QWidget):
    """Everything that can be set, bound to a `PaintState`.

    Signals:
        library_wanted(): there is no model, and the artist wants to see the library.
    """

    library_wanted = Signal()

    def __init__(self, state: PaintState, previews: Previews, maps: MapMaker) -> None:
        super().__init__()
        self._state = state
        self._maps = maps
        self.picker = ModelPicker(state, previews)
        self.no_model = push_button(self.tr("Open the model library"), self.library_wanted.emit, name="models")
        self.pad = LatentPad()
        self.classes = ClassPicker()
        self.seed = SeedRow()
        self.form = ParamForm()
        self.presets = PresetRow(state)
        self.start = StartBox(state)
        self.make = MakeBar(state.results)
        self._lay_out()
        self._connect()
        self._show_model()

    def _lay_out(self) -> None:
        body = QWidget()
        column = self._column = QVBoxLayout(body)
        column.setContentsMargins(theme.GAP, theme.GAP, theme.GAP, theme.GAP)
        column.setSpacing(theme.SPACE + 4)
        parts = (self.picker, self.no_model, self.presets, self.pad, self.classes, self.seed, self.form, self.start)
        for part in parts:
            column.addWidget(part)
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        self.area = scrolled(body)
        outer.addWidget(self.area, 1)
        outer.addWidget(theme.divider())
        outer.addWidget(self.make)

    def _connect(self) -> None:
        state = self._state
        state.model_changed.connect(self._show_model)
        state.values_changed.connect(self.show_values)
        state.history_changed.connect(self._show_seed)
        state.memory.changed.connect(self._show_points)
        state.start.changed.connect(self._on_start_changed)
        state.results.picture_changed.connect(self._show_points)
        self._maps.ready.connect(lambda _: self._show_map())
        self.form.changed.connect(state.set_control)
        self.classes.changed.connect(state.set_labels)
        self.seed.seed_changed.connect(state.set_seed)
        self.seed.random_changed.connect(lambda on: state.change({"random_seed": on}))
        self.seed.count_changed.connect(lambda value: state.change({"count": int(value)}))
        self.pad.moved.connect(self._on_pad_moved)
        for control in (self.form, self.classes, self.pad, self.seed.count):
            control.pressed.connect(state.hold)
            control.released.connect(state.release)
        self.make.main_pressed.connect(state.generate_or_stop)
        self.make.queue_pressed.connect(state.generate)

    def show_values(self) -> None:
        """Put what is set into every control."""
        values = self._state.values
        self.form.set_values(values.controls)
        self.classes.set_weights(values.labels)
        self._show_seed()
        self._show_points()

    def _show_model(self) -> None:
        manifest = self._state.manifest
        self.no_model.setVisible(manifest is None)
        for part in (self.seed, self.presets):
            part.setVisible(manifest is not None)
        self.make.set_available(manifest is not None)
        self.form.set_params(manifest.controls if manifest else ())
        labels = manifest.labels if manifest else ()
        self.classes.set_names(labels, any_allowed=manifest is not None and manifest.pipeline in UNLABELLED)
        self.pad.setVisible(self._state.has_map)
        self._show_map()
        self.show_values()

    def _show_map(self) -> None:
        package = self._state.package
        if package is not None and self._state.has_map:
            self.pad.set_map(self._maps.image(package))

    def _show_points(self) -> None:
        state = self._state
        if not state.has_map:
            return
        place = state.map_place()
        self.pad.set_place(None if place is None else (place[0], 1 - place[1]))
        places = [state.map_place(saved.point) for saved in state.memory.points]
        known = tuple((place[0], 1 - place[1]) for place in places if place is not None)
        self.pad.set_points(known, loop=state.values.loop)

    def _on_pad_moved(self, u: float, v: float) -> None:
        self._state.set_map_place(u, 1 - v)

    def _on_start_changed(self, _pixels: object) -> None:
        """Bring what can be done with a start picture into sight."""
        if self._state.start.pixels is not None:
            self._column.activate()
            bar, below = self.area.verticalScrollBar(), self.start.geometry().bottom() - self.area.viewport().height()
            bar.setValue(max(bar.value(), below + theme.GAP))

    def _show_seed(self) -> None:
        values = self._state.values
        self.seed.show_values(seed=values.seed, random=values.random_seed, count=values.count)
