"""The last cards: the new model beside the one before, and the list of runs."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from studio.core.runs import RESUMABLE, RunView, heading
from studio.state.wizard import WizardState
from studio.ui import theme
from studio.ui.buttons import push_button, tool_button
from studio.ui.wizard.card import Card, say
from studio.ui.wizard.pictures import Sheet


class ResultCard(Card):
    """Parity, weights moved, before and after on the same seeds, and the way into the pane."""

    def __init__(self, state: WizardState) -> None:
        super().__init__("6  Your model")
        self._state = state
        self.words = theme.label("", wrap=True)
        self.proof = theme.label("", "hint", wrap=True)
        self.before, self.after = Sheet(280), Sheet(280)
        sheets = QWidget()
        grid = QGridLayout(sheets)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(theme.SPACE)
        for column, (title, sheet) in enumerate(((self.tr("Before"), self.before), (self.tr("After"), self.after))):
            grid.addWidget(theme.label(title, "section"), 0, column)
            grid.addWidget(sheet, 1, column)
            grid.setColumnStretch(column, 1)
        self.open_button = push_button(self.tr("Open in Paint"), state.open_result, name="paint", primary=True)
        self.again_button = push_button(self.tr("Train another"), state.again, name="plus")
        self.add(self.words, self.proof, sheets)
        self.add_row(self.open_button, self.again_button)
        self.refresh()

    def refresh(self) -> None:
        """Show the state."""
        run = self._state.run
        there = run is not None and bool(run.installed)
        self.setVisible(there)
        if run is None or not there:
            return
        say(self.words, self.tr("{} is in your library.").format(run.spec.package_name), level="success")
        moved = f"The weights moved by {run.moved:.2%}. " if run.moved is not None else ""
        parity = f"The exported model equals the trained one: {run.parity}" if run.parity else ""
        say(self.proof, moved + parity)
        if run.samples:
            self.before.show_file(run.samples[0].file, name=self.tr("Pictures before training"))
            self.after.show_file(run.samples[-1].file, name=self.tr("Pictures after training, same seeds"))


class RunsCard(Card):
    """Earlier, waiting and running trainings."""

    def __init__(self, state: WizardState) -> None:
        super().__init__("Runs")
        self._state = state
        self._rows = QVBoxLayout()
        self._rows.setSpacing(theme.SPACE)
        self.column.addLayout(self._rows)
        self.lines: dict[str, _RunLine] = {}
        self.refresh()

    def refresh(self) -> None:
        """Show the runs; lines that stay keep the focus."""
        runs = self._state.training.runs
        self.setVisible(bool(runs))
        ids = [run.id for run in runs]
        if ids != list(self.lines):
            for line in self.lines.values():
                line.setParent(None)
                line.deleteLater()
            self.lines = {run.id: _RunLine(self._state, run.id) for run in runs}
            for line in self.lines.values():
                self._rows.addWidget(line)
        for run in runs:
            self.lines[run.id].show_run(run)


class _RunLine(QWidget):
    """One run: name, what it does, and its buttons."""

    def __init__(self, state: WizardState, run: str) -> None:
        super().__init__()
        self._state, self._run = state, run
        self._name = theme.label("")
        self._name.setTextFormat(Qt.TextFormat.PlainText)
        self._words = theme.label("", "hint")
        self.show_button = push_button(self.tr("Show"), lambda: state.show_run(run))
        self.resume_button = push_button(self.tr("Resume"), self._on_resume_clicked, name="play")
        self.stop_button = tool_button("stop", self.tr("Stop"), lambda: state.training.stop(run))
        self.remove_button = tool_button("trash", self.tr("Delete the run"), lambda: state.training.remove(run))
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self._name)
        line.addWidget(self._words, 1)
        for button in (self.resume_button, self.show_button, self.stop_button, self.remove_button):
            line.addWidget(button)

    def show_run(self, run: RunView) -> None:
        """Show how it stands."""
        self._name.setText(run.spec.package_name)
        self._words.setText(heading(run))
        self.show_button.setAccessibleName(f"Show {run.spec.package_name}")
        self.resume_button.setVisible(run.status in RESUMABLE)
        self.resume_button.setAccessibleName(f"Resume {run.spec.package_name}")
        self.stop_button.setVisible(run.live or run.status == "waiting")
        self.remove_button.setVisible(not run.live and run.status != "waiting")

    def _on_resume_clicked(self) -> None:
        self._state.show_run(self._run)
        self._state.training.resume(self._run)
