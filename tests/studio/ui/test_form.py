"""The form built from parameters: values, groups, keys, wheel, reset."""

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QComboBox
from pytestqt.qtbot import QtBot

from studio.core.params import Param
from studio.ui.form import Fold, ParamForm
from studio.ui.slider import NumberSlider

STEPS = Param("steps", "int", 20, "Steps", "More is finer and slower.", 1, 100, 1, "steps")
PARAMS = (
    STEPS,
    Param("eta", "float", 0.0, "Noise kept", group="Advanced"),
    Param("sampler", "choice", "ddim", "Sampler", choices=("ddim", "euler_ancestral")),
    Param("attr:smile", "float", 0.0, "Smile", low=-4, high=4, group="Attributes"),
    Param("tile", "bool", False, "Seamless"),
    Param("words", "text", "", "Words"),
)


def test_values_round_trip_without_signals(qtbot: QtBot) -> None:
    form = ParamForm(PARAMS)
    qtbot.addWidget(form)
    heard: list[tuple[str, object]] = []
    form.changed.connect(lambda name, value: heard.append((name, value)))
    wanted = {"steps": 7, "eta": 0.5, "sampler": "euler_ancestral", "attr:smile": -2.0, "tile": True, "words": "hi"}
    form.set_values({**wanted, "unknown": 1})
    assert form.values() == wanted
    assert heard == []
    form.reset()
    assert form.values() == {param.name: param.default for param in PARAMS}
    assert len(heard) == len(PARAMS)


def test_number_by_keyboard_slider_and_reset(qtbot: QtBot) -> None:
    slider = NumberSlider(STEPS)
    qtbot.addWidget(slider)
    slider.show()
    heard: list[object] = []
    slider.changed.connect(heard.append)
    qtbot.keyClick(slider.track, Qt.Key.Key_Right)
    assert slider.value() == 21
    slider.field.selectAll()
    qtbot.keyClicks(slider.field, "55")
    qtbot.keyClick(slider.field, Qt.Key.Key_Return)
    assert slider.value() == 55
    assert slider.track.value() == 54
    qtbot.mouseClick(slider.reset_button, Qt.MouseButton.LeftButton)
    assert slider.value() == 20
    assert not slider.reset_button.isVisible()
    assert heard == [21, 55, 20]


def test_drag_tells_where_it_begins_and_ends(qtbot: QtBot) -> None:
    slider = NumberSlider(STEPS)
    qtbot.addWidget(slider)
    slider.resize(300, 60)
    slider.show()
    story: list[str] = []
    slider.pressed.connect(lambda: story.append("pressed"))
    slider.released.connect(lambda: story.append("released"))
    slider.changed.connect(lambda _: story.append("changed"))
    middle = slider.track.height() // 2
    qtbot.mousePress(slider.track, Qt.MouseButton.LeftButton, pos=QPoint(40, middle))
    qtbot.mouseMove(slider.track, QPoint(slider.track.width(), middle))
    qtbot.mouseRelease(slider.track, Qt.MouseButton.LeftButton, pos=QPoint(slider.track.width(), middle))
    assert story[0] == "pressed"
    assert story[-1] == "released"
    assert slider.value() == 100


def test_wheel_is_left_to_the_page(qtbot: QtBot) -> None:
    form = ParamForm(PARAMS)
    qtbot.addWidget(form)
    form.show()
    before = form.values()
    for widget in (form.control("steps").track, form.control("steps").field):
        wheel = QWheelEvent(
            QPointF(5, 5), QPointF(widget.mapToGlobal(QPoint(5, 5))), QPoint(), QPoint(0, 120),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(widget, wheel)
        assert not wheel.isAccepted()
    assert form.values() == before


def test_advanced_is_folded_and_last_and_everything_has_a_name(qtbot: QtBot) -> None:
    form = ParamForm(PARAMS)
    qtbot.addWidget(form)
    form.show()
    assert not form.control("eta").isVisible()
    fold = form.findChild(Fold)
    assert fold is not None
    qtbot.mouseClick(fold.head, Qt.MouseButton.LeftButton)
    assert form.control("eta").isVisible()
    steps = form.control("steps")
    assert isinstance(steps, NumberSlider)
    assert steps.field.accessibleName() == "Steps"
    assert steps.track.toolTip() == STEPS.help


def test_choices_are_called_by_their_names(qtbot) -> None:
    choices = ("ddim", "euler_ancestral", "dpmpp_2m", "my_own")
    form = ParamForm((Param("sampler", "choice", "ddim", "Sampler", choices=choices),))
    qtbot.addWidget(form)
    combo = form.findChild(QComboBox)
    shown = [combo.itemText(index) for index in range(combo.count())]
    assert shown == ["DDIM", "Euler ancestral", "DPM-Solver++ (2M)", "My own"]
    form.set_values({"sampler": "dpmpp_2m"})
    assert form.values() == {"sampler": "dpmpp_2m"}
