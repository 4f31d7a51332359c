import sys

import pytest

from studio.core.cancel import CancelToken
from studio.core.errors import CancelledError, TrainingError
from studio.workers.follow import follow_trainer

# A trainer of a few lines: speaks the protocol, obeys control.json.
TRAINER = """
import json, pathlib, sys, time
run, mode = pathlib.Path(sys.argv[1]), sys.argv[2]
events = (run / "events.jsonl").open("a")
def say(**line):
    events.write(json.dumps({"time_s": 0.0, **line}) + "\\n"); events.flush()
say(kind="phase", phase="training")
if mode == "fails":
    say(kind="phase", phase="failed", message="The loss is not a number.", hint="Lower the rate."); sys.exit(1)
if mode == "dies":
    print("last words"); sys.exit(3)
for step in range(3 if mode == "ends" else 10_000):
    say(kind="loss", step=step, total=3, losses={"loss": 1.0})
    if mode != "deaf" and json.loads((run / "control.json").read_text()).get("action") == "stop":
        say(kind="phase", phase="stopped"); sys.exit(0)
    time.sleep(0.02)
say(kind="phase", phase="finished")
"""


@pytest.fixture
def follow(tmp_path):
    script = tmp_path / "trainer.py"
    script.write_text(TRAINER)

    def run(mode, *, heard=lambda _event: None, cancel=None, **more):
        def command(_verb, run):
            return [sys.executable, str(script), str(run), mode]

        follow_trainer(tmp_path, "train", heard=heard, cancel=cancel or CancelToken(), command=command, **more)

    return run


def test_every_event_comes_once_and_a_second_run_starts_behind_the_first(follow, tmp_path):
    for _ in range(2):
        heard = []
        follow("ends", heard=heard.append)
        assert [event.kind for event in heard] == ["phase", "loss", "loss", "loss", "phase"]
        assert heard[-1].phase == "finished"


def test_its_own_words_for_a_failure(follow):
    with pytest.raises(TrainingError, match="not a number") as caught:
        follow("fails")
    assert caught.value.hint == "Lower the rate."


def test_a_death_without_words(follow, tmp_path):
    with pytest.raises(TrainingError, match="code 3") as caught:
        follow("dies")
    assert "log.txt" in caught.value.hint
    assert "last words" in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize("mode", ["listens", "deaf"])
def test_stop(follow, mode):
    cancel = CancelToken()

    def heard(event):
        if event.kind == "loss":
            cancel.cancel()

    with pytest.raises(CancelledError):
        follow(mode, heard=heard, cancel=cancel, stop_s=0.5)
