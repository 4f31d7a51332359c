"""A run's view is folded from its events alone."""

from studio.core.protocol import RunSpec, TrainingEvent
from studio.core.runs import RunView, folded, heading

SPEC = RunSpec("VAE2", "data", "mine", "Mine")


def view_after(*events: TrainingEvent) -> RunView:
    view = RunView("a", "/runs/a", SPEC)
    for event in events:
        view = folded(view, event)
    return view


def phase(name, **more) -> TrainingEvent:
    return TrainingEvent("phase", 1.0, phase=name, **more)


def loss(step, **more) -> TrainingEvent:
    return TrainingEvent("loss", 2.0, step=step, total=100, losses={"mse": 1 / step}, **more)


def test_a_whole_run():
    view = view_after(
        phase("starting"),
        phase("training"),
        TrainingEvent("sample", 1.0, step=0, file="samples/step-00000000.png"),
        loss(10, seconds_left=9.0, step_ms=100.0, memory_mb=50.0),
        TrainingEvent("metric", 1.0, step=10, losses={"mse": 0.3}),
        TrainingEvent("sample", 1.0, step=100, file="samples/step-00000100.png"),
        phase("exporting"),
        TrainingEvent("moved", 1.0, value=0.5),
        TrainingEvent("parity", 1.0, message="6 checks passed."),
        TrainingEvent("package", 1.0, file="package/mine"),
        phase("finished", step=100),
    )
    assert view.status == "finished"
    assert not view.live
    assert [sheet.file for sheet in view.samples] == [
        "/runs/a/samples/step-00000000.png",
        "/runs/a/samples/step-00000100.png",
    ]
    assert (view.package, view.parity, view.moved) == ("/runs/a/package/mine", "6 checks passed.", 0.5)
    assert (view.metrics, view.step, view.total) == ({"mse": 0.3}, 100, 100)


def test_a_measured_run_is_a_draft():
    fit = TrainingEvent("fit", 1.0, total=100, step_ms=20.0, memory_mb=300.0, seconds_left=2.0)
    view = view_after(phase("measuring"), fit, phase("stopped", message="Measured."))
    assert view.status == "draft"
    assert view.measured is not None
    assert view.measured.step_ms == 20.0


def test_resuming_from_an_earlier_step_drops_later_sheets():
    view = view_after(
        TrainingEvent("sample", 1.0, step=0, file="samples/a.png"),
        TrainingEvent("sample", 1.0, step=50, file="samples/b.png"),
        TrainingEvent("sample", 1.0, step=40, file="samples/c.png"),
    )
    assert [sheet.step for sheet in view.samples] == [0, 40]


def test_headings_are_plain_words():
    running = view_after(phase("starting"), phase("training"), loss(10))
    assert heading(running) == "Training: step 10 of 100"
    assert heading(view_after(phase("starting"))) == "Getting ready"
    assert heading(view_after(phase("training"), phase("paused", message="The disk is full."))) == "Paused"
    assert heading(view_after(phase("failed", message="Not a number."))) == "Failed"
