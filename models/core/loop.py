"""The one training loop, for every family."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from models.core.average import Average
from models.core.base_package import relative_change
from models.core.checkpoint import TrainState, read_checkpoint, restore, save_checkpoint
from models.core.data import augmented, draw_indices
from models.core.events import Emitter
from models.core.family import Batch, Loss, StepContext
from models.core.setup import Job
from models.core.sheets import sheet_labels, sheet_png
from models.core.steering import DatasetWatch, Steering
from studio.core.errors import StorageError, StudioError, TrainingError
from studio.core.protocol import CHECKPOINTS, SAMPLES, Phase, TrainingEvent
from studio.runtime.atomic import sweep, write_bytes

LOSS_EVERY_S = 0.5
_PAUSE_POLL_S = 0.1
_RETRY_S = 5.0


@dataclass(frozen=True)
class Ended:
    """How `Trainer.run` ended: all steps done, or stopped with a checkpoint of ``step``."""

    phase: Literal["finished", "stopped"]
    step: int


class _StopSamplingError(Exception):
    """Stop was asked for while a sample sheet was being made."""


class Trainer:
    """One run, from its last checkpoint (or step 0) to its last step.

    Args:
        job: what to train.
        emitter: where events go.
        steering: what the window asks.
        export: makes a package of the current weights when the window asks; handles its own errors.
    """

    def __init__(
        self, job: Job, *, emitter: Emitter, steering: Steering, export: Callable[["Trainer"], None] | None = None
    ) -> None:
        self.job = job
        self.step = 0
        self.emitter = emitter
        self.steering = steering
        self._export = export
        self._total = int(job.settings["steps"])
        self._batch = int(job.settings["batch"])
        self._accumulate = int(job.settings["accumulate"])
        rng = torch.Generator(job.device).manual_seed(int(job.settings["seed"]))
        decay = float(job.settings["ema"])
        average = Average(job.family.averaged(job.network), decay) if decay > 0 else None
        self._state = TrainState(job.network, job.family.optimizers(job.network, job.settings), average, rng)
        self._watch = DatasetWatch(Path(job.spec.dataset))
        self._trouble = ""
        self._seconds = 0.0
        self._saved_step = -1
        self._saved_s = self._sheet_s = time.monotonic()
        self._sheet_took_s = 0.0
        self._figures = _Figures()

    def run(self) -> Ended:
        """Train until the last step or a request to stop.

        Raises:
            TrainingError: the loss is not a number any more, memory is short, a checkpoint does not fit. The last good
                checkpoint stays.
            StorageError: stopping, and the last checkpoint cannot be written.
        """
        self.resume()
        self._phase("training")
        self.job.network.train()
        if self.step == 0:
            self._show()
        while self.step < self._total:
            if not self._obey():
                return self._stop()
            self.advance()
            self._tell()
            self._save_when_due()
            self._show_when_due()
        self._tell(force=True)
        self._save()
        self._show()
        self.check_moved()
        return Ended("finished", self.step)

    def advance(self) -> None:
        """One step."""
        started = time.monotonic()
        shown = self._round()
        self._figures.add(shown, time.monotonic() - started)
        self.step += 1
        self._seconds += time.monotonic() - started

    def resume(self) -> None:
        """Go to the newest whole checkpoint; stay at step 0 when there is none.

        Raises:
            TrainingError: the checkpoint is of another network or data set, or all are damaged.
        """
        found = read_checkpoint(self.job.run / CHECKPOINTS)
        if found is None:
            return
        record, tensors = found
        if record.dataset != self.job.data.digest:
            raise TrainingError(
                "The data set is not the one that this run was started with.",
                "Bring the data set back as it was, or start a new run.",
            )
        restore(self._state, record, tensors)
        self.step = self._saved_step = record.step
        self._seconds = record.seconds

    def check_moved(self) -> None:
        """Tell how far a fine-tune went from its base.

        Raises:
            TrainingError: the weights are those of the base.
        """
        if self.job.base is None:
            return
        with self.finished_weights() as network:
            moved = relative_change(network, self.job.base.weights)
        self.emitter.emit(TrainingEvent("moved", time.time(), step=self.step, value=moved))
        if moved == 0:
            raise TrainingError(
                "The training did not change the weights at all.", "Raise the learning rate or the number of steps."
            )

    @contextmanager
    def finished_weights(self) -> Iterator[nn.Module]:
        """The network in evaluation mode with the averaged weights in place; as before afterwards."""
        network = self.job.network
        average = self._state.average
        with torch.random.fork_rng(), average.applied() if average is not None and self.step else nullcontext():
            network.eval()
            try:
                yield network
            finally:
                network.train()

    def _round(self) -> dict[str, float]:
        """One step of every optimiser on one batch (or ``accumulate`` batches); the figures for the plot."""
        family, network = self.job.family, self.job.network
        context = StepContext(self.step, self._total, self._state.rng, self.job.settings)
        try:
            batches = [self._draw(self.step * self._accumulate + index) for index in range(self._accumulate)]
            streams = [family.losses(network, batch, context) for batch in batches]
            shown: dict[str, float] = {}
            while True:
                network.zero_grad(set_to_none=True)
                losses = [self._backward(stream) for stream in streams]
                if losses[0] is None:
                    break
                self._descend(losses[0].optimizer)
                shown.update(losses[0].shown or {losses[0].optimizer: float(losses[0].value.detach())})
            if self._state.average is not None:
                self._state.average.update()
            return shown
        except (MemoryError, RuntimeError) as error:
            if not _is_memory(error):
                raise
            raise self._too_large() from error

    def _draw(self, index: int) -> Batch:
        rows = draw_indices(
            index, items=self.job.data.count("train"), batch=self._batch, seed=int(self.job.settings["seed"])
        )
        batch = self.job.data.batch("train", rows, turn=index)
        images = augmented(batch.images, self.job.settings, self._state.rng)
        return Batch(images, batch.labels).to(self.job.device)

    def _backward(self, stream: Iterator[Loss]) -> Loss | None:
        loss = next(stream, None)
        if loss is None:
            return None
        value = loss.value / self._accumulate if self._accumulate > 1 else loss.value
        if not math.isfinite(value.item()):
            raise self._not_a_number(f"The loss of {loss.optimizer!r}")
        value.backward()
        return loss

    def _descend(self, name: str) -> None:
        optimizer = self._state.optimizers[name]
        held: list[Tensor] = [held for group in optimizer.param_groups for held in group["params"]]
        parameters = [parameter for parameter in held if parameter.grad is not None]
        limit = float(self.job.settings["clip"]) or math.inf
        norm = nn.utils.clip_grad_norm_(parameters, limit)
        if not math.isfinite(float(norm)):
            raise self._not_a_number(f"The gradient of {name!r}")
        optimizer.step()

    def _obey(self) -> bool:
        """Do what is asked between two steps, wait while paused; False to stop."""
        paused = False
        retry_s = 0.0
        while True:
            if self.steering.stopping:
                return False
            if self.steering.take_sample_request():
                self._show()
            if self.steering.take_export_request() and self._export is not None:
                self._export(self)
                self._phase("paused" if paused else "training")
            if self._trouble and time.monotonic() >= retry_s:
                self._save()
                retry_s = time.monotonic() + _RETRY_S
            reason = self._trouble or self._watch.trouble()
            if not reason and not self.steering.pausing:
                if paused:
                    self._phase("training")
                return True
            if not paused:
                self._save()
                self._phase("paused", reason)
                paused = True
            self.emitter.heartbeat()
            time.sleep(_PAUSE_POLL_S)

    def _stop(self) -> Ended:
        self._tell(force=True)
        self._save()
        if self._trouble:
            raise TrainingError(
                f"The training was stopped, but the last steps could not be saved. {self._trouble}",
                "Make room, then resume from the checkpoint before.",
            )
        return Ended("stopped", self.step)

    def _tell(self, *, force: bool = False) -> None:
        if not force and not self._figures.due():
            self.emitter.heartbeat()
            return
        means, step_s = self._figures.taken()
        if means:
            self.emitter.emit(
                TrainingEvent(
                    "loss",
                    time.time(),
                    step=self.step,
                    total=self._total,
                    losses=means,
                    seconds_left=step_s * (self._total - self.step),
                    memory_mb=memory_mb(),
                    step_ms=step_s * 1000,
                )
            )

    def _save_when_due(self) -> None:
        every = int(self.job.settings["checkpoint_steps"])
        due = time.monotonic() - self._saved_s >= float(self.job.settings["checkpoint_s"])
        if due or (every and self.step % every == 0):
            self._save()

    def _save(self) -> None:
        """Write a checkpoint unless this step has one. A failure is remembered: the run pauses and tries again."""
        if self._saved_step == self.step and not self._trouble:
            return
        try:
            folder = self.job.run / CHECKPOINTS
            digest = self.job.data.digest
            save_checkpoint(folder, self._state, step=self.step, dataset=digest, seconds=self._seconds)
        except StorageError as error:
            self._trouble = str(error)
            return
        self._trouble = ""
        self._saved_step, self._saved_s = self.step, time.monotonic()
        self.emitter.emit(TrainingEvent("checkpoint", time.time(), step=self.step))

    def _show_when_due(self) -> None:
        every = int(self.job.settings["sample_steps"])
        # Sheets may take a twentieth of the time.
        wait_s = max(float(self.job.settings["sample_s"]), 20 * self._sheet_took_s)
        if self.step == self._total:
            return
        if time.monotonic() - self._sheet_s >= wait_s or (every and self.step % every == 0):
            self._show()

    def _show(self) -> None:
        """Write a sample sheet and measure on held-out pictures."""
        started = time.monotonic()
        try:
            with self.finished_weights(), self._interruptible(), torch.no_grad():
                png = self.sheet()
                metrics = self._validated()
            folder = self.job.run / SAMPLES
            folder.mkdir(exist_ok=True)
            sweep(folder)
            name = f"step-{self.step:08d}.png"
            write_bytes(folder / name, png)
        except _StopSamplingError:
            return
        except StorageError as error:
            self._trouble = str(error)
            return
        finally:
            self._sheet_s = time.monotonic()
            self._sheet_took_s = self._sheet_s - started
        self.emitter.emit(TrainingEvent("sample", time.time(), step=self.step, file=f"{SAMPLES}/{name}"))
        if metrics:
            self.emitter.emit(TrainingEvent("metric", time.time(), step=self.step, losses=metrics))

    def sheet(self) -> bytes:
        """A contact sheet of the network as it is, as PNG."""
        job = self.job
        count = int(job.settings["sheet"])
        labels = sheet_labels(count, len(job.data.facts.labels)).to(job.device)
        return sheet_png(job.family.sample(job.network, job.config, seeds=list(range(count)), labels=labels))

    def _validated(self) -> dict[str, float]:
        if not self.job.data.count("valid"):
            return {}
        batch = self.job.data.held_out().to(self.job.device)
        rng = torch.Generator(self.job.device).manual_seed(0)
        return self.job.family.validate(self.job.network, self.job.config, batch, rng)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Stop within one pass of a layer, however many passes a sheet takes."""

        def look(_module: nn.Module, _inputs: object) -> None:
            if self.steering.stopping:
                raise _StopSamplingError

        hook = register_module_forward_pre_hook(look)
        try:
            yield
        finally:
            hook.remove()

    def _phase(self, phase: Phase, message: str = "") -> None:
        self.emitter.emit(
            TrainingEvent("phase", time.time(), step=self.step, total=self._total, phase=phase, message=message)
        )

    def _kept(self) -> str:
        if self._saved_step < 0:
            return "nothing was saved yet"
        return f"the checkpoint of step {self._saved_step} is kept"

    def _not_a_number(self, what: str) -> StudioError:
        rate = float(self.job.settings["learning_rate"])
        return TrainingError(
            f"{what} is not a number any more at step {self.step + 1}; {self._kept()}.",
            f"Start again with a learning rate of {rate / 4:.2g} instead of {rate:.2g}.",
        )

    def _too_large(self) -> StudioError:
        smaller = max(1, self._batch // 2)
        return TrainingError(
            f"The memory ({memory_mb():.0f} MB in use) does not hold a batch of {self._batch}; {self._kept()}.",
            f"Set the batch to {smaller}." if self._batch > 1 else "Choose smaller pictures or a smaller network.",
        )


class _Figures:
    """The mean of every figure since it was last told."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, int]] = {}
        self._told_s = 0.0
        self._step_s = 0.0

    def add(self, shown: dict[str, float], step_s: float) -> None:
        for name, value in shown.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value, count + 1)
        self._step_s = 0.95 * self._step_s + 0.05 * step_s if self._step_s else step_s

    def due(self) -> bool:
        return time.monotonic() - self._told_s >= LOSS_EVERY_S

    def taken(self) -> tuple[dict[str, float], float]:
        """Means, and seconds per step."""
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self._sums.clear()
        self._told_s = time.monotonic()
        return means, self._step_s


def memory_mb() -> float:
    """Memory of this process; on a graphics card the most that its tensors took."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 1e6
    return psutil.Process().memory_info().rss / 1e6


def _is_memory(error: Exception) -> bool:
    text = str(error).lower()
    marks = ("out of memory", "not enough memory", "allocate memory", "bad_alloc")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(mark in text for mark in marks)
