"""The supervisor of trainers: child processes that outlive the window, followed through their run folders."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil
from PySide6.QtCore import QObject, QTimer, Signal

from studio.core.errors import TrainingError
from studio.core.protocol import (
    CONTROL_NAME,
    LOG_NAME,
    PID_NAME,
    SPEC_NAME,
    Control,
    RunSpec,
    read_events,
)
from studio.core.quiet import QUIET_ENVIRONMENT
from studio.runtime.atomic import remove_folder, storage_error, write_bytes
from studio.workers.follow import Verb, trainer_command

NICENESS = 10
TICK_MS = 200
LOOK_AROUND_S = 2.0
KILL_AFTER_S = 15.0
SILENT_AFTER_S = 90.0
WAITING_NAME = "waiting"

_log = logging.getLogger(__name__)
_ROOT = Path(__file__).resolve().parents[2]


@dataclass
class _Child:
    """A live trainer: ours, or one that an earlier window started."""

    verb: Verb
    process: subprocess.Popen[bytes] | None = None
    known: tuple[int, float] | None = None
    stop_at_s: float = 0.0
    told_silent: bool = False
    then: Verb | None = None
    heard_s: float = field(default_factory=time.monotonic)


class Supervisor(QObject):
    """Starts, steers and watches trainers.

    Closing the window ends nothing: `attach` of the next one finds what is still running.

    Signals:
        told(str run, object TrainingEvent): a line of ``events.jsonl``, in order, each exactly once per supervisor.
        started(str run, str verb): a process works on the run (started here, or found running).
        ended(str run, str reason): no process works on it any more; the reason is empty when its last event says all,
            else a sentence on how it died.
        silent(str run, float seconds): it lives but has said nothing for long.
        waiting(str run): it stands in the queue.
    """

    told = Signal(str, object)
    started = Signal(str, str)
    ended = Signal(str, str)
    silent = Signal(str, float)
    waiting = Signal(str)

    def __init__(
        self,
        runs: Path,
        *,
        command: Callable[[Verb, Path], list[str]] = trainer_command,
        silent_after_s: float = SILENT_AFTER_S,
        kill_after_s: float = KILL_AFTER_S,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._runs = runs
        self._command = command
        self._silent_after_s = silent_after_s
        self._kill_after_s = kill_after_s
        self._children: dict[str, _Child] = {}
        self._offsets: dict[str, int] = {}
        self._controls: dict[str, Control] = {}
        self._looked_s = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._on_timer_timeout)

    def attach(self) -> tuple[str, ...]:
        """Read every run folder, take up those that are still running, and begin to watch. Returns all run ids."""
        found = self._run_names()
        for run in found:
            self._tail(run)
            self._adopt(run)
            if run not in self._children and self._is_waiting(run):
                self.waiting.emit(run)
        self._timer.start()
        return found

    def folder(self, run: str) -> Path:
        """The folder of a run."""
        return self._runs / run

    def spec(self, run: str) -> RunSpec:
        """What a run trains; raises `TrainingError` when its spec.json cannot be read."""
        try:
            return msgspec.json.decode((self.folder(run) / SPEC_NAME).read_bytes(), type=RunSpec)
        except (OSError, msgspec.MsgspecError, ValueError) as error:
            raise TrainingError(f"The run {run} cannot be read: {error}.", "Start a new run.") from error

    def create(self, run: str, spec: RunSpec) -> None:
        """Write the spec of a new run; raises `StorageError`."""
        folder = self.folder(run)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, folder, 0) from error
        write_bytes(folder / SPEC_NAME, msgspec.json.encode(spec))
        self._timer.start()

    def measure(self, run: str) -> None:
        """Measure a few steps that are thrown away, at once, beside whatever trains."""
        self._start(run, "measure")

    def train(self, run: str) -> None:
        """Train or go on; waits for its turn while another run trains."""
        if self._busy(besides=run):
            write_bytes(self.folder(run) / WAITING_NAME, b"")
            self.waiting.emit(run)
            return
        self._start(run, "train")

    def export(self, run: str) -> None:
        """Make a package of the newest weights: of a live trainer between two steps, else of the last checkpoint."""
        if run in self._children:
            control = self._control(run)
            self._steer(run, msgspec.structs.replace(control, export_requests=control.export_requests + 1))
        else:
            self._start(run, "export")

    def sample(self, run: str) -> None:
        """Ask a live trainer for a sample sheet."""
        control = self._control(run)
        self._steer(run, msgspec.structs.replace(control, sample_requests=control.sample_requests + 1))

    def pause(self, run: str) -> None:
        """Ask a live trainer to pause."""
        self._steer(run, msgspec.structs.replace(self._control(run), action="pause"))

    def resume(self, run: str) -> None:
        """Let a paused trainer go on, or start one from the last checkpoint."""
        child = self._children.get(run)
        if child is not None and child.verb == "train" and not child.stop_at_s:
            self._steer(run, msgspec.structs.replace(self._control(run), action="run"))
        else:
            self.train(run)

    def stop(self, run: str) -> None:
        """Ask a live trainer to save and end; one that does not obey is ended. A waiting run leaves the queue."""
        (self.folder(run) / WAITING_NAME).unlink(missing_ok=True)
        child = self._children.get(run)
        if child is None:
            self.ended.emit(run, "")
            return
        child.then = None
        if not child.stop_at_s:
            child.stop_at_s = time.monotonic()
        self._steer(run, msgspec.structs.replace(self._control(run), action="stop"))

    def remove(self, run: str) -> None:
        """Delete the folder of a run that nothing works on; raises `StorageError`."""
        if run not in self._children and self.folder(run).is_dir():
            remove_folder(self.folder(run))
            self._offsets.pop(run, None)

    def alive(self, run: str) -> bool:
        """A process works on this run."""
        return run in self._children

    def log_tail(self, run: str, *, lines: int = 12) -> str:
        """The end of the trainer's log."""
        try:
            data = (self.folder(run) / LOG_NAME).read_bytes()[-16_000:]
        except OSError:
            return ""
        return "\n".join(data.decode("utf-8", errors="replace").strip().splitlines()[-lines:])

    def close(self) -> None:
        """Stop watching. Trainers go on."""
        self._timer.stop()
        for child in self._children.values():
            if child.process is not None:
                # It is meant to outlive us; without this Popen would warn that it still runs.
                child.process.returncode = child.process.poll() or 0
        self._children.clear()

    def _start(self, run: str, verb: Verb) -> None:
        """Start a trainer.

        Raises:
            TrainingError: no process could be started.
        """
        child = self._children.get(run)
        if child is not None:
            if child.verb != verb or child.stop_at_s:
                child.then = verb  # it has said its last word, but takes a moment to end
            return
        folder = self.folder(run)
        (folder / WAITING_NAME).unlink(missing_ok=True)
        (folder / CONTROL_NAME).unlink(missing_ok=True)
        self._controls.pop(run, None)
        self._tail(run)
        try:
            with (folder / LOG_NAME).open("ab") as log:
                process = _spawn(self._command(verb, folder), log.fileno())
        except OSError as error:
            raise TrainingError(
                f"The trainer could not be started: {error.strerror or error}.", "Close other programs and try again."
            ) from error
        self._children[run] = _Child(verb, process)
        self._timer.start()
        self.started.emit(run, verb)

    def _steer(self, run: str, control: Control) -> None:
        if run not in self._children:
            return
        self._controls[run] = control
        write_bytes(self.folder(run) / CONTROL_NAME, msgspec.json.encode(control))

    def _control(self, run: str) -> Control:
        """What was asked last; of an adopted trainer what the earlier window asked."""
        if run not in self._controls:
            try:
                data = (self.folder(run) / CONTROL_NAME).read_bytes()
                self._controls[run] = msgspec.json.decode(data, type=Control)
            except (OSError, msgspec.MsgspecError, ValueError):
                self._controls[run] = Control()
        return self._controls[run]

    def _busy(self, besides: str = "") -> bool:
        return any(child.verb == "train" for run, child in self._children.items() if run != besides)

    def _on_timer_timeout(self) -> None:
        for run, child in list(self._children.items()):
            alive = _alive(child)
            if self._tail(run):
                child.heard_s, child.told_silent = time.monotonic(), False
            if not alive:
                self._tail(run)
                del self._children[run]
                self._looked_s = 0.0
                if child.then is not None:
                    self._begin(run, child.then)
                else:
                    self.ended.emit(run, _death(child))
            else:
                self._press(run, child)
        if time.monotonic() - self._looked_s >= LOOK_AROUND_S:
            self._looked_s = time.monotonic()
            self._look_around()

    def _look_around(self) -> None:
        """Take up trainers that appeared without us, and let the next of the queue begin."""
        names = self._run_names()
        for run in names:
            if run not in self._children:
                self._adopt(run)
        if not self._busy():
            queue = sorted((run for run in names if self._is_waiting(run)), key=self._waits_since)
            for run in queue[:1]:
                self._begin(run, "train")

    def _begin(self, run: str, verb: Verb) -> None:
        """Start where no caller could be told of an error."""
        try:
            self._start(run, verb)
        except TrainingError as error:
            _log.warning("%s", error)
            self.ended.emit(run, error.message)

    def _press(self, run: str, child: _Child) -> None:
        """End what does not obey; tell of what is silent."""
        now = time.monotonic()
        if child.stop_at_s and now - child.stop_at_s > self._kill_after_s:
            _kill(child)
        quiet_s = now - child.heard_s
        if quiet_s > self._silent_after_s and not child.told_silent:
            child.told_silent = True
            self.silent.emit(run, quiet_s)

    def _tail(self, run: str) -> bool:
        offset = self._offsets.get(run, 0)
        try:
            events, self._offsets[run] = read_events(self.folder(run), offset=offset)
        except OSError as error:
            _log.warning("events of %s cannot be read: %s", run, error)
            return False
        for event in events:
            self.told.emit(run, event)
        return bool(events)

    def _adopt(self, run: str) -> None:
        known = _pid_file(self.folder(run))
        if known is not None and run not in self._children:
            child = _Child("train", known=known)
            if _alive(child):
                self._children[run] = child
                self.started.emit(run, child.verb)

    def _run_names(self) -> tuple[str, ...]:
        try:
            folders = [path for path in self._runs.iterdir() if (path / SPEC_NAME).is_file()]
        except OSError:
            return ()
        return tuple(sorted(path.name for path in folders if not path.name.startswith(".")))

    def _is_waiting(self, run: str) -> bool:
        return (self.folder(run) / WAITING_NAME).exists()

    def _waits_since(self, run: str) -> float:
        try:
            return (self.folder(run) / WAITING_NAME).stat().st_mtime
        except OSError:
            return 0.0


def _spawn(command: list[str], log: int) -> subprocess.Popen[bytes]:
    """A child with a session of its own, so that closing the window or its terminal does not reach it."""
    environment = {**os.environ, **QUIET_ENVIRONMENT, "OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1"}
    flags = 0
    if sys.platform == "win32":
        flags = (
            subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        )
    process = subprocess.Popen(
        command,
        cwd=_ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        creationflags=flags,
    )
    if sys.platform != "win32":
        # At once, because the threads that it makes later inherit it. A function between fork and exec could deadlock.
        try:
            psutil.Process(process.pid).nice(NICENESS)
        except psutil.Error:
            _log.warning("the trainer could not be given a lower priority")
    return process


def _pid_file(folder: Path) -> tuple[int, float] | None:
    try:
        return msgspec.json.decode((folder / PID_NAME).read_bytes(), type=tuple[int, float])
    except (OSError, msgspec.MsgspecError, ValueError):
        return None


def _alive(child: _Child) -> bool:
    if child.process is not None:
        return child.process.poll() is None
    if child.known is None:
        return False
    pid, started_s = child.known
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started_s) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _kill(child: _Child) -> None:
    if child.process is not None:
        child.process.kill()
    elif child.known is not None and _alive(child):
        try:
            psutil.Process(child.known[0]).kill()
        except psutil.Error:
            _log.info("the trainer ended by itself")


def _death(child: _Child) -> str:
    """How a trainer died, or nothing when it ended in order (0) or told why (1)."""
    code = child.process.returncode if child.process is not None else None
    if code is None or code in (0, 1):
        return ""
    if child.stop_at_s:
        return "It did not stop in time and was ended."
    if code < 0:
        return f"It was ended from outside (signal {-code})."
    return f"It ended with code {code}."
