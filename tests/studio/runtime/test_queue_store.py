import random
import subprocess
import sys
import time

import pytest

from studio.core.errors import StorageError
from studio.core.requests import ImageRequest, Point
from studio.runtime.queue_store import QueueStore, results_of
from tests.studio.runtime.test_gallery_index import damaged


@pytest.fixture
def store(tmp_path):
    made = QueueStore(tmp_path / "queue.sqlite")
    yield made
    made.close()


def ids(store, state="waiting"):
    return [job.id for job in store.jobs() if job.state == state]


def test_jobs_run_in_order_and_the_front_goes_first(store):
    a, b = store.enqueue(ImageRequest("a")), store.enqueue(ImageRequest("b"))
    c = store.enqueue(ImageRequest("c"), front=True)
    assert ids(store) == [c.id, a.id, b.id]
    store.to_front(b.id)
    assert ids(store) == [b.id, c.id, a.id]
    store.move(b.id, by=1)
    assert ids(store) == [c.id, b.id, a.id]
    store.move(a.id, by=-99)
    assert ids(store) == [a.id, c.id, b.id]
    assert store.next_waiting().id == a.id
    assert store.move(12345, by=1) is None


def test_a_request_comes_back_equal(store):
    request = ImageRequest("m", seed=2**53 - 1, controls={"prompt": "猫 \0 x", "s": 0.1}, path=(Point(1, (0.25,)),))
    assert store.get(store.enqueue(request).id).request == request


def test_the_last_result_makes_the_job_done(store, tmp_path):
    job = store.enqueue(ImageRequest("m", count=2))
    store.start(job.id)
    assert store.start(job.id) is None
    store.plan(job.id, 0, tmp_path / "0.png")
    assert store.made(job.id, 0).state == "running"
    done = store.made(job.id, 1)
    assert (done.state, done.made) == ("done", 2)
    assert done.finished_s > 0


def test_ids_are_never_used_again(store):
    first = store.enqueue(ImageRequest("m"))
    store.finish(first.id, "cancelled")
    store.clear_finished()
    assert store.jobs() == ()
    assert store.enqueue(ImageRequest("m")).id > first.id


def test_retry_goes_on_after_what_was_made(store):
    job = store.enqueue(ImageRequest("m", count=5))
    assert store.retry(job.id) is None
    store.start(job.id)
    store.made(job.id, 0)
    store.finish(job.id, "failed", message="The disk is full.")
    assert store.get(job.id).message == "The disk is full."
    again = store.retry(job.id)
    assert (again.state, again.made, again.message) == ("waiting", 1, "")


def test_interrupted_jobs_wait_again_with_written_results_counted(store, tmp_path):
    job = store.enqueue(ImageRequest("m", count=4))
    other = store.enqueue(ImageRequest("n"))
    store.start(job.id)
    store.plan(job.id, 0, tmp_path / "0.png")
    store.made(job.id, 0)
    (tmp_path / "1.png").write_bytes(b"whole")
    store.plan(job.id, 1, tmp_path / "1.png")  # written, but the process ended before it was counted
    store.plan(job.id, 2, tmp_path / "2.png")  # never written
    back = store.recover()
    assert [(each.id, each.made, each.state) for each in back] == [(job.id, 2, "waiting")]
    assert ids(store) == [job.id, other.id]
    assert store.recover() == ()


def test_a_job_whose_last_result_was_written_is_done_after_a_crash(store, tmp_path):
    job = store.enqueue(ImageRequest("m"))
    store.start(job.id)
    (tmp_path / "0.png").write_bytes(b"whole")
    store.plan(job.id, 0, tmp_path / "0.png")
    assert store.recover() == ()
    assert store.get(job.id).state == "done"


def test_only_final_states_finish(store):
    job = store.enqueue(ImageRequest("m"))
    with pytest.raises(ValueError, match="final"):
        store.finish(job.id, "running")
    store.finish(job.id, "cancelled")
    assert store.finish(job.id, "done") is None


def test_old_finished_jobs_are_forgotten(store):
    for _ in range(205):
        job = store.enqueue(ImageRequest("m"))
        store.finish(job.id, "done")
    assert len(store.jobs()) == 200


def test_a_film_is_one_result():
    assert results_of(ImageRequest("m", path=(Point(1), Point(2)))) == 1
    assert results_of(ImageRequest("m", count=9)) == 9


@pytest.mark.parametrize("seeds", [range(20), pytest.param(range(20, 220), marks=pytest.mark.slow)])
def test_a_damaged_queue_starts_every_time(tmp_path, seeds):
    store = QueueStore(tmp_path / "queue.sqlite")
    for seed in range(20):
        store.enqueue(ImageRequest("m", seed=seed))
    store.close()
    whole = (tmp_path / "queue.sqlite").read_bytes()
    for seed in seeds:
        file = tmp_path / str(seed) / "queue.sqlite"
        file.parent.mkdir()
        file.write_bytes(damaged(whole, random.Random(seed)))
        again = QueueStore(file)
        try:
            again.jobs()
            again.enqueue(ImageRequest("new"))
            again.recover()
        finally:
            again.close()


def test_an_unreadable_job_does_not_stop_the_others(tmp_path):
    store = QueueStore(tmp_path / "queue.sqlite")
    bad, odd, good = (store.enqueue(ImageRequest(name)) for name in ("bad", "odd", "good"))
    store._base.execute("UPDATE jobs SET request = ?, state = 'running' WHERE id = ?", (b'{"type":"later"}', bad.id))
    store._base.execute("UPDATE jobs SET state = 'dreaming' WHERE id = ?", (odd.id,))
    store.close()
    again = QueueStore(tmp_path / "queue.sqlite")
    assert [job.id for job in again.jobs()] == [good.id]
    assert again.recover() == ()
    assert again.enqueue(ImageRequest("m")).id > good.id
    again.close()


def enqueue_much(store):
    for _ in range(500):
        store.enqueue(ImageRequest("m", controls={"prompt": "x" * 2000}))


def test_a_full_disk_is_a_sentence(tmp_path):
    store = QueueStore(tmp_path / "queue.sqlite")
    store._base.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StorageError, match="full"):
        enqueue_much(store)
    store._base.execute("PRAGMA max_page_count = 100000")
    assert store.enqueue(ImageRequest("m")).id > 0
    store.close()


CHILD = """
import sys
from pathlib import Path
from studio.core.requests import ImageRequest
from studio.runtime.queue_store import QueueStore
store = QueueStore(Path(sys.argv[1]))
print("ready", flush=True)
for seed in range(100000):
    job = store.enqueue(ImageRequest("m", seed=seed))
    print("q", job.id, flush=True)
    if seed % 3 == 0 and store.start(job.id):
        store.made(job.id, 0)
        print("d", job.id, flush=True)
"""


def killed_while_enqueuing(file, after_s):
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(file)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "ready"
    time.sleep(after_s)  # the instant of the kill is what is tested
    child.kill()
    lines = child.communicate(timeout=30)[0].split("\n")[:-1]  # the last one may be cut off
    told = [line.split() for line in lines if line.endswith(tuple("0123456789"))]
    return [int(i) for kind, i in told if kind == "q"], [int(i) for kind, i in told if kind == "d"]


def check_queue(file, queued, done):
    store = QueueStore(file)
    try:
        jobs = {job.id: job for job in store.jobs()}
        kept = set(jobs) | set(done)  # done ones may be forgotten when they are old
        assert set(queued) <= kept
        assert all(jobs[each].state == "done" for each in done if each in jobs)
        for job in store.recover():
            assert job.made == 0
    finally:
        store.close()


@pytest.mark.parametrize("after_s", [0.002, 0.04, 0.09])
def test_kill_while_enqueuing_loses_no_acknowledged_job(tmp_path, after_s):
    check_queue(tmp_path / "queue.sqlite", *killed_while_enqueuing(tmp_path / "queue.sqlite", after_s))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kill_while_enqueuing_at_100_instants(tmp_path):
    way = random.Random(5)
    for number in range(100):
        file = tmp_path / str(number) / "queue.sqlite"
        check_queue(file, *killed_while_enqueuing(file, way.uniform(0.0, 0.08)))
