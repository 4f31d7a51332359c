"""kill -9 with twenty jobs in the queue: no acknowledged job is lost, no picture is made twice."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from studio.runtime.queue_store import QueueStore
from studio.runtime.recipes import read_recipe
from tests.faults.crash_points import KILL, ForkServer, crash, need_strace
from tests.faults.queue_child import PER_JOB, SEEDS_APART
from tests.faults.savers import acknowledged

LIVE = "tests.faults.queue_child:live"
JOBS = 20
LONGEST_LIFE_S = 1.5
# Around the writing of a picture: begun, named but not counted, counted but not told.
AIMED = ["openat:{}:when=60", "fsync:{}:when=3", "rename:{}:when=2", "fsync:{}:when=6", "pwrite64:{}:when=150"]


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    server = ForkServer("tests.faults.queue_child")
    yield server
    server.close()


def seeds_made(folder: Path) -> Counter[int]:
    """How often each picture lies in the results; every file must be whole."""
    made: Counter[int] = Counter()
    for path in (folder / "results").rglob("*"):
        if path.is_file():
            assert path.suffix == ".png", f"{path} was left half-written"
            restored = read_recipe(path)
            assert restored is not None
            assert restored.recipe is not None
            made[restored.recipe.request.seed] += 1
    return made


def check_after(folder: Path, server: ForkServer) -> None:
    """Let a last life finish, then count."""
    assert server.run(LIVE, str(folder), 0, 0) == 0
    words = acknowledged(folder)
    promised = {int(word.split()[1]) for word in words if word.startswith("job")}
    made = seeds_made(folder)
    assert [word for word in words if word.startswith("told")] == []
    assert {number * SEEDS_APART + i for number in promised for i in range(PER_JOB)} <= set(made)
    assert {seed: count for seed, count in made.items() if count > 1} == {}
    # A kill between "durable" and "acknowledged" may leave a job that nobody was promised: whole and made once as well.
    assert all(made[seed - seed % SEEDS_APART + i] == 1 for seed in made for i in range(PER_JOB))
    store = QueueStore(folder / "queue.sqlite")
    try:
        assert {job.state for job in store.jobs()} <= {"done"}
    finally:
        store.close()


def lives(deaths: list[Callable[[int], int]]) -> int:
    """One life after another, each with twenty new jobs, each ended by one of ``deaths``; how many were killed."""
    killed = 0
    for life, die in enumerate(deaths):
        killed += os.WIFSIGNALED(die(1 + life * JOBS))
    return killed


def dying_at(server: ForkServer, folder: Path, after_s: float) -> Callable[[int], int]:
    def die(first: int) -> int:
        pid = server.start(LIVE, str(folder), first, JOBS)
        os.kill(pid, signal.SIGUSR1)
        time.sleep(after_s)  # the instant of the kill is what is tested
        with suppress(ProcessLookupError):  # all was done before
            os.kill(pid, signal.SIGKILL)
        return server.ended()

    return die


def dying_in(server: ForkServer, folder: Path, at: str, target: str = LIVE) -> Callable[[int], int]:
    return lambda first: crash(server, at.format(KILL), target, str(folder), first, JOBS)[0]


def test_kills_at_chosen_system_calls(server: ForkServer, tmp_path: Path) -> None:
    need_strace(server)
    assert lives([dying_in(server, tmp_path, at) for at in AIMED]) >= 4
    check_after(tmp_path, server)


def test_the_count_catches_a_forgetful_queue(server: ForkServer, tmp_path: Path) -> None:
    need_strace(server)
    between = "fsync:{}:when=3"  # the picture has its name and is not counted yet
    assert lives([dying_in(server, tmp_path, between, f"{LIVE}_forgetfully")]) == 1
    with pytest.raises(AssertionError, match=r"== \{\}"):
        check_after(tmp_path, server)


def test_kills_at_random_instants(server: ForkServer, tmp_path: Path) -> None:
    whole_s = a_whole_life_s(server, tmp_path / "whole")
    chance = random.Random(11)
    folder = tmp_path / "killed"
    assert lives([dying_at(server, folder, chance.uniform(0.05, 0.6) * whole_s) for _ in range(4)]) >= 2
    check_after(folder, server)


def a_whole_life_s(server: ForkServer, folder: Path) -> float:
    """How long twenty jobs take here when nobody kills them, in seconds."""
    pid = server.start(LIVE, str(folder), 1, JOBS)
    started_s = time.monotonic()
    os.kill(pid, signal.SIGUSR1)
    assert server.ended() == 0
    return time.monotonic() - started_s


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_kills_at_random_instants(server: ForkServer, tmp_path: Path) -> None:
    chance = random.Random(12)
    for round_ in range(20):
        folder = tmp_path / str(round_)
        folder.mkdir()
        assert lives([dying_at(server, folder, chance.uniform(0.02, LONGEST_LIFE_S)) for _ in range(5)]) >= 1
        check_after(folder, server)
