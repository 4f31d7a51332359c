from pathlib import Path

import msgspec
import pytest
import torch

from models.core.base_package import relative_change
from models.core.progress import Display, duration, told
from models.core.settings import all_params, run_settings
from models.core.setup import read_spec
from models.core.sheets import sheet_labels, sheet_png
from studio.core.errors import BadInputError, TrainingError
from studio.core.protocol import SPEC_NAME, TrainingEvent
from tests.models.core.tiny_family import Tiny, make_run, trainer_of


def test_settings_are_the_family_s_and_the_common_ones() -> None:
    names = [param.name for param in all_params(Tiny())]
    assert len(names) == len(set(names))
    settings = run_settings(Tiny(), {"steps": 5})
    assert settings["steps"] == 5
    assert settings["learning_rate"] == 0.003
    with pytest.raises(BadInputError, match="wings"):
        run_settings(Tiny(), {"wings": 2})
    with pytest.raises(BadInputError, match="Batch"):
        run_settings(Tiny(), {"batch": 0})


@pytest.mark.parametrize("content", [b"", b"{}", b'{"family":1}', None])
def test_a_spec_that_cannot_be_read_is_a_sentence(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / SPEC_NAME).write_bytes(content)
    with pytest.raises(TrainingError, match="cannot be read"):
        read_spec(tmp_path)


def test_same_seed_same_network_and_threads_of_the_spec(data: Path, tmp_path: Path) -> None:
    one = trainer_of(make_run(tmp_path / "one", data, seed=3)).job.network.state_dict()
    two = trainer_of(make_run(tmp_path / "two", data, seed=3)).job.network.state_dict()
    other = trainer_of(make_run(tmp_path / "other", data, seed=4)).job.network.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["encoder.0.weight"], other["encoder.0.weight"])
    assert torch.get_num_threads() == 1


def test_relative_change_counts_weights_and_not_statistics() -> None:
    network = torch.nn.BatchNorm1d(4)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.running_mean.fill_(9.0)
    assert relative_change(network, before) == 0
    with torch.no_grad():
        network.weight.mul_(1.5)
    assert relative_change(network, before) == pytest.approx(0.5)


def test_a_sheet_holds_every_picture() -> None:
    import io

    import numpy as np
    from PIL import Image

    png = sheet_png(np.linspace(-1, 1, 5 * 3 * 8 * 6, dtype=np.float32).reshape(5, 3, 8, 6))
    assert Image.open(io.BytesIO(png)).size == (3 * 8 - 2, 2 * 10 - 2)
    assert sheet_labels(3, 2).tolist() == [[1, 0], [0, 1], [1, 0]]
    assert sheet_labels(3, 0).shape == (3, 0)


def test_progress_says_every_kind_of_event_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    events = [
        TrainingEvent("phase", 0, phase="paused", message="The data set is gone."),
        TrainingEvent("sample", 0, step=3, file="samples/x.png"),
        TrainingEvent("metric", 0, step=3, losses={"mse": 0.25}),
        TrainingEvent("fit", 0, step_ms=12, seconds_left=7300, memory_mb=512),
        TrainingEvent("moved", 0, value=0.0123),
        TrainingEvent("parity", 0, message="5 checks passed"),
        TrainingEvent("package", 0, file="package/x"),
    ]
    display = Display()
    for event in [*events, TrainingEvent("heartbeat", 0), TrainingEvent("loss", 0, losses={"a": 1.0})]:
        display(event)
    display.close()
    said = capsys.readouterr().out
    assert [told(event) in said for event in events] == [True] * len(events)
    assert "0.25" in said
    assert "2 h 2 min" in said
    assert "1.23%" in said
    assert said.count("\n") == len(events)
    assert [duration(value) for value in (-1, 45, 600)] == ["0 s", "45 s", "10 min"]


def test_a_spec_survives_the_trip(data: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", data)
    assert msgspec.json.encode(read_spec(run)) == (run / SPEC_NAME).read_bytes()
