import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest
from click.testing import CliRunner, Result

import models.families
import models.starters.playing
from models.__main__ import main
from models.core.checkpoint import checkpoints, read_checkpoint
from studio.core.protocol import CHECKPOINTS, CONTROL_NAME, PACKAGE, PID_NAME, SPEC_NAME, RunSpec, read_events
from studio.runtime.packages import open_package
from tests.models.core.tiny_family import Config, Tiny, make_data, make_run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of the tiny family, which the table of families has for this test; its sampler is not the studio's."""
    monkeypatch.setitem(models.families.FAMILIES, "TINY", Tiny())
    monkeypatch.setattr(models.starters.playing, "play", None)
    return make_run(tmp_path / "run", make_data(tmp_path / "data"))


def _invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def _phases(run: Path) -> list[str]:
    return [event.phase for event in read_events(run)[0] if event.phase]


def test_train_ends_with_a_package(run: Path) -> None:
    result = _invoke("train", run, "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert _phases(run) == ["starting", "training", "exporting", "checking", "finished"]
    assert open_package(run / PACKAGE / "tiny-one").manifest.family == "TINY"
    assert not (run / PID_NAME).exists()
    assert "package/tiny-one" in result.output


def test_train_again_only_exports(run: Path) -> None:
    assert _invoke("train", run).exit_code == 0
    _, end = read_events(run)
    assert _invoke("train", run).exit_code == 0
    events, _ = read_events(run, offset=end)
    assert [event.phase for event in events if event.phase][-1] == "finished"
    assert all(event.step == 12 for event in events if event.kind == "loss")


def test_export_takes_the_last_checkpoint(run: Path) -> None:
    result = _invoke("export", run)
    assert result.exit_code == 1
    assert "no checkpoint" in read_events(run)[0][-1].message
    assert _invoke("train", run).exit_code == 0
    result = _invoke("export", run)
    assert result.exit_code == 0, result.output
    assert read_events(run)[0][-1].phase == "stopped"


def test_measure_leaves_no_checkpoint(run: Path) -> None:
    result = _invoke("measure", run)
    assert result.exit_code == 0, result.output
    fit = next(event for event in read_events(run)[0] if event.kind == "fit")
    assert fit.step_ms > 0
    assert not (run / CHECKPOINTS).exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"family": "NONE"}, "no model family"),
        ({"dataset": "/nowhere"}, "cannot be read"),
        ({"settings": {"batch": 0}}, "Batch"),
        ({"base": "/nowhere"}, "cannot be trained further"),
    ],
)
def test_a_run_that_cannot_start_fails_with_a_sentence(run: Path, change: dict, words: str) -> None:
    spec = json.loads((run / SPEC_NAME).read_bytes()) | change
    (run / SPEC_NAME).write_text(json.dumps(spec))
    assert _invoke("train", run).exit_code == 1
    last = read_events(run)[0][-1]
    assert last.phase == "failed"
    assert words in last.message
    assert not (run / PID_NAME).exists()


def test_an_unexpected_error_is_told_too(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(_self: Tiny, _config: Config) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(Tiny, "build", build)
    assert _invoke("train", run).exit_code == 1
    last = read_events(run)[0][-1]
    assert last.phase == "failed"
    assert "by nothing" in last.message


def test_a_second_trainer_says_nothing_into_the_first_one_s_events(run: Path) -> None:
    parent = psutil.Process().parent()
    assert parent is not None
    (run / PID_NAME).write_bytes(msgspec.json.encode((parent.pid, parent.create_time())))
    result = _invoke("train", run)
    assert result.exit_code == 1
    assert "being trained already" in result.output
    assert read_events(run)[0] == []
    assert (run / PID_NAME).exists()


@pytest.mark.parametrize("content", [b"", b"[1,2.0]", b"[999999999,1.0]"])
def test_the_pid_of_a_dead_trainer_does_not_matter(run: Path, content: bytes) -> None:
    (run / PID_NAME).write_bytes(content)
    assert _invoke("train", run).exit_code == 0


def test_stop_during_training_is_no_failure(run: Path) -> None:
    (run / CONTROL_NAME).write_text('{"action":"stop"}')
    os.utime(run / CONTROL_NAME, (time.time() + 60, time.time() + 60))
    result = _invoke("train", run)
    assert result.exit_code == 0, result.output
    assert _phases(run)[-1] == "stopped"
    assert not (run / PACKAGE).exists()


@pytest.mark.slow
def test_a_real_family_in_a_real_process_is_terminated_and_resumed(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", size_px=32, items=30)
    run = tmp_path / "run"
    run.mkdir()
    spec = RunSpec("VAE2", str(data), "map", "Map", settings={"steps": 40, "batch": 8}, threads=1)
    (run / SPEC_NAME).write_bytes(msgspec.json.encode(spec))
    command = [sys.executable, "-m", "models", "train", str(run)]
    with (run / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        until = time.monotonic() + 90
        while not any(event.kind == "loss" for event in read_events(run)[0]) and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        asked = time.monotonic()
        assert process.wait(20) == 0
        assert time.monotonic() - asked < 5
        assert _phases(run)[-1] == "stopped"
        assert len(checkpoints(run / CHECKPOINTS)) == 1
        subprocess.run(command, cwd=ROOT, stdout=log, stderr=log, check=True, timeout=110)
    found = read_checkpoint(run / CHECKPOINTS)
    assert found is not None
    assert found[0].step == 40
    package = open_package(run / PACKAGE / "map")
    assert "PSNR of whole samples in dB" in [check.check for check in package.manifest.parity]
