"""Training as a person at a terminal sees it. Windows read ``events.jsonl`` instead."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from studio.core.protocol import TrainingEvent


class Display:
    """Shows events: a bar on a terminal, plain lines in a file. Call it with every event; `close` it at the end."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[said]}"),
        )
        self._progress = Progress(*columns, console=self._console) if self._console.is_terminal else None
        self._task = self._progress.add_task("", total=None, said="") if self._progress else None
        if self._progress:
            self._progress.start()

    def __call__(self, event: TrainingEvent) -> None:
        """Show one event."""
        if event.kind == "loss":
            self._loss(event)
        elif event.kind not in ("heartbeat", "checkpoint"):
            line = told(event)
            if line:
                self._console.print(line, highlight=False, markup=False)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._progress:
            self._progress.stop()

    def _loss(self, event: TrainingEvent) -> None:
        if self._progress is None or self._task is None:
            return
        losses = "  ".join(f"{name} {value:.4g}" for name, value in event.losses.items())
        self._progress.update(
            self._task,
            description=f"step {event.step} of {event.total}",
            completed=event.step,
            total=event.total,
            said=f"{losses}  {duration(event.seconds_left)} left",
        )


def told(event: TrainingEvent) -> str:
    """One line on ``event``; empty for what is not worth one."""
    match event.kind:
        case "phase":
            return f"{event.phase}  {event.message} {event.hint}".strip()
        case "sample":
            return f"step {event.step}: {event.file}"
        case "metric":
            figures = "  ".join(f"{name} {value:.4g}" for name, value in event.losses.items())
            return f"step {event.step}: {figures}"
        case "fit":
            left = duration(event.seconds_left)
            return f"{event.step_ms:.0f} ms a step, {left} in all, {event.memory_mb:.0f} MB"
        case "moved":
            return f"the weights moved by {event.value:.2%}"
        case "parity":
            return event.message
        case "package":
            return f"package: {event.file}"
        case _:
            return ""


def duration(seconds: float) -> str:
    """Such as ``45 s``, ``12 min`` or ``3 h 20 min``."""
    if seconds < 90:
        return f"{max(0.0, seconds):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
