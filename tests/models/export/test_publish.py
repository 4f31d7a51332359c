import hashlib
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from models.core.family import GraphExport
from models.core.loop import Trainer
from models.export import finish
from models.export.finish import parity_sentence, publish_run
from models.export.graphs import export_graph, refuse_random
from models.export.parity import check_graph, check_pictures, require
from models.export.publish import Description
from studio.core.errors import CancelledError, StorageError, TrainingError
from studio.core.manifest import Metric, ParityCheck
from studio.core.protocol import CONTROL_NAME, read_events
from studio.runtime.packages import open_package
from tests.models.core.tiny_family import make_data, make_run, trainer_of


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("tiny") / "data")


@pytest.fixture(scope="module")
def published(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Trainer, Path]:
    """A trained tiny run and its package."""
    trainer = trainer_of(make_run(tmp_path_factory.mktemp("published") / "run", data))
    trainer.run()
    return trainer, publish_run(trainer, description=Description(summary="Noise.", licence="CC0-1.0"))


def _graph(module: nn.Module, *, count: int = 2, role: str = "decode") -> GraphExport:
    return GraphExport(role, module.eval(), {"z": torch.linspace(-1, 1, count * 4).reshape(count, 4)}, ("image",))


def test_a_package_opens_in_the_studio(published: tuple[Trainer, Path]) -> None:
    trainer, folder = published
    package = open_package(folder, trusted=True)
    manifest = package.manifest
    assert folder == trainer.job.run / "package" / "tiny-one"
    assert (manifest.id, manifest.family, manifest.pipeline) == ("tiny-one", "TINY", "latent-image/1")
    assert set(manifest.graphs) == {"decode", "encode"}
    assert manifest.graphs["decode"].inputs[0].axes == ("batch", 4)
    assert {spec.file for spec in manifest.files.values()} == {"original.safetensors", "preview.png"}
    for part in (*manifest.graphs.values(), *manifest.files.values()):
        assert hashlib.sha256((folder / part.file).read_bytes()).hexdigest() == part.sha256
    assert manifest.origin.dataset_sha256 == trainer.job.data.digest
    assert manifest.origin.steps == 12
    assert manifest.origin.versions["torch"] == torch.__version__
    assert all(check.passed for check in manifest.parity)
    assert len(manifest.parity) == 6
    assert manifest.quality == "experimental"
    assert [path.name for path in folder.parent.iterdir()] == ["tiny-one"]


def test_the_published_weights_are_the_averaged_ones(published: tuple[Trainer, Path]) -> None:
    from safetensors.torch import load_file

    trainer, folder = published
    original = load_file(folder / "original.safetensors")
    with trainer.finished_weights() as network:
        assert all(torch.equal(original[name], value) for name, value in network.state_dict().items())
    live = trainer.job.network.state_dict()
    assert not torch.equal(original["decoder.0.weight"], live["decoder.0.weight"])


def test_publishing_again_replaces_the_package(published: tuple[Trainer, Path]) -> None:
    trainer, folder = published
    metric = Metric("mse", 0.1, 0.2, "mean picture", "lower", "python -m models measure", 0)
    publish_run(trainer, description=Description(summary="Better noise.", metrics=(metric,)))
    manifest = open_package(folder, trusted=True).manifest
    assert (manifest.summary, manifest.quality) == ("Better noise.", "good")
    assert [path.name for path in folder.parent.iterdir()] == ["tiny-one"]


def test_what_is_told(published: tuple[Trainer, Path]) -> None:
    trainer, _ = published
    told = read_events(trainer.job.run)[0]
    phases = [event.phase for event in told if event.phase]
    assert phases[:3] == ["training", "exporting", "checking"]
    assert next(event.file for event in told if event.kind == "package") == "package/tiny-one"
    assert "6 checks passed" in next(event.message for event in told if event.kind == "parity")


def test_a_fine_tune_starts_from_the_base_and_names_it(
    published: tuple[Trainer, Path], data: Path, tmp_path: Path
) -> None:
    _, base = published
    trainer = trainer_of(make_run(tmp_path / "run", data, base=str(base), steps=3))
    start = open_package(base, trusted=True)
    before = {name: value.clone() for name, value in trainer.job.network.state_dict().items()}
    from safetensors.torch import load_file

    assert all(torch.equal(value, before[name]) for name, value in load_file(base / "original.safetensors").items())
    trainer.run()
    manifest = open_package(publish_run(trainer, description=Description()), trusted=True).manifest
    assert (manifest.origin.parent, manifest.origin.parent_sha256) == (start.manifest.id, start.sha256)
    assert manifest.summary == "Trained further from Tiny one."
    (metric,) = manifest.metrics
    told = [event.losses["mse"] for event in read_events(trainer.job.run)[0] if event.kind == "metric"]
    assert (metric.baseline, metric.value) == (round(told[0], 6), round(told[-1], 6))
    assert metric.baseline_name == "Tiny one before the training"
    assert next(event.value for event in read_events(trainer.job.run)[0] if event.kind == "moved") > 0


def test_a_fine_tune_that_does_not_move_is_refused(published: tuple[Trainer, Path], data: Path, tmp_path: Path) -> None:
    trainer = trainer_of(make_run(tmp_path / "run", data, base=str(published[1]), steps=2, learning_rate=0.0))
    with pytest.raises(TrainingError, match="did not change the weights"):
        trainer.run()
    assert [event.value for event in read_events(trainer.job.run)[0] if event.kind == "moved"] == [0.0]


def _other_family(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"family": "OTHER"}))


def _other_weights(folder: Path) -> None:
    data = bytearray((folder / "original.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "original.safetensors").write_bytes(data)


def _no_weights(folder: Path) -> None:
    (folder / "original.safetensors").unlink()


@pytest.mark.parametrize("damage", [_other_family, _other_weights, _no_weights])
def test_a_base_that_does_not_fit_is_a_sentence(
    published: tuple[Trainer, Path], data: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    import shutil

    base = Path(shutil.copytree(published[1], tmp_path / "base"))
    damage(base)
    with pytest.raises(TrainingError):
        trainer_of(make_run(tmp_path / "run", data, base=str(base)))


def test_pictures_of_another_size_than_the_base_are_refused(published: tuple[Trainer, Path], tmp_path: Path) -> None:
    larger = make_data(tmp_path / "larger", size_px=10)
    with pytest.raises(TrainingError, match="10 x 10 pixels, but 'Tiny one' makes 8 x 8"):
        trainer_of(make_run(tmp_path / "run", larger, base=str(published[1])))


def test_a_graph_left_in_training_mode_is_refused(tmp_path: Path) -> None:
    graph = _graph(nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)))
    graph.module.train()
    with pytest.raises(TrainingError, match="training mode"):
        export_graph(graph, tmp_path)


def test_a_baked_batch_is_refused(tmp_path: Path) -> None:
    class Baked(nn.Module):
        def forward(self, z):
            return z.reshape(len(z), 2, 2)

    with pytest.raises(TrainingError, match="cannot be exported") as caught:
        export_graph(_graph(Baked()), tmp_path)
    assert "x.shape[0]" in caught.value.hint


def test_noise_inside_a_graph_is_refused(tmp_path: Path) -> None:
    class Noisy(nn.Module):
        def forward(self, z):
            return z + torch.randn_like(z)

    with pytest.raises(TrainingError, match="RandomNormalLike"):
        export_graph(_graph(Noisy()), tmp_path)


def test_random_operators_are_found_in_nested_graphs_and_functions() -> None:
    noise = helper.make_node("RandomUniform", [], ["y"], shape=[1])
    inner = helper.make_graph([noise], "inner", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])])
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    value = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    model = helper.make_model(helper.make_graph([node], "outer", [value], []))
    with pytest.raises(TrainingError, match="RandomUniform"):
        refuse_random(model, "decode")
    quiet = helper.make_model(helper.make_graph([helper.make_node("Not", ["c"], ["y"])], "g", [value], []))
    refuse_random(quiet, "decode")
    function = helper.make_function("d", "f", [], ["y"], [helper.make_node("Multinomial", ["a"], ["y"])], [])
    quiet.functions.append(function)
    with pytest.raises(TrainingError, match="Multinomial"):
        refuse_random(quiet, "decode")
    norm = helper.make_node("BatchNormalization", list("abcde"), ["y"], training_mode=1)
    with pytest.raises(TrainingError, match="BatchNormalization"):
        refuse_random(helper.make_model(helper.make_graph([norm], "g", [], [])), "decode")


def _failed(checks: tuple[ParityCheck, ...]) -> list[str]:
    return [check.check for check in checks if not check.passed]


def test_parity_passes_for_the_same_and_fails_for_other_weights(tmp_path: Path) -> None:
    linear = nn.Linear(4, 6)
    graph = _graph(nn.Sequential(linear, nn.Tanh()))
    export_graph(graph, tmp_path)
    assert _failed(check_graph(graph, tmp_path / "decode.onnx")) == []
    with torch.no_grad():
        linear.weight[0, 0] += 0.01
    checks = check_graph(graph, tmp_path / "decode.onnx")
    assert _failed(checks) == ["largest error relative to the output"]
    with pytest.raises(TrainingError, match="differs from the original"):
        require(checks)


def test_parity_sees_an_input_that_does_nothing_and_rows_that_see_each_other(tmp_path: Path) -> None:
    class Deaf(nn.Module):
        def forward(self, z, y):
            return z - z.mean(dim=0, keepdim=True) + 0 * y

    z = torch.linspace(-1, 1, 8).reshape(2, 4)
    graph = GraphExport("decode", Deaf().eval(), {"z": z, "y": z + 1}, ("image",))
    export_graph(graph, tmp_path)
    failed = _failed(check_graph(graph, tmp_path / "decode.onnx"))
    assert failed == ["a row alone and in a batch", "changing y alone moves the output"]


def test_whole_samples_are_compared_in_decibels() -> None:
    one = np.full((2, 8, 8, 4), 100, np.uint8)
    other = one.copy()
    assert check_pictures(one, other).passed
    other[0, 0, 0, 0] += 1
    assert check_pictures(one, other).passed
    other += 1
    check = check_pictures(one, other)
    assert not check.passed
    assert 40 < check.value < 60
    assert "dB" in parity_sentence((check_pictures(one, one),))


def test_a_pipeline_that_plays_something_else_stops_the_package(
    published: tuple[Trainer, Path], data: Path, tmp_path: Path
) -> None:
    trainer = trainer_of(make_run(tmp_path / "run", data, steps=2))
    trainer.run()
    with pytest.raises(TrainingError, match="PSNR"):
        publish_run(
            trainer,
            description=Description(),
            play=lambda _package, seeds, _labels: np.zeros((len(seeds), 8, 8, 4), np.uint8),
        )
    assert list((tmp_path / "run" / "package").iterdir()) == []


def test_a_failed_write_leaves_nothing_visible(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trainer_of(make_run(tmp_path / "run", data, steps=2))
    trainer.run()

    def full(_staging: Path, target: Path) -> None:
        raise StorageError(f"The disk is full: saving {target.name} needs 1 MB and 0 MB are free.")

    monkeypatch.setattr("models.export.publish.publish_folder", full)
    with pytest.raises(StorageError):
        publish_run(trainer, description=Description())
    assert list((tmp_path / "run" / "package").iterdir()) == []


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an interval timer")
def test_stop_ends_an_export_in_its_middle(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run", data, steps=2)
    trainer = trainer_of(run)
    trainer.run()
    asked: list[float] = []

    def endless(*_args, **_named):
        (run / CONTROL_NAME).write_text('{"action":"stop"}')
        asked.append(time.monotonic())
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                sum(range(1000))
            except Exception:
                continue

    monkeypatch.setattr(finish, "publish", endless)
    with pytest.raises(CancelledError):
        publish_run(trainer, description=Description())
    assert time.monotonic() - asked[0] < 3
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_the_onnx_file_passes_the_checker(published: tuple[Trainer, Path]) -> None:
    for name in ("decode.onnx", "encode.onnx"):
        onnx.checker.check_model(onnx.load(published[1] / name), full_check=True)
