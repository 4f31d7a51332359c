import json
import math
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import torch
from torch import nn

from models.core import loop
from models.core.checkpoint import checkpoints, read_checkpoint, save_checkpoint
from models.core.family import Batch, Loss, StepContext
from models.core.loop import Trainer
from models.core.measure import measure
from models.core.steering import Steering
from studio.core.dataset import ITEMS_NAME
from studio.core.errors import StorageError, TrainingError
from studio.core.protocol import CHECKPOINTS, CONTROL_NAME, EVENTS_NAME, Control, TrainingEvent, read_events
from studio.runtime.atomic import write_bytes
from tests.faults.crash_points import ForkServer
from tests.models.core.tiny_family import Network, Tiny, make_data, make_run, train_in_child, trainer_of, weights_of

CHILD = "tests.models.core.tiny_family:train_in_child"


def _ask(run: Path, control: Control) -> None:
    write_bytes(run / CONTROL_NAME, msgspec.json.encode(control))


def _phases(run: Path) -> list[str]:
    return [event.phase for event in read_events(run)[0] if event.phase]


def _same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def straight(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The weights of an uninterrupted run."""
    torch.set_num_threads(1)
    trainer = trainer_of(make_run(tmp_path_factory.mktemp("straight") / "run", data))
    assert trainer.run().phase == "finished"
    return weights_of(trainer)


def test_a_run_tells_what_it_does(data: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", data, sample_steps=5)
    ended = trainer_of(run).run()
    assert (ended.phase, ended.step) == ("finished", 12)
    events = read_events(run)[0]
    assert [event.step for event in events if event.kind == "sample"] == [0, 5, 10, 12]
    assert all((run / event.file).stat().st_size > 100 for event in events if event.kind == "sample")
    losses = [event for event in events if event.kind == "loss"]
    assert losses[-1].step == losses[-1].total == 12
    assert set(losses[-1].losses) == {"encoder", "decoder"}
    assert losses[-1].memory_mb > 10
    assert [event.losses.keys() for event in events if event.kind == "metric"] == [{"mse"}] * 4
    assert [event.step for event in events if event.kind == "checkpoint"] == [12]


def test_training_learns(data: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", data, steps=150, flip=False, shift_px=0, learning_rate=0.01)
    trainer_of(run).run()
    first, *_, last = [event.losses["mse"] for event in read_events(run)[0] if event.kind == "metric"]
    assert last < 0.9 * first


@pytest.mark.parametrize("cuts", [(5,), (1, 2, 11)])
def test_resuming_gives_the_same_weights(
    data: Path, tmp_path: Path, straight: dict[str, torch.Tensor], cuts: tuple[int, ...]
) -> None:
    run = make_run(tmp_path / "run", data)
    for cut in cuts:
        trainer = trainer_of(run, heard=lambda _event: None)
        trainer.resume()
        while trainer.step < cut:
            trainer.advance()
        digest = trainer.job.data.digest
        save_checkpoint(run / CHECKPOINTS, trainer._state, step=trainer.step, dataset=digest, seconds=0.0)
    last = trainer_of(run)
    last.run()
    assert _same(weights_of(last), straight)


def test_sheets_do_not_change_the_weights(data: Path, tmp_path: Path, straight: dict[str, torch.Tensor]) -> None:
    trainer = trainer_of(make_run(tmp_path / "run", data, sample_steps=1, checkpoint_steps=1))
    trainer.run()
    assert _same(weights_of(trainer), straight)


def test_accumulated_batches_equal_one_large_batch(data: Path, tmp_path: Path) -> None:
    settings = {"steps": 3, "flip": False, "shift_px": 0, "clip": 0.0, "ema": 0.0}
    whole = trainer_of(make_run(tmp_path / "whole", data, batch=8, **settings), family=_Plain())
    parts = trainer_of(make_run(tmp_path / "parts", data, batch=2, accumulate=4, **settings), family=_Plain())
    whole.run()
    parts.run()
    for name, value in weights_of(whole).items():
        assert torch.allclose(value, weights_of(parts)[name], atol=1e-6), name


def _kill_and_resume(server: ForkServer, run: Path, kills: int) -> int:
    """Kill the trainer at ``kills`` different moments, then let it end; how often it was really killed."""
    killed = 0
    for index in range(kills):
        size = _size(run)
        pid = server.start(CHILD, str(run))
        os.kill(pid, signal.SIGUSR1)
        # Another moment each time: after so many more bytes of events, then a little further in.
        until = time.monotonic() + 20
        while _size(run) < size + 150 * (index % 7) and time.monotonic() < until and _running(pid):
            time.sleep(0.001)
        time.sleep(0.002 * (index % 11))
        if _running(pid):
            os.kill(pid, signal.SIGKILL)
        killed += os.WIFSIGNALED(server.ended())
    assert server.run(CHILD, str(run)) == 0
    return killed


def _size(run: Path) -> int:
    path = run / EVENTS_NAME
    return path.stat().st_size if path.exists() else 0


def _running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_killed_at_any_moment_it_resumes_to_the_same_weights(
    server: ForkServer, data: Path, tmp_path: Path, kills: int
) -> None:
    settings = {"steps": 40, "checkpoint_steps": 2, "sample_steps": 7}
    assert server.run(CHILD, str(make_run(tmp_path / "straight", data, **settings))) == 0
    run = make_run(tmp_path / "killed", data, **settings)
    assert _kill_and_resume(server, run, kills) >= 2
    one, other = read_checkpoint(tmp_path / "straight" / CHECKPOINTS), read_checkpoint(run / CHECKPOINTS)
    assert one is not None
    assert other is not None
    assert other[0].step == 40
    assert _same(one[1], other[1])


def test_a_cut_last_event_line_does_not_swallow_the_next(data: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", data)
    (run / EVENTS_NAME).write_bytes(b'{"kind":"loss","time_s":1.0}\n{"kind":"lo')
    trainer_of(run).run()
    events, end = read_events(run)
    assert [event.kind for event in events[:2]] == ["loss", "phase"]
    assert end == (run / EVENTS_NAME).stat().st_size


def test_losses_are_told_at_most_twice_a_second(data: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", data, steps=60)
    started = time.monotonic()
    trainer_of(run).run()
    took = time.monotonic() - started
    told = [event for event in read_events(run)[0] if event.kind == "loss"]
    assert len(told) <= took / loop.LOSS_EVERY_S + 2


class _Asking:
    """Writes controls when events come."""

    def __init__(self, run: Path, *asks: tuple[str, Control]) -> None:
        self.run, self.asks, self.asked_s = run, list(asks), 0.0

    def __call__(self, event: TrainingEvent) -> None:
        if self.asks and self.asks[0][0] in (event.kind, event.phase):
            self.asked_s = time.monotonic()
            _ask(self.run, self.asks.pop(0)[1])


def test_stop_is_answered_within_three_seconds_with_a_checkpoint(data: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", data, steps=1_000_000)
    asking = _Asking(run, ("loss", Control("stop")))
    ended = trainer_of(run, heard=asking).run()
    assert time.monotonic() - asking.asked_s < 3
    assert ended.phase == "stopped"
    assert checkpoints(run / CHECKPOINTS)[0].name == f"step-{ended.step:08d}"


def test_stop_interrupts_a_long_sample_sheet(data: Path, tmp_path: Path) -> None:
    class Endless(Tiny):
        def sample(self, network, config, *, seeds, labels, steps=20):
            until = time.monotonic() + 60
            while True:
                images = super().sample(network, config, seeds=seeds, labels=labels)
                if time.monotonic() >= until:
                    return images

    run = make_run(tmp_path / "run", data)
    asking = _Asking(run, ("training", Control("stop")))
    assert trainer_of(run, heard=asking, family=Endless()).run().phase == "stopped"
    assert time.monotonic() - asking.asked_s < 3


def test_pause_waits_with_a_checkpoint_and_a_heartbeat_then_goes_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, straight: dict[str, torch.Tensor]
) -> None:
    monkeypatch.setattr("models.core.events.HEARTBEAT_S", 0.05)
    run = make_run(tmp_path / "run", data)
    _ask(run, Control("pause"))
    asking = _Asking(run, ("heartbeat", Control("run")))
    trainer = trainer_of(run, heard=asking)
    assert trainer.run().phase == "finished"
    assert _phases(run) == ["training", "paused", "training"]
    kinds = [event.kind for event in read_events(run)[0]]
    assert kinds.index("checkpoint") < kinds.index("heartbeat")
    assert _same(weights_of(trainer), straight)


def test_samples_and_packages_on_request(data: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", data, steps=1_000_000)
    exported: list[int] = []
    asks = (("loss", Control("run", 1)), ("sample", Control("run", 1, 1)), ("sample", Control("run", 1, 1)))
    asking = _Asking(run, *asks)

    def export(trainer: Trainer) -> None:
        exported.append(trainer.step)
        _ask(run, Control("stop", 1, 1))

    asking.asks = [asks[0]]
    trainer = trainer_of(run, heard=asking, export=export)
    seen = asking.__call__

    def heard(event: TrainingEvent) -> None:
        seen(event)
        if event.kind == "sample" and event.step > 0:
            _ask(run, Control("run", 1, 1))

    trainer.emitter._heard = heard
    assert trainer.run().phase == "stopped"
    assert len(exported) == 1


def test_a_stop_of_an_earlier_start_is_void(tmp_path: Path) -> None:
    _ask(tmp_path, Control("stop", 3, 1))
    stale = Steering(tmp_path, since_s=time.time() + 10)
    assert not stale.stopping
    assert not stale.take_sample_request()
    assert not stale.take_export_request()
    fresh = Steering(tmp_path, since_s=time.time() - 10)
    assert fresh.stopping
    assert fresh.take_sample_request()
    assert not fresh.take_sample_request()


@pytest.mark.parametrize("garbage", [b"", b"{", b'{"action":"fly"}', b"\xff\xfe"])
def test_an_unreadable_control_is_ignored(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / CONTROL_NAME).write_bytes(garbage)
    steering = Steering(tmp_path)
    assert not steering.stopping
    assert not steering.pausing


def test_terminate_saves_and_ends_within_five_seconds(server: ForkServer, data: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", data, steps=1_000_000, checkpoint_s=0.0)
    pid = server.start(CHILD, str(run))
    os.kill(pid, signal.SIGUSR1)
    while not checkpoints(run / CHECKPOINTS):
        time.sleep(0.01)
    os.kill(pid, signal.SIGTERM)
    asked = time.monotonic()
    assert server.ended() == 0
    assert time.monotonic() - asked < 5
    told = [event.step for event in read_events(run)[0] if event.kind == "checkpoint"]
    found = read_checkpoint(run / CHECKPOINTS)
    assert found is not None
    assert found[0].step == told[-1]


class _Plain(Tiny):
    """Without noise, dropout and batch statistics."""

    def build(self, config):
        network = super().build(config)
        network.decoder[2], network.decoder[3] = nn.Identity(), nn.Identity()
        return network

    def optimizers(self, network, settings) -> dict[str, torch.optim.Optimizer]:
        return {"all": torch.optim.SGD(network.parameters(), lr=0.1)}

    def losses(self, network: Network, batch: Batch, context: StepContext) -> Iterator[Loss]:
        yield Loss("all", (network.decoder(network.encoder(batch.images)) - batch.images).square().mean())


class _Failing(Tiny):
    """Fails at step 7 with what it is given."""

    def __init__(self, what: object) -> None:
        self.what = what

    def losses(self, network: Network, batch: Batch, context: StepContext) -> Iterator[Loss]:
        for loss in super().losses(network, batch, context):
            if context.step == 7 and isinstance(self.what, Exception):
                raise self.what
            if context.step == 7 and isinstance(self.what, float):
                yield Loss(loss.optimizer, loss.value * self.what)
            else:
                yield loss


@pytest.mark.parametrize("factor", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_checkpoint(
    data: Path, tmp_path: Path, factor: float
) -> None:
    run = make_run(tmp_path / "run", data, checkpoint_steps=3)
    with pytest.raises(
        TrainingError, match="not a number any more at step 8; the checkpoint of step 6 is kept"
    ) as caught:
        trainer_of(run, family=_Failing(factor)).run()
    assert "learning rate" in caught.value.hint
    resumed = trainer_of(run)
    assert resumed.run().step == 12
    assert all(torch.isfinite(value).all() for value in weights_of(resumed).values())


def test_a_gradient_that_is_no_number_is_never_stepped_on(data: Path, tmp_path: Path) -> None:
    class Root(Tiny):
        def losses(self, network, batch, context):
            zero = next(network.encoder.parameters()).flatten()[0] * 0
            yield Loss("encoder", zero.abs().sqrt())

    run = make_run(tmp_path / "run", data, sheet=1)
    trainer = trainer_of(run, family=Root())
    before = {name: value.clone() for name, value in trainer.job.network.state_dict().items()}
    with pytest.raises(TrainingError, match="gradient"):
        trainer.run()
    assert _same(dict(trainer.job.network.state_dict()), before)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")]
)
def test_too_little_memory_names_a_smaller_batch(data: Path, tmp_path: Path, error: Exception) -> None:
    run = make_run(tmp_path / "run", data, checkpoint_steps=3)
    with pytest.raises(TrainingError, match="does not hold a batch of 6; the checkpoint of step 6 is kept") as caught:
        trainer_of(run, family=_Failing(error)).run()
    assert "3" in caught.value.hint


def test_other_errors_are_not_taken_for_memory(data: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", data)
    with pytest.raises(RuntimeError, match="shapes"):
        trainer_of(run, family=_Failing(RuntimeError("shapes differ"))).run()


def test_an_unplugged_data_set_pauses_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, straight: dict[str, torch.Tensor]
) -> None:
    monkeypatch.setattr("models.core.steering._WATCH_S", 0.0)
    data = make_data(tmp_path / "data")
    run = make_run(tmp_path / "run", data)
    away = tmp_path / "away"

    def heard(event: TrainingEvent) -> None:
        if event.kind == "sample":
            data.rename(away)
        if event.phase == "paused":
            away.rename(data)

    trainer = trainer_of(run, heard=heard)
    trainer.emitter._heard = lambda event: heard(event) if event.step == 0 else None
    assert trainer.run().phase == "finished"
    paused = [event for event in read_events(run)[0] if event.phase == "paused"]
    assert "is gone" in paused[0].message
    assert _same(weights_of(trainer), straight)


def test_a_changed_data_set_pauses_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.core.steering._WATCH_S", 0.0)
    data = make_data(tmp_path / "data")
    run = make_run(tmp_path / "run", data)

    def heard(event: TrainingEvent) -> None:
        if event.kind == "sample":
            with (data / ITEMS_NAME).open("ab") as stream:
                stream.write(b"\n\n")
        if event.phase == "paused":
            _ask(run, Control("stop"))

    assert trainer_of(run, heard=heard).run().phase == "stopped"
    paused = [event for event in read_events(run)[0] if event.phase == "paused"]
    assert "was changed" in paused[0].message


def test_resuming_with_other_data_is_refused(data: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", data, steps=3)
    trainer_of(run).run()
    spec = json.loads((run / "spec.json").read_bytes())
    spec["dataset"] = str(make_data(tmp_path / "other", items=15))
    (run / "spec.json").write_text(json.dumps(spec))
    with pytest.raises(TrainingError, match="not the one that this run was started with"):
        trainer_of(run).run()


def test_a_full_disk_pauses_and_tries_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, straight: dict[str, torch.Tensor]
) -> None:
    monkeypatch.setattr(loop, "_RETRY_S", 0.0)
    full = [True]

    def save(*args, **named):
        if full[0]:
            raise StorageError("The disk / is full.", "Free 3 MB.")
        return save_checkpoint(*args, **named)

    def heard(event: TrainingEvent) -> None:
        if event.phase == "paused":
            full[0] = False

    monkeypatch.setattr(loop, "save_checkpoint", save)
    run = make_run(tmp_path / "run", data, checkpoint_steps=4)
    trainer = trainer_of(run, heard=heard)
    assert trainer.run().phase == "finished"
    paused = [event for event in read_events(run)[0] if event.phase == "paused"]
    assert "The disk / is full" in paused[0].message
    assert _same(weights_of(trainer), straight)


def test_measure_tells_time_and_memory(data: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", data, steps=1000)
    trainer = trainer_of(run)
    event = measure(trainer.job, emitter=trainer.emitter, steering=trainer.steering)
    assert event.kind == "fit"
    assert event.seconds_left == pytest.approx(event.step_ms * 1000 / 1000)
    assert event.memory_mb > 10
    assert not (run / CHECKPOINTS).exists()


def test_child_function_is_the_loop(data: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", data, steps=2)
    train_in_child(str(run))
    assert checkpoints(run / CHECKPOINTS)[0].name == "step-00000002"
