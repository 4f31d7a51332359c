"""The whole way of a starter on a handful of pictures: prepare, train, measure, publish, publish again from a copy."""

import functools
import gzip

import numpy as np
import pytest
from click.testing import CliRunner

from models.starters import bench, command, evaluation, publication
from models.starters.recipes import RECIPES
from studio.runtime.packages import open_package


@pytest.fixture
def data(tmp_path):
    """Fashion-MNIST with twenty-four training and twenty test pictures: bars of as many heights as classes."""
    folder = tmp_path / "data" / "fashion-mnist"
    folder.mkdir(parents=True)
    for stem, count in (("train", 24), ("t10k", 20)):
        labels = np.arange(count, dtype=np.uint8) % 4
        pictures = np.zeros((count, 28, 28), np.uint8)
        for index, label in enumerate(labels):
            pictures[index, 4 : 8 + 5 * label, 4 + index % 5 : 20] = 200
        (folder / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes(16) + pictures.tobytes()))
        (folder / f"{stem}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(8) + labels.tobytes()))
    return folder.parent


@pytest.fixture
def quick(monkeypatch):
    """Few measured samples and a judge that hardly learns."""
    for module in (bench, evaluation):
        monkeypatch.setattr(module, "MADE", 24)
    monkeypatch.setattr(publication, "make_bench", functools.partial(bench.make_bench, steps=2))


def run(*arguments: str):
    result = CliRunner().invoke(command.main, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_starter_is_made_measured_and_published(data, quick, tmp_path):
    work, out = tmp_path / "work", tmp_path / "packages"
    places = ("--data", str(data), "--work", str(work), "--out", str(out), "--threads", "1")
    told = run("fashion-map", "--steps", "2", *places)
    assert "reconstruction error" in told
    manifest = open_package(out / "fashion-map", trusted=True).manifest
    names = {metric.name for metric in manifest.metrics}
    assert {"feature distance", "coverage of held-out pictures", "newness", "reconstruction cross-entropy"} <= names
    assert all(metric.command == "python -m models starters fashion-map --evaluate" for metric in manifest.metrics)
    assert manifest.quality == ("good" if all(m.beats_baseline for m in manifest.metrics) else "experimental")
    assert (manifest.origin.dataset, manifest.origin.licence, manifest.origin.steps) == ("fashion-mnist", "MIT", 2)
    assert "Zalando" in manifest.origin.credit
    assert manifest.labels == ()
    assert manifest.training is not None
    assert (work / "sheet.png").exists()

    run("fashion-map", "--publish-now", *places)
    again = open_package(out / "fashion-map", trusted=True).manifest
    assert again.metrics == manifest.metrics  # the same weights measured twice


def test_steps_are_planned_from_the_speed(data, tmp_path):
    from models.starters.preparation import prepare_data, prepare_run

    recipe = RECIPES["fashion-map"]
    prepare_data(recipe, data, tmp_path / "prepared")
    prepare_run(recipe, tmp_path / "prepared", tmp_path / "run", steps=1, threads=1)
    job = command._job(tmp_path / "run")
    before = {name: value.clone() for name, value in job.network.state_dict().items()}
    assert command.planned_steps(job, 1.0) > 10 * command.planned_steps(job, 0.02)
    assert all((value == before[name]).all() for name, value in job.network.state_dict().items())
