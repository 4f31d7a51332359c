"""The supervisor starts, steers, loses and finds trainers; each ending is told."""

import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest

from studio.core.errors import TrainingError
from studio.core.protocol import Control, RunSpec
from studio.workers.trainer import NICENESS, Supervisor, trainer_command

FAKE = Path(__file__).with_name("fake_trainer.py")
FIXTURE = Path(__file__).parents[2] / "fixtures" / "packages" / "tiny-latent"


def fake_command(verb, run):
    return [sys.executable, str(FAKE), verb, str(run)]


class Ear:
    """Everything a supervisor said."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.events: list[tuple[str, object]] = []
        self.ends: list[tuple[str, str]] = []
        self.starts: list[tuple[str, str]] = []
        self.silences: list[str] = []
        supervisor.told.connect(lambda run, event: self.events.append((run, event)))
        supervisor.ended.connect(lambda run, reason: self.ends.append((run, reason)))
        supervisor.started.connect(lambda run, verb: self.starts.append((run, verb)))
        supervisor.silent.connect(lambda run, _: self.silences.append(run))

    def phases(self, run):
        return [event.phase for name, event in self.events if name == run and event.kind == "phase"]

    def steps(self, run):
        return [event.step for name, event in self.events if name == run and event.kind == "loss"]


@pytest.fixture
def made(tmp_path):
    """Supervisors that are closed, and trainers that are ended, after the test."""
    supervisors: list[Supervisor] = []

    def make(**options) -> tuple[Supervisor, Ear]:
        supervisor = Supervisor(tmp_path / "runs", command=options.pop("command", fake_command), **options)
        supervisors.append(supervisor)
        return supervisor, Ear(supervisor)

    yield make
    for supervisor in supervisors:
        supervisor.close()
    for path in (tmp_path / "runs").glob("*/pid"):
        pid, started_s = msgspec.json.decode(path.read_bytes(), type=tuple[int, float])
        if psutil.pid_exists(pid) and abs(psutil.Process(pid).create_time() - started_s) < 1:
            psutil.Process(pid).kill()


def spec(script: str, steps: int = 5) -> RunSpec:
    settings = {"script": script, "steps": steps}
    return RunSpec("VAE2", "data", "mine", "Mine", base=str(FIXTURE), settings=settings)


def test_a_run_from_start_to_package(made, qtbot, tmp_path):
    supervisor, ear = made()
    supervisor.create("a", spec("good"))
    supervisor.train("a")
    qtbot.waitUntil(lambda: ear.ends == [("a", "")], timeout=20_000)
    assert ear.phases("a") == ["starting", "training", "exporting", "checking", "finished"]
    assert ear.steps("a") == [1, 2, 3, 4, 5]
    assert (tmp_path / "runs" / "a" / "package" / "mine" / "manifest.json").is_file()


def test_the_child_is_quiet_nice_and_in_its_own_session(made, qtbot, tmp_path):
    code = (
        "import os,sys,json,pathlib; pathlib.Path(sys.argv[1], 'seen.json').write_text(json.dumps("
        "[os.environ['ORT_DISABLE_TELEMETRY'], os.environ['OMP_WAIT_POLICY'], os.getsid(0) == os.getpid()]));"
        "print('words for the log'); import time; time.sleep(0.5);"
        "pathlib.Path(sys.argv[1], 'nice').write_text(str(os.nice(0)))"
    )
    supervisor, ear = made(command=lambda _verb, run: [sys.executable, "-c", code, str(run)])
    supervisor.create("a", spec("good"))
    supervisor.train("a")
    qtbot.waitUntil(lambda: bool(ear.ends), timeout=10_000)
    folder = tmp_path / "runs" / "a"
    assert msgspec.json.decode((folder / "seen.json").read_bytes()) == ["1", "PASSIVE", True]
    assert int((folder / "nice").read_text()) >= NICENESS
    assert supervisor.log_tail("a") == "words for the log"


def test_pause_sample_resume_and_stop_within_three_seconds(made, qtbot):
    supervisor, ear = made()
    supervisor.create("a", spec("slow"))
    supervisor.train("a")
    qtbot.waitUntil(lambda: len(ear.steps("a")) > 2, timeout=10_000)
    supervisor.pause("a")
    qtbot.waitUntil(lambda: ear.phases("a")[-1] == "paused", timeout=5_000)
    supervisor.sample("a")
    qtbot.waitUntil(lambda: sum(event.kind == "sample" for _, event in ear.events) == 2, timeout=5_000)
    supervisor.resume("a")
    qtbot.waitUntil(lambda: ear.phases("a")[-1] == "training", timeout=5_000)
    began = time.monotonic()
    supervisor.stop("a")
    qtbot.waitUntil(lambda: ear.ends == [("a", "")], timeout=3_000)
    assert time.monotonic() - began <= 3
    assert ear.phases("a")[-1] == "stopped"
    last = ear.steps("a")[-1]
    supervisor.resume("a")
    qtbot.waitUntil(lambda: ear.steps("a")[-1] > last, timeout=10_000)
    supervisor.stop("a")
    qtbot.waitUntil(lambda: len(ear.ends) == 2, timeout=5_000)


def test_a_killed_trainer_is_told_and_can_be_resumed(made, qtbot):
    supervisor, ear = made()
    supervisor.create("a", spec("crash", 8))
    supervisor.train("a")
    qtbot.waitUntil(lambda: bool(ear.ends), timeout=10_000)
    assert ear.ends == [("a", "It was ended from outside (signal 9).")]
    supervisor.resume("a")
    qtbot.waitUntil(lambda: len(ear.ends) == 2, timeout=10_000)
    assert ear.ends[1] == ("a", "")
    assert ear.steps("a") == [1, 2, 3, 4, 4, 5, 6, 7, 8]


def test_one_that_does_not_obey_is_ended(made, qtbot):
    supervisor, ear = made(kill_after_s=0.5)
    supervisor.create("a", spec("deaf"))
    supervisor.train("a")
    qtbot.waitUntil(lambda: len(ear.steps("a")) > 2, timeout=10_000)
    supervisor.stop("a")
    qtbot.waitUntil(lambda: ear.ends == [("a", "It did not stop in time and was ended.")], timeout=5_000)


def test_silence_is_told_once(made, qtbot):
    supervisor, ear = made(silent_after_s=0.3, kill_after_s=0.9)
    supervisor.create("a", spec("silent"))
    supervisor.train("a")
    qtbot.waitUntil(lambda: ear.silences == ["a"], timeout=10_000)
    supervisor.stop("a")
    qtbot.waitUntil(lambda: bool(ear.ends), timeout=5_000)
    assert ear.silences == ["a"]


def test_closing_the_window_does_not_stop_training_and_the_next_one_finds_it(made, qtbot):
    first, ear = made()
    first.create("a", spec("slow"))
    first.train("a")
    qtbot.waitUntil(lambda: len(ear.steps("a")) > 2, timeout=10_000)
    first.pause("a")
    qtbot.waitUntil(lambda: ear.phases("a")[-1] == "paused", timeout=5_000)
    first.sample("a")
    first.close()
    second, new_ear = made()
    assert second.attach() == ("a",)
    assert second.alive("a")
    assert new_ear.starts == [("a", "train")]
    assert new_ear.steps("a")[: len(ear.steps("a"))] == ear.steps("a")
    second.resume("a")
    qtbot.waitUntil(lambda: new_ear.phases("a")[-1] == "training", timeout=5_000)
    # The wishes of the first window are kept: nothing is asked for a second time.
    assert msgspec.json.decode((second.folder("a") / "control.json").read_bytes(), type=Control).sample_requests == 1
    second.stop("a")
    qtbot.waitUntil(lambda: new_ear.ends == [("a", "")], timeout=5_000)


def test_a_process_with_the_same_id_but_another_start_is_not_the_trainer(made, tmp_path):
    supervisor, _ = made()
    supervisor.create("a", spec("slow"))
    me = psutil.Process()
    (tmp_path / "runs" / "a" / "pid").write_bytes(msgspec.json.encode((me.pid, me.create_time() - 100)))
    supervisor.attach()
    assert not supervisor.alive("a")
    (tmp_path / "runs" / "a" / "pid").write_bytes(b"{broken")
    supervisor.attach()
    assert not supervisor.alive("a")
    (tmp_path / "runs" / "a" / "pid").unlink()


def test_runs_wait_for_their_turn_across_restarts(made, qtbot):
    first, ear = made()
    for name, script in (("a", "slow"), ("b", "good"), ("c", "good")):
        first.create(name, spec(script))
        first.train(name)
    qtbot.waitUntil(lambda: len(ear.steps("a")) > 1, timeout=10_000)
    first.stop("c")
    assert ear.ends == [("c", "")]
    first.close()
    second, new_ear = made()
    waiting: list[str] = []
    second.waiting.connect(waiting.append)
    second.attach()
    assert waiting == ["b"]
    second.stop("a")
    qtbot.waitUntil(lambda: ("b", "") in new_ear.ends, timeout=20_000)
    assert new_ear.steps("b") == [1, 2, 3, 4, 5]
    assert new_ear.steps("c") == []


def test_measure_runs_at_once_and_export_works_without_a_trainer(made, qtbot):
    supervisor, ear = made()
    supervisor.create("a", spec("slow"))
    supervisor.measure("a")
    qtbot.waitUntil(lambda: ear.ends == [("a", "")], timeout=10_000)
    assert [event.step_ms for _, event in ear.events if event.kind == "fit"] == [20.0]
    supervisor.export("a")
    qtbot.waitUntil(lambda: len(ear.ends) == 2, timeout=10_000)
    assert any(event.kind == "package" for _, event in ear.events)


def test_a_trainer_that_cannot_start_is_an_error(made, tmp_path):
    supervisor, _ = made(command=lambda _verb, _run: [str(tmp_path / "no-such-program")])
    supervisor.create("a", spec("good"))
    with pytest.raises(TrainingError, match="could not be started"):
        supervisor.train("a")
    with pytest.raises(TrainingError, match="cannot be read"):
        supervisor.spec("nothing")


def test_remove_spares_live_runs(made, qtbot):
    supervisor, ear = made()
    supervisor.create("a", spec("slow"))
    supervisor.train("a")
    qtbot.waitUntil(lambda: len(ear.steps("a")) > 1, timeout=10_000)
    supervisor.remove("a")
    assert supervisor.folder("a").is_dir()
    supervisor.stop("a")
    qtbot.waitUntil(lambda: bool(ear.ends), timeout=5_000)
    supervisor.remove("a")
    assert not supervisor.folder("a").exists()


def test_the_real_command_is_the_trainer():
    assert trainer_command("train", Path("x"))[1:] == ["-m", "models", "train", "x"]
