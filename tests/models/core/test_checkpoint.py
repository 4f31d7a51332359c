import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from models.core.average import Average
from models.core.checkpoint import (
    STATE_NAME,
    TENSORS_NAME,
    CheckpointState,
    TrainState,
    checkpoints,
    read_checkpoint,
    restore,
    save_checkpoint,
)
from studio.core.errors import TrainingError
from studio.runtime.atomic import PART
from tests.faults.crash_points import BROKEN, FULL, KILL, SAID, ForkServer, crash_everywhere, need_strace
from tests.models.core.checkpoint_savers import save_step, state_of

SAVERS = "tests.models.core.checkpoint_savers"
FEW_CALLS = ("write", "fsync", "rename")


def _save(folder: Path, step: int) -> Path:
    return save_checkpoint(folder, state_of(step), step=step, dataset="d", seconds=2.5)


def test_all_comes_back_bit_by_bit(tmp_path: Path) -> None:
    saved, other = state_of(3), state_of(8)
    save_checkpoint(tmp_path, saved, step=3, dataset="d", seconds=2.5)
    torch.manual_seed(99)
    found = read_checkpoint(tmp_path)
    assert found is not None
    record, tensors = found
    assert (record.step, record.dataset, record.seconds) == (3, "d", 2.5)
    restore(other, record, tensors)
    for name, value in saved.network.state_dict().items():
        assert torch.equal(other.network.state_dict()[name], value)
    one, two = saved.optimizers["main"].state_dict(), other.optimizers["main"].state_dict()
    assert one["param_groups"] == two["param_groups"]
    for row, entries in one["state"].items():
        for key, value in entries.items():
            assert torch.equal(value, two["state"][row][key])
    assert torch.equal(saved.rng.get_state(), other.rng.get_state())
    assert torch.equal(torch.get_rng_state(), tensors["rng/torch"])


def test_optimiser_state_takes_the_layout_of_its_weights(tmp_path: Path) -> None:
    _save(tmp_path, 1)
    other = state_of(2)
    other.network.to(memory_format=torch.channels_last)
    found = read_checkpoint(tmp_path)
    assert found is not None
    restore(other, *found)
    moments = other.optimizers["main"].state_dict()["state"][0]
    assert moments["exp_avg"].is_contiguous(memory_format=torch.channels_last)


def test_two_newest_are_kept_and_parts_are_swept(tmp_path: Path) -> None:
    (tmp_path / f"{PART}stale").mkdir()
    for step in (1, 2, 3, 11):
        _save(tmp_path, step)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000011", "step-00000003"]
    assert len(list(tmp_path.iterdir())) == 2


def test_the_same_step_can_be_saved_again(tmp_path: Path) -> None:
    _save(tmp_path, 4)
    _save(tmp_path, 4)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000004"]


def _truncate(path: Path) -> None:
    data = (path / TENSORS_NAME).read_bytes()
    (path / TENSORS_NAME).write_bytes(data[: len(data) // 2])


def _flip_a_bit(path: Path) -> None:
    data = bytearray((path / TENSORS_NAME).read_bytes())
    data[-5] ^= 1
    (path / TENSORS_NAME).write_bytes(data)


def _lose_state(path: Path) -> None:
    (path / STATE_NAME).unlink()


def _garble_state(path: Path) -> None:
    (path / STATE_NAME).write_bytes(b"{")


DAMAGES = [_truncate, _flip_a_bit, _lose_state, _garble_state]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_falls_back_to_the_one_before(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    _save(tmp_path, 1)
    damage(_save(tmp_path, 2))
    found = read_checkpoint(tmp_path)
    assert found is not None
    assert found[0].step == 1


def test_all_damaged_is_said_and_none_is_none(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path / "missing") is None
    _truncate(_save(tmp_path, 1))
    with pytest.raises(TrainingError, match="damaged"):
        read_checkpoint(tmp_path)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    _save(tmp_path, 1)
    network = nn.Linear(2, 2)
    other = TrainState(network, {"main": torch.optim.Adam(network.parameters())}, None, torch.Generator())
    found = read_checkpoint(tmp_path)
    assert found is not None
    with pytest.raises(TrainingError, match="another network"):
        restore(other, *found)


def test_average_is_applied_and_taken_back_even_on_errors() -> None:
    module = nn.BatchNorm1d(2)
    average = Average(module, 0.5)
    average.update()
    with torch.no_grad():
        module.weight.fill_(3.0)
    assert module.running_mean is not None
    module.running_mean.fill_(1.0)
    average.update()
    with pytest.raises(KeyError), average.applied():  # noqa: PT012
        assert 1.0 < module.weight[0].item() < 3.0
        assert 0.0 < float(module.running_mean[0]) < 1.0
        raise KeyError
    assert module.weight[0].item() == 3.0
    assert float(module.running_mean[0]) == 1.0


class _Suite:
    """Checkpoint 1 is there, checkpoint 2 is being saved: afterwards one of them loads, and as a whole."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broken: list[str] = []

    def prepare(self) -> tuple[str, int]:
        shutil.rmtree(self.folder, ignore_errors=True)
        save_step(str(self.folder), 1)
        return str(self.folder), 2

    def check(self, status: int) -> None:
        try:
            found = read_checkpoint(self.folder)
        except TrainingError as error:
            self.broken.append(str(error))
            return
        if found is None or not self._whole(*found) or (status == 0 and found[0].step != 2):
            self.broken.append(f"mixed or lost after status {status}")
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) not in (0, SAID):
            self.broken.append("an error that is no sentence")

    def _whole(self, record: CheckpointState, tensors: dict[str, torch.Tensor]) -> bool:
        return bool((tensors["model/weight"] == record.step).all() and (tensors["model/bias"] == record.step).all())


class _NaiveSuite(_Suite):
    """Reads what the naive saver wrote as charitably as possible: any folder in which both files can be read."""

    def check(self, status: int) -> None:
        place = self.folder / "step-00000001"
        try:
            record = msgspec.json.decode((place / STATE_NAME).read_bytes(), type=CheckpointState)
            if not self._whole(record, load_file(place / TENSORS_NAME)):
                self.broken.append("mixed")
        except Exception as error:
            self.broken.append(str(error))


@pytest.mark.parametrize("failure", [KILL, FULL, BROKEN])
def test_a_checkpoint_survives_a_failure_at_write_sync_and_rename(
    server: ForkServer, tmp_path: Path, failure: str
) -> None:
    need_strace(server)
    suite = _Suite(tmp_path / "checkpoints")
    points = crash_everywhere(server, failure, suite.prepare, suite.check, f"{SAVERS}:save_step", calls=FEW_CALLS)
    assert points >= 6
    assert suite.broken == []


@pytest.mark.slow
@pytest.mark.parametrize("failure", [KILL, FULL, BROKEN])
def test_a_checkpoint_survives_a_failure_at_every_system_call(server: ForkServer, tmp_path: Path, failure: str) -> None:
    need_strace(server)
    suite = _Suite(tmp_path / "checkpoints")
    points = crash_everywhere(server, failure, suite.prepare, suite.check, f"{SAVERS}:save_step")
    assert points >= 12
    assert suite.broken == []


def test_the_suite_catches_a_naive_saver(server: ForkServer, tmp_path: Path) -> None:
    need_strace(server)
    suite = _NaiveSuite(tmp_path / "checkpoints")
    crash_everywhere(server, KILL, suite.prepare, suite.check, f"{SAVERS}:save_step_naively", calls=("openat", "write"))
    assert suite.broken != []
