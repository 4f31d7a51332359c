"""Steps and the time left."""

from studio.state.history import History
from studio.state.progress import Progress, duration


def test_time_left_after_three_steps_ignores_the_slow_first() -> None:
    now = [0.0]
    progress = Progress(lambda: now[0])
    assert progress.words == ""
    for step, at in enumerate((5.0, 5.5, 6.0, 6.5), 1):
        now[0] = at
        progress.step(step, 20)
        assert (progress.left_s is None) == (step < 3)
    assert progress.left_s == 8.0
    assert progress.words == "4/20 · 8 s left"
    progress.restart()
    assert progress.words == ""


def test_durations_for_people() -> None:
    assert [duration(s) for s in (0.2, 12.4, 150, 7500)] == ["<1 s", "12 s", "2 min", "2 h 5 min"]


def test_history_groups_a_drag_and_forgets_the_future() -> None:
    history: History[int] = History(0)
    history.hold()
    for value in (1, 2, 3):
        history.push(value, key="a")
    history.release()
    history.push(4, key="a")
    assert [history.undo(), history.undo(), history.undo()] == [3, 0, 0]
    history.redo()
    history.push(9)
    assert not history.can_redo
    assert history.undo() == 3
