"""The second and third card: what to start from and how, then the name and the rights."""

from collections.abc import Callable

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QButtonGroup, QLineEdit, QPushButton

from studio.core.params import Value
from studio.core.wizard import FIT_MODES, FitMode
from studio.state.wizard import WizardState
from studio.ui import theme
from studio.ui.form import Fold, ParamForm, QuietCombo
from studio.ui.wizard.card import Card, say
from studio.ui.wizard.pictures import Thumbs

_MODE_WORDS: dict[FitMode, tuple[str, str]] = {
    "crop": ("Crop", "Cuts the middle out, so that the picture fills the square."),
    "pad": ("Pad", "Keeps all of the picture and fills the sides."),
    "stretch": ("Stretch", "Squeezes the picture to fit."),
}


class BaseCard(Card):
    """Base package, preset, how pictures are fitted, advice."""

    def __init__(self, state: WizardState) -> None:
        super().__init__("2  Start from")
        self._state = state
        self.base_box = QuietCombo()
        self.base_box.setAccessibleName(self.tr("Model to start from"))
        self._summary = theme.label("", "hint", wrap=True)
        self.preset_box = QuietCombo()
        self.preset_box.setAccessibleName(self.tr("How long to train"))
        self._preset_help = theme.label("", "hint", wrap=True)
        self._modes = QButtonGroup(self)
        self.mode_buttons: dict[FitMode, QPushButton] = {}
        for mode in FIT_MODES:
            words, tip = _MODE_WORDS[mode]
            button = QPushButton(words)
            button.setCheckable(True)
            button.setToolTip(tip)
            button.setAccessibleDescription(tip)
            button.clicked.connect(self._chooser(mode))
            self._modes.addButton(button)
            self.mode_buttons[mode] = button
        self.previews = Thumbs(64, pairs=True)
        self.advice = theme.label("", wrap=True)
        self.form = ParamForm()
        self.form.changed.connect(self._on_form_changed)
        self._fold = Fold(self.tr("Advanced"), self.form)
        self._base_shown = ("", "")
        self.add(theme.label(self.tr("Model"), "section"), self.base_box, self._summary)
        self.add(theme.label(self.tr("Training"), "section"), self.preset_box, self._preset_help)
        self.add(theme.label(self.tr("Bring pictures to the model's size"), "section"))
        self.add_row(*self.mode_buttons.values())
        self.add(self.previews, self.advice, self._fold)
        self.base_box.activated.connect(self._on_base_box_activated)
        self.preset_box.activated.connect(self._on_preset_box_activated)
        self.refresh()

    def refresh(self) -> None:
        """Show the state."""
        state, base = self._state, self._state.base
        with QSignalBlocker(self.base_box):
            ids = [package.manifest.id for package in state.bases]
            if ids != [self.base_box.itemData(i) for i in range(self.base_box.count())]:
                self.base_box.clear()
                for package in state.bases:
                    self.base_box.addItem(package.manifest.name, package.manifest.id)
            self.base_box.setCurrentIndex(ids.index(state.flow.base_id) if state.flow.base_id in ids else -1)
        self.base_box.setPlaceholderText(
            self.tr("Choose a model") if ids else self.tr("No model can be fine-tuned yet")
        )
        self.base_box.setEnabled(bool(ids))
        manifest = base.manifest if base is not None else None
        if manifest is not None and manifest.size is not None and manifest.training is not None:
            size = f"{manifest.size.width_px} x {manifest.size.height_px} px"
            say(self._summary, f"{manifest.summary} {size}. {manifest.training.layout}".strip())
        else:
            say(self._summary, "")
        self._refresh_presets()
        self.mode_buttons[state.flow.mode].setChecked(True)
        pictures = [picture for pair in state.pairs for picture in (pair.before, pair.after)]
        self.previews.show_pictures(pictures, name=self.tr("Pictures before and after fitting"))
        stops = any(advice.stops for advice in state.advice)
        say(self.advice, "\n".join(f"• {advice.text}" for advice in state.advice), level="warning" if stops else "")

    def _refresh_presets(self) -> None:
        state, base = self._state, self._state.base
        block = base.manifest.training if base is not None else None
        presets = block.presets if block is not None else ()
        shown = (state.flow.base_id, state.flow.preset)
        with QSignalBlocker(self.preset_box):
            names = [preset.name for preset in presets]
            if names != [self.preset_box.itemText(i) for i in range(self.preset_box.count())]:
                self.preset_box.clear()
                self.preset_box.addItems(names)
            self.preset_box.setCurrentIndex(names.index(state.flow.preset) if state.flow.preset in names else -1)
        self.preset_box.setEnabled(bool(names))
        chosen = next((preset for preset in presets if preset.name == state.flow.preset), None)
        say(self._preset_help, chosen.help if chosen is not None else "")
        self._fold.setVisible(bool(state.params))
        if shown != self._base_shown:
            self._base_shown = shown
            self.form.set_params(state.params)
            values: dict[str, Value] = {**(chosen.values if chosen is not None else {}), **state.flow.changes}
            self.form.set_values(values)

    def _on_base_box_activated(self, index: int) -> None:
        self._state.choose_base(str(self.base_box.itemData(index)))

    def _on_preset_box_activated(self, index: int) -> None:
        self._state.choose_preset(self.preset_box.itemText(index))

    def _chooser(self, mode: FitMode) -> Callable[[bool], None]:
        return lambda _checked: self._state.choose_mode(mode)

    def _on_form_changed(self, name: str, value: Value) -> None:
        self._state.change(name, value)


class NameCard(Card):
    """Name of the new model and the note on rights."""

    def __init__(self, state: WizardState) -> None:
        super().__init__("3  Name and rights")
        self._state = state
        self.name_edit = QLineEdit()
        self.name_edit.setAccessibleName(self.tr("Name of the new model"))
        self.name_edit.setPlaceholderText(self.tr("Such as: My leaves"))
        self.name_edit.setMaxLength(80)
        self.consent_edit = QLineEdit()
        self.consent_edit.setAccessibleName(self.tr("Whose pictures, and with what right"))
        self.consent_edit.setPlaceholderText(self.tr("Whose pictures are these? Such as: all drawn by me"))
        self.consent_edit.setMaxLength(400)
        self.add(self.name_edit, self.consent_edit)
        hint = self.tr("The note travels inside the model, so that whoever gets it knows.")
        self.add(theme.label(hint, "hint", wrap=True))
        self.name_edit.textEdited.connect(state.rename)
        self.consent_edit.textEdited.connect(state.note_consent)
        self.name_edit.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.refresh()

    def refresh(self) -> None:
        """Show the state without moving the cursor of whoever types."""
        flow = self._state.flow
        for edit, text in ((self.name_edit, flow.name), (self.consent_edit, flow.consent)):
            if edit.text() != text:
                edit.setText(text)
