"""The wizard from drop to library, on real files and child processes with a scripted trainer."""

import msgspec
import pytest

from studio.core.dataset import read_items
from studio.core.protocol import RunSpec
from studio.core.wizard import step_of
from tests.wizard_kit import Desk, draw


@pytest.fixture
def desk(qtbot, tmp_path):
    desks = [Desk(tmp_path / "home")]
    qtbot.waitUntil(lambda: desks[0].library.loaded, timeout=10_000)
    yield desks[0]
    desks[0].close()
    desks[0].end_trainers()


def dropped(desk, qtbot, folder, preset="Quick"):
    desk.wizard.start_with([folder])
    qtbot.waitUntil(lambda: bool(desk.wizard.pairs), timeout=10_000)
    desk.wizard.choose_preset(preset)


def test_drop_to_library(desk, qtbot, tmp_path):
    wizard = desk.wizard
    dropped(desk, qtbot, draw(tmp_path / "My garden"))
    assert wizard.flow.name == "My garden"
    assert wizard.flow.base_id == "tiny-latent"
    assert len(wizard.thumbnails) == 8
    assert wizard.pairs[0].after.shape == (12, 12, 4)
    assert wizard.missing == ()
    wizard.note_consent("all mine")
    wizard.measure()
    qtbot.waitUntil(lambda: wizard.flow.measured is not None, timeout=10_000)
    run = wizard.flow.run_id
    wizard.train()  # while the measuring process may still be ending
    qtbot.waitUntil(lambda: desk.ready == ["my-garden"], timeout=20_000)
    assert wizard.flow.run_id == run
    assert step_of(wizard.flow) == "result"
    view = wizard.run
    assert view is not None
    assert view.status == "finished"
    assert (view.parity, view.moved) == ("6 checks passed.", 0.25)
    assert len(view.samples) == 2
    assert wizard.training.curves(run)["mse"][0] == [1, 2, 3, 4, 5]
    spec = msgspec.json.decode((desk.paths.runs / run / "spec.json").read_bytes(), type=RunSpec)
    assert (spec.package_name, spec.consent, spec.settings["steps"]) == ("My garden", "all mine", 5)
    assert len(read_items(desk.paths.runs / run / "data")) == 8
    assert {package.manifest.id for package in desk.library.packages} == {"tiny-latent", "my-garden"}


def test_training_without_measuring_first(desk, qtbot, tmp_path):
    dropped(desk, qtbot, draw(tmp_path / "in"))
    desk.wizard.train()
    qtbot.waitUntil(lambda: desk.ready == ["in"], timeout=20_000)
    told = desk.posted[-1]
    assert (told.text, told.level) == ("in is trained and in your library.", "success")
    with qtbot.waitSignal(desk.wizard.open_requested) as asked:
        told.run()
    assert asked.args == ["in"]


def test_three_pictures_only_cannot_train(desk, qtbot, tmp_path):
    dropped(desk, qtbot, draw(tmp_path / "few", 3))
    assert desk.wizard.missing == ("Only 3 usable pictures: this model needs at least 5. Add 2 more.",)
    desk.wizard.train()
    assert desk.wizard.busy == ""
    assert desk.wizard.flow.run_id == ""


def test_nothing_usable_is_told_and_the_last_drop_stays(desk, qtbot, tmp_path):
    dropped(desk, qtbot, draw(tmp_path / "good"))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"")
    desk.wizard.start_with([tmp_path / "bad"])
    qtbot.waitUntil(lambda: bool(desk.posted), timeout=10_000)
    assert "None of the 1 files in bad is a usable picture" in desk.posted[0].text
    assert desk.wizard.problem
    assert desk.wizard.busy == ""
    assert desk.wizard.flow.understanding.name == "good"


def test_a_change_after_measuring_drops_the_draft_run(desk, qtbot, tmp_path):
    wizard = desk.wizard
    dropped(desk, qtbot, draw(tmp_path / "in"))
    wizard.measure()
    qtbot.waitUntil(lambda: wizard.flow.measured is not None, timeout=10_000)
    run = wizard.flow.run_id
    qtbot.waitUntil(lambda: not desk.supervisor.alive(run), timeout=10_000)
    wizard.choose_mode("pad")
    assert wizard.flow.measured is None
    assert not (desk.paths.runs / run).exists()
    assert wizard.training.runs == ()


def test_pause_resume_stop(desk, qtbot, tmp_path):
    wizard, training = desk.wizard, desk.wizard.training
    dropped(desk, qtbot, draw(tmp_path / "in"), "Slow")
    wizard.train()
    qtbot.waitUntil(lambda: wizard.run is not None and wizard.run.step > 2, timeout=20_000)
    run = wizard.flow.run_id
    training.pause(run)
    assert wizard.run.status == "pausing"
    qtbot.waitUntil(lambda: wizard.run.status == "paused", timeout=5_000)
    training.resume(run)
    qtbot.waitUntil(lambda: wizard.run.status == "running", timeout=5_000)
    training.stop(run)
    assert wizard.run.status == "stopping"
    qtbot.waitUntil(lambda: wizard.run.status == "stopped", timeout=3_000)
    qtbot.waitUntil(lambda: not desk.supervisor.alive(run), timeout=3_000)
    assert desk.posted == []


@pytest.mark.parametrize(
    ("preset", "words"),
    [
        ("Crash", "stopped unexpectedly. It was ended from outside (signal 9)."),
        ("Zero", "stopped unexpectedly. The trainer ended without saying why."),
        ("Fails", "The loss is not a number."),
    ],
)
def test_bad_endings_are_told_and_offer_resume(desk, qtbot, tmp_path, preset, words):
    dropped(desk, qtbot, draw(tmp_path / "in"), preset)
    desk.wizard.train()
    qtbot.waitUntil(lambda: bool(desk.posted), timeout=20_000)
    notice = desk.posted[0]
    assert words in notice.text
    view = desk.wizard.run
    assert view is not None
    assert view.status in ("crashed", "failed")
    if preset == "Crash":
        assert notice.action == "Resume"
        notice.run()
        qtbot.waitUntil(lambda: desk.ready == ["in"], timeout=20_000)


def test_the_next_window_takes_up_what_the_last_one_left(desk, qtbot, tmp_path):
    dropped(desk, qtbot, draw(tmp_path / "in"), "Slow")
    desk.wizard.train()
    qtbot.waitUntil(lambda: desk.wizard.run is not None and desk.wizard.run.step > 2, timeout=20_000)
    run, seen = desk.wizard.flow.run_id, desk.wizard.run.step
    second = desk.reopen()
    try:
        second.wizard.attach()
        assert [view.id for view in second.wizard.training.runs] == [run]
        assert second.wizard.flow.run_id == run  # it is on view without a click
        qtbot.waitUntil(lambda: second.wizard.run.step > seen, timeout=5_000)
        assert second.wizard.run.status == "running"
        second.wizard.training.stop(run)
        qtbot.waitUntil(lambda: second.wizard.run.status == "stopped", timeout=3_000)
        qtbot.waitUntil(lambda: not second.supervisor.alive(run), timeout=3_000)
    finally:
        second.close()


def test_a_run_that_finished_while_no_window_was_there_is_installed(desk, qtbot, tmp_path):
    dropped(desk, qtbot, draw(tmp_path / "in"))
    desk.wizard.train()
    qtbot.waitUntil(
        lambda: desk.wizard.run is not None and desk.supervisor.alive(desk.wizard.flow.run_id), timeout=20_000
    )
    run = desk.paths.runs / desk.wizard.flow.run_id
    second = desk.reopen()
    try:
        events = run / "events.jsonl"
        qtbot.waitUntil(lambda: events.exists() and b"finished" in events.read_bytes(), timeout=20_000)
        qtbot.waitUntil(lambda: not (run / "pid").exists(), timeout=5_000)
        second.wizard.attach()
        qtbot.waitUntil(lambda: second.ready == ["in"], timeout=10_000)
        third = second.reopen()
        try:
            third.wizard.attach()
            assert third.wizard.training.runs[0].installed == "in"
        finally:
            third.close()
    finally:
        second.close()


def test_export_now_gives_a_model_and_the_final_one_takes_its_place(desk, qtbot, tmp_path):
    wizard, training = desk.wizard, desk.wizard.training
    dropped(desk, qtbot, draw(tmp_path / "in"), "Slow")
    wizard.train()
    qtbot.waitUntil(lambda: wizard.run is not None and wizard.run.step > 2, timeout=20_000)
    run = wizard.flow.run_id
    training.stop(run)
    qtbot.waitUntil(lambda: not desk.supervisor.alive(run), timeout=5_000)
    for times in (1, 2):
        training.export(run)
        qtbot.waitUntil(lambda times=times: desk.ready == ["in"] * times, timeout=10_000)
        qtbot.waitUntil(lambda: not desk.supervisor.alive(run), timeout=10_000)
    assert sorted(path.name for path in desk.paths.packages.iterdir()) == ["in", "tiny-latent"]


def test_a_run_in_the_queue_can_be_taken_out_and_started_again(desk, qtbot, tmp_path):
    wizard, training = desk.wizard, desk.wizard.training
    dropped(desk, qtbot, draw(tmp_path / "in"), "Slow")
    wizard.train()
    qtbot.waitUntil(lambda: wizard.run is not None and wizard.run.step > 2, timeout=20_000)
    first = wizard.flow.run_id
    wizard.again()
    dropped(desk, qtbot, draw(tmp_path / "more"))
    wizard.train()
    qtbot.waitUntil(lambda: wizard.run is not None and wizard.run.status == "waiting", timeout=10_000)
    assert not wizard.can_start
    training.stop(wizard.flow.run_id)
    assert wizard.can_start
    wizard.train()
    training.stop(first)
    qtbot.waitUntil(lambda: desk.ready == ["more"], timeout=20_000)


def test_base_can_be_asked_for_before_the_library_is_read(qtbot, tmp_path):
    desk = Desk(tmp_path / "home")
    desk.wizard.start_with([], "tiny-latent")
    assert desk.wizard.flow.base_id == ""
    qtbot.waitUntil(lambda: desk.wizard.flow.base_id == "tiny-latent", timeout=10_000)
    desk.close()


def test_sample_pictures_start_the_wizard(desk, qtbot):
    desk.wizard.try_samples()
    qtbot.waitUntil(lambda: desk.wizard.flow.understanding is not None, timeout=20_000)
    assert desk.wizard.flow.understanding.labels == {"gems": 20, "leaves": 20, "suns": 20}


def test_cancel_while_reading(desk, qtbot, tmp_path):
    desk.wizard.start_with([draw(tmp_path / "in", 30)])
    assert desk.wizard.busy == "Reading pictures"
    desk.wizard.cancel()
    assert desk.wizard.busy == ""
    desk.wizard.start_with([draw(tmp_path / "other", 6)])
    qtbot.waitUntil(lambda: desk.wizard.flow.understanding is not None, timeout=10_000)
    assert desk.wizard.flow.understanding.name == "other"


def test_runs_folder_that_cannot_be_written(desk, qtbot, tmp_path):
    dropped(desk, qtbot, draw(tmp_path / "in"))
    desk.paths.runs.write_bytes(b"a file stands where the folder should be")
    desk.wizard.train()
    qtbot.waitUntil(lambda: bool(desk.posted), timeout=10_000)
    assert desk.posted[0].level == "error"
    assert desk.wizard.busy == ""
