"""Mouse and keys of the Paint pane, on a scripted queue."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QSlider

from studio.core.events import Done, FrameMade, PictureMade, Preview, RunFacts, Step
from studio.state.map_maker import MapMaker
from studio.state.paint_results import Shown
from studio.ui.paint.pane import PaintPane
from studio.ui.slider import NumberSlider
from tests.studio.paint_kit import make_kit, picture

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def kit(tmp_path, qtbot):
    made = make_kit(tmp_path)
    yield made
    made.background.close()


@pytest.fixture
def pane(kit, tmp_path, qtbot):
    maps = MapMaker(tmp_path / "maps", lane=kit.lane, background=kit.background)
    widget = PaintPane(kit.state, kit.previews, maps, later=kit.run_later)
    qtbot.addWidget(widget)
    widget.resize(1200, 900)
    widget.show()
    kit.settle(qtbot)
    return widget


def choose(pane, name: str) -> None:
    combo = pane.controls.picker.combo
    combo.setCurrentIndex(combo.findData(name))
    combo.activated.emit(combo.currentIndex())


def test_first_generation_is_one_click_away(pane, kit, qtbot) -> None:
    assert pane.stage.empty_button.isVisible()
    qtbot.mouseClick(pane.stage.empty_button, LEFT)
    assert len(kit.queue.all) == 1
    kit.queue.play()
    assert pane.stage.viewer.isVisible()
    assert "saved" in pane.stage.caption.text()


def test_big_button_becomes_stop_and_shows_where_it_stands(pane, kit, qtbot) -> None:
    button = pane.controls.make.button
    qtbot.mouseClick(button, LEFT)
    job = kit.queue.start()
    assert button.text().strip() == "Stop"
    assert pane.controls.make.queue.isVisible()
    for index in range(1, 5):
        kit.queue.tell(job, Step(index, 20))
    assert pane.controls.make.words.text().startswith("4/20")
    kit.queue.tell(job, Preview(picture()))
    assert "unfinished" in pane.stage.caption.text()
    qtbot.mouseClick(pane.controls.make.queue, LEFT)
    assert len(kit.queue.all) == 2
    qtbot.mouseClick(button, LEFT)
    assert kit.queue.stops == 1
    assert button.text().strip() == "Generate"
    assert "1 waiting" in pane.controls.make.words.text()


def test_controls_come_from_the_manifest_and_undo_by_key(pane, kit, qtbot) -> None:
    steps = pane.controls.form.control("steps")
    assert isinstance(steps, NumberSlider)
    qtbot.keyClick(steps.track, Qt.Key.Key_Right)
    assert kit.state.values.controls["steps"] == 21
    qtbot.keyClick(pane.stage.viewer, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert steps.value() == 20
    qtbot.keyClick(
        pane.stage.viewer, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    )
    assert steps.value() == 21
    assert pane.stage.undo.isEnabled()


def test_class_picker_one_any_and_mixture(pane, kit, qtbot) -> None:
    picker = pane.controls.classes
    assert picker.isVisible()
    picker.combo.setCurrentIndex(picker.combo.findText("stone"))
    picker.combo.activated.emit(picker.combo.currentIndex())
    assert kit.state.values.labels == {"stone": 1.0}
    picker.combo.setCurrentIndex(picker.combo.findText("Mix…"))
    picker.combo.activated.emit(picker.combo.currentIndex())
    slider = picker.mix.control("tree")
    assert isinstance(slider, NumberSlider)
    assert slider.isVisible()
    qtbot.keyClick(slider.track, Qt.Key.Key_End)
    assert kit.state.values.labels == {"stone": 1.0, "tree": 1.0}
    kit.state.undo()
    kit.state.undo()
    kit.state.undo()
    assert picker.combo.currentText() == "Any"
    choose(pane, "map")
    assert not picker.isVisible()


def test_pad_drag_is_live_and_one_undo(pane, kit, qtbot) -> None:
    choose(pane, "map")
    pad = pane.controls.pad
    assert pad.isVisible()
    qtbot.mousePress(pad, LEFT, pos=QPoint(20, 20))
    for x in range(30, 120, 10):
        qtbot.mouseMove(pad, QPoint(x, 60))
    qtbot.mouseRelease(pad, LEFT, pos=QPoint(120, 60))
    assert len(kit.lane.live) >= 5
    kit.lane.answer()
    assert pane.stage.keep.isVisible()
    x, y = kit.state.map_place()
    assert x == pytest.approx(110 / pad.width(), abs=0.05)
    assert y == pytest.approx(1 - 60 / pad.height(), abs=0.05)
    qtbot.keyClick(pad, Qt.Key.Key_Right)
    assert kit.state.map_place()[0] > x
    qtbot.keyClick(pane.stage.viewer, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert kit.queue.all[1].request.point is not None
    kit.state.undo()
    kit.state.undo()
    assert kit.state.values.vector == ()


def test_seed_field_dice_and_copy(pane, kit, qtbot) -> None:
    seed = pane.controls.seed
    seed.field.setFocus()
    seed.field.selectAll()
    qtbot.keyClicks(seed.field, "1234")
    qtbot.keyClick(seed.field, Qt.Key.Key_Return)
    assert kit.state.values.seed == 1234
    qtbot.mouseClick(seed.copy, LEFT)
    assert QGuiApplication.clipboard().text() == "1234"
    kit.state.generate()
    assert kit.queue.all[1].request.seed == 1234
    qtbot.mouseClick(seed.dice, LEFT)
    assert kit.state.values.random_seed


def test_batch_grid_shows_and_opens(pane, kit, qtbot) -> None:
    kit.state.change({"count": 3})
    kit.state.generate()
    kit.queue.play()
    assert pane.stage.batch.isVisible()
    assert pane.stage.batch.list.count() == 3
    pane.stage.batch.list.setCurrentRow(0)
    assert kit.state.results.picture is kit.state.results.batch[0]
    kit.state.change({"count": 1})
    kit.state.generate()
    kit.queue.play()
    assert not pane.stage.batch.isVisible()


def test_points_by_keyboard(pane, kit, qtbot) -> None:
    choose(pane, "map")
    kit.settle(qtbot)
    for x in (0.2, 0.8):
        kit.state.set_map_place(x, 0.5)
        kit.lane.answer()
        qtbot.keyClick(pane.stage.viewer, Qt.Key.Key_P)
    points = pane.stage.points.list
    assert points.count() == 2
    points.setCurrentRow(1)
    qtbot.keyClick(points, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert [point.name for point in kit.state.memory.points] == ["Point 2", "Point 1"]
    points.setCurrentRow(1)
    qtbot.keyClick(points, Qt.Key.Key_Return)
    assert kit.state.map_place()[0] == pytest.approx(0.2, abs=1e-4)
    points.item(0).setText("Dress")
    assert kit.state.memory.points[0].name == "Dress"
    points.setCurrentRow(0)
    qtbot.keyClick(points, Qt.Key.Key_Delete)
    assert [point.name for point in kit.state.memory.points] == ["Point 1"]


def test_film_options_reach_the_request_and_it_plays(pane, kit, qtbot) -> None:
    points = pane.stage.points
    points.frames.field.setValue(10)
    points.fps.field.setValue(10)
    qtbot.mouseClick(points.loop, LEFT)
    points.format.setCurrentIndex(1)
    points.format.activated.emit(1)
    assert points.length.text() == "4 random places: 31 frames, 3.1 s"
    qtbot.mouseClick(points.film, LEFT)
    request = kit.queue.all[1].request
    assert (request.frames, request.fps, request.loop, request.film_format) == (10, 10, False, "gif")
    kit.queue.play()
    assert kit.later[-1][0] == 100
    kit.later[-1][1]()
    assert len(kit.later) >= 2


def test_presets_in_place(pane, kit, qtbot) -> None:
    row = pane.controls.presets
    kit.state.set_control("steps", 33)
    qtbot.mouseClick(row.save, LEFT)
    assert row.name.isVisible()
    row.name.setText("Quick")
    qtbot.keyClick(row.name, Qt.Key.Key_Return)
    assert row.combo.currentText() == "Quick"
    qtbot.mouseClick(row.reset, LEFT)
    assert kit.state.values.controls["steps"] == 20
    row.combo.activated.emit(0)
    assert pane.controls.form.values()["steps"] == 33
    qtbot.mouseClick(row.remove, LEFT)
    assert kit.state.memory.presets == ()


def test_mask_is_painted_by_mouse_and_keys(pane, kit, qtbot) -> None:
    kit.state.start.take(picture())
    qtbot.waitUntil(lambda: kit.state.start.pixels is not None)
    qtbot.mouseClick(pane.controls.start.paint_mask, LEFT)
    viewer, bar = pane.stage.viewer, pane.stage.mask_bar
    assert bar.isVisible()
    before = int(bar.brush_size.value())
    qtbot.keyClick(viewer, Qt.Key.Key_BracketRight)
    assert int(bar.brush_size.value()) > before
    qtbot.keyClick(viewer, Qt.Key.Key_BracketLeft)
    centre = viewer.rect().center()
    qtbot.mousePress(viewer, LEFT, pos=centre)
    qtbot.mouseMove(viewer, centre + QPoint(20, 0))
    qtbot.mouseRelease(viewer, LEFT, pos=centre + QPoint(20, 0))
    assert not kit.state.start.mask.empty
    qtbot.keyClick(viewer, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert kit.state.start.mask.empty
    qtbot.keyClick(viewer, Qt.Key.Key_E)
    assert bar.eraser.isChecked()
    pane.cancel()
    assert not bar.isVisible()
    assert not pane.controls.start.paint_mask.isChecked()


def test_generating_leaves_the_mask_so_that_the_result_is_seen(pane, kit, qtbot) -> None:
    kit.state.start.take(picture())
    qtbot.waitUntil(lambda: kit.state.start.pixels is not None)
    qtbot.mouseClick(pane.controls.start.paint_mask, LEFT)
    assert pane.stage.masking
    pane.controls.make.main_pressed.emit()
    assert not pane.stage.masking
    assert kit.state.start.mask is not None


def test_copy_and_paste(pane, kit, qtbot) -> None:
    kit.state.generate()
    kit.queue.play()
    qtbot.keyClick(pane.stage.viewer, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    mime = QGuiApplication.clipboard().mimeData()
    assert mime.hasImage()
    assert mime.urls()[0].toLocalFile() == "/results/0.png"
    QGuiApplication.clipboard().setImage(pane.stage.viewer._image)
    qtbot.keyClick(pane.stage.viewer, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: kit.state.start.pixels is not None)
    assert pane.controls.start.strength.isVisible()
    qtbot.mouseClick(pane.controls.start.remove, LEFT)
    assert kit.state.start.pixels is None


def test_live_picture_is_dragged_as_a_real_file(pane, kit, qtbot) -> None:
    choose(pane, "latent")
    kit.state.set_control("attr:smile", 1.0)
    kit.lane.answer()
    pane.stage.viewer.grabbed.emit()
    qtbot.waitUntil(lambda: bool(pane.stage.mime().urls()))
    assert Path(pane.stage.mime().urls()[0].toLocalFile()).is_file()


def test_zoom_keys_and_pixel_exact_drawing(pane, kit, qtbot) -> None:
    kit.state.generate()
    kit.queue.play()
    viewer = pane.stage.viewer
    assert viewer.zoom == int(viewer.zoom) >= 8
    qtbot.keyClick(viewer, Qt.Key.Key_1)
    assert viewer.zoom == 1
    qtbot.keyClick(viewer, Qt.Key.Key_Plus)
    assert viewer.zoom == 2
    qtbot.keyClick(viewer, Qt.Key.Key_0)
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[0, 0] = 255
    kit.state.results._set_picture(Shown(pixels, "made"))
    image = viewer.grab().toImage()
    colours = {image.pixelColor(x, y).name() for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)}
    assert {"#ffffff", "#000000"} <= colours
    assert len(colours) <= 4


def test_map_is_drawn_by_the_model_and_kept(pane, kit, qtbot, tmp_path) -> None:
    choose(pane, "map")
    maps = pane.controls._maps
    package = kit.state.package
    maps.make(package)
    request, on_event, on_end = kit.lane.live[-1]
    assert len(request.path) == 144
    assert request.path[0].vector[1] > 0 > request.path[-1].vector[1]
    for index in range(144):
        on_event(FrameMade(picture(index), index, 144))
    on_end(None)
    assert maps.image(package).width() == 12 * 8
    again = MapMaker(tmp_path / "maps", lane=kit.lane, background=kit.background)
    qtbot.waitUntil((tmp_path / "maps" / f"{package.sha256}.png").exists)
    qtbot.waitUntil(lambda: MapMaker.image(again, package) is not None)


def test_everything_that_can_be_used_has_a_name(pane) -> None:
    for kind in (QAbstractButton, QComboBox, QLineEdit, QSlider):
        for widget in pane.findChildren(kind):
            if widget.objectName().startswith("qt_") or isinstance(widget.parent(), QComboBox):
                continue
            named = widget.accessibleName() or (widget.text() if hasattr(widget, "text") else "")
            inner = widget.parent() is not None and widget.parent().accessibleName()
            assert named or inner, (kind, widget, widget.parent())


def test_nothing_moves_when_the_library_is_empty(tmp_path, qtbot) -> None:
    kit = make_kit(tmp_path, ())
    maps = MapMaker(tmp_path / "maps", lane=kit.lane, background=kit.background)
    pane = PaintPane(kit.state, kit.previews, maps, later=kit.run_later)
    qtbot.addWidget(pane)
    pane.show()
    assert not pane.controls.make.button.isEnabled()
    with qtbot.waitSignal(pane.library_wanted):
        qtbot.mouseClick(pane.controls.no_model, LEFT)
    kit.background.close()


def test_live_answers_of_a_closed_model_are_ignored(pane, kit) -> None:
    choose(pane, "latent")
    kit.state.set_control("attr:smile", 1.0)
    request, on_event, _ = kit.lane.live[-1]
    choose(pane, "diffusion")
    on_event(PictureMade(picture(), request))
    on_event(Done(RunFacts("x")))
    assert kit.state.results.picture is None
