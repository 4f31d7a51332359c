"""The fourth and fifth card: will it fit, and the training itself."""

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QSlider, QVBoxLayout, QWidget

from studio.core.runs import RunView, heading
from studio.core.wizard import lasts, verdict
from studio.state.wizard import WizardState
from studio.ui import theme
from studio.ui.buttons import push_button
from studio.ui.wizard.card import Card, row, say
from studio.ui.wizard.pictures import Sheet
from studio.ui.wizard.plot import LossPlot


class FitCard(Card):
    """One measured step before hours are spent."""

    def __init__(self, state: WizardState) -> None:
        super().__init__("4  Will it fit?")
        self._state = state
        self.measure_button = push_button(
            self.tr("Measure a step"),
            state.measure,
            name="chip",
            tip=self.tr("Takes a few real steps on this machine and throws them away."),
        )
        self.verdict = theme.label("", wrap=True)
        self.add_row(self.measure_button)
        self.add(self.verdict)
        self.refresh()

    def refresh(self) -> None:
        """Show the state."""
        state = self._state
        run = state.run
        measuring = run is not None and run.status == "measuring"
        self.measure_button.setEnabled(state.can_start and not measuring)
        result = state.flow.measured
        if run is not None and run.status == "failed" and not run.trained:
            say(self.verdict, f"{run.message} {run.hint}".strip(), level="error")
        elif measuring:
            say(self.verdict, self.tr("Measuring a step …"))
        elif result is not None:
            say(self.verdict, verdict(result), level="success" if result.fits else "warning")
        else:
            say(
                self.verdict,
                self.tr("Says how long it takes and how much memory it needs. You can also train at once."),
            )


class TrainCard(Card):
    """Train, watch, pause, stop, sample, export."""

    def __init__(self, state: WizardState) -> None:
        super().__init__("5  Train")
        self._state = state
        self.train_button = push_button(self.tr("Train"), state.train, name="train", primary=True)
        self.missing = theme.label("", "hint", wrap=True)
        self.heading = theme.label("")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(self.tr("Training progress"))
        self._facts = theme.label("", "hint", wrap=True)
        self._message = theme.label("", wrap=True)
        self.pause_button = self._button("Pause", "pause", self._on_pause_clicked)
        self.stop_button = self._button("Stop", "stop", lambda: self._act(state.training.stop))
        self.sample_button = self._button("Sample now", "picture", lambda: self._act(state.training.sample))
        self.export_button = self._button("Export now", "export", lambda: self._act(state.training.export))
        self.plot = LossPlot()
        self.samples = SampleBox()
        self._live = QWidget()
        column = QVBoxLayout(self._live)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACE)
        for widget in (self.heading, self._bar, self._facts, self._message):
            column.addWidget(widget)
        column.addLayout(row(self.pause_button, self.stop_button, self.sample_button, self.export_button))
        column.addWidget(self.plot)
        column.addWidget(self.samples)
        self.add(self.train_button, self.missing, self._live)
        self.refresh()

    def refresh(self) -> None:
        """Show the state."""
        state, run = self._state, self._state.run
        active = run is not None and (state.flow.training or run.trained or run.status == "waiting")
        pressed = active and self.train_button.hasFocus()
        self._live.setVisible(active)
        self.train_button.setVisible(not active)
        if pressed:  # else the focus of the button that goes would jump to the tabs
            self.pause_button.setFocus()
        self.train_button.setEnabled(state.can_start and (run is None or run.status != "measuring"))
        say(self.missing, "" if active else "\n".join(state.missing))
        if not active or run is None:
            return
        say(self.heading, heading(run))
        self._bar.setRange(0, max(1, run.total) if run.total else 0)
        self._bar.setValue(run.step)
        if not run.live:
            self._bar.setRange(0, max(1, run.total))
        say(self._facts, _facts(run))
        self._facts.setToolTip(_losses(run))
        say(self._message, f"{run.message} {run.hint}".strip(), level=_LEVELS.get(run.status, ""))
        self._refresh_buttons(run)
        self.plot.show_curves(state.training.curves(run.id))
        self.plot.setVisible(bool(state.training.curves(run.id)))
        self.samples.show_run(run)

    def _refresh_buttons(self, run: RunView) -> None:
        steady = run.phase == "training" and run.status == "running"
        resumable = run.status in ("paused", "stopped", "crashed", "failed")
        self.pause_button.setText(self.tr("Resume") if resumable else self.tr("Pause"))
        self.pause_button.setEnabled(steady or resumable)
        self.pause_button.setToolTip("" if self.pause_button.isEnabled() else run.words)
        self.stop_button.setEnabled((run.live and run.status != "stopping") or run.status == "waiting")
        self.sample_button.setEnabled(steady or run.status == "paused")
        self.export_button.setEnabled(steady or run.status == "paused" or (resumable and run.trained))

    def _button(self, words: str, icon: str, run: object) -> QPushButton:
        return push_button(self.tr(words), run, name=icon)  # pyright: ignore[reportArgumentType]

    def _act(self, action: object) -> None:
        if self._state.run is not None:
            action(self._state.run.id)  # pyright: ignore[reportCallIssue]

    def _on_pause_clicked(self) -> None:
        run = self._state.run
        if run is not None:
            resumable = run.status in ("paused", "stopped", "crashed", "failed")
            self._act(self._state.training.resume if resumable else self._state.training.pause)


class SampleBox(QWidget):
    """Sample sheets on the same seeds over time, with a scrubber; it follows the newest until it is moved back."""

    def __init__(self) -> None:
        super().__init__()
        self.sheet = Sheet(280)
        self.scrubber = QSlider(Qt.Orientation.Horizontal)
        self.scrubber.setAccessibleName(self.tr("Samples over time"))
        self._words = theme.label("", "hint")
        self._run: RunView | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(theme.label(self.tr("Samples on the same seeds"), "section"))
        column.addWidget(self.sheet, 1)
        line = QHBoxLayout()
        line.addWidget(self.scrubber, 1)
        line.addWidget(self._words)
        column.addLayout(line)
        self.scrubber.valueChanged.connect(self._on_scrubber_value_changed)

    def show_run(self, run: RunView) -> None:
        """Show the samples of a run."""
        other = self._run is None or self._run.id != run.id
        following = other or self.scrubber.value() == self.scrubber.maximum()
        self._run = run
        self.setVisible(bool(run.samples))
        with QSignalBlocker(self.scrubber):
            self.scrubber.setRange(0, max(0, len(run.samples) - 1))
            if following:
                self.scrubber.setValue(self.scrubber.maximum())
        self.scrubber.setEnabled(len(run.samples) > 1)
        self._show()

    def _show(self) -> None:
        if self._run is None or not self._run.samples:
            return
        sample = self._run.samples[min(self.scrubber.value(), len(self._run.samples) - 1)]
        words = self.tr("before training") if sample.step == 0 else self.tr("step {}").format(f"{sample.step:,}")
        self._words.setText(words)
        self.sheet.show_file(sample.file, name=f"Samples, {words}")

    def _on_scrubber_value_changed(self, _value: int) -> None:
        self._show()


_LEVELS = {"failed": "error", "crashed": "error", "paused": "warning"}


def _losses(run: RunView) -> str:
    return " · ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in run.losses.items())


def _facts(run: RunView) -> str:
    parts: list[str] = []
    if run.live and run.phase == "training" and run.seconds_left >= 0:
        parts.append(f"{lasts(run.seconds_left)} left")
    if run.step_ms:
        parts.append(f"{run.step_ms:.0f} ms a step")
    if run.memory_mb:
        parts.append(f"{run.memory_mb:.0f} MB")
    return " · ".join(parts)
