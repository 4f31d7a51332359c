"""Figures of the window itself: start, first picture, live slider, and how long the event loop is held up."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from PySide6.QtWidgets import QApplication

from studio.bench import Plan, Row
from studio.bench.event_loop import GapMeter, Gaps, spin, spin_until
from studio.bench.training import make_run, phases, start
from studio.core.events import Event, PictureMade
from studio.core.manifest import Manifest
from studio.core.requests import ImageRequest
from studio.runtime.catalogue import Catalogue
from studio.runtime.engine import Engine
from studio.workers.lane import Lane

_BARE = (
    "import sys;from PySide6.QtCore import QTimer;from PySide6.QtWidgets import QApplication,QMainWindow;import numpy;"
    "a=QApplication(sys.argv);w=QMainWindow();w.resize(1280,800);w.show();QTimer.singleShot(0,a.quit);a.exec()"
)
_OURS = "import sys;from studio.app import main;sys.exit(main(['--smoke','0']))"
_FILLED = "import sys;from studio.app import main;sys.exit(main(['--smoke','1']))"
_P99_MS, _MAX_MS = 12.0, 33.0


def bench_window(plan: Plan, catalogue: Catalogue) -> Iterator[Row]:
    """Rows on start-up, first picture, live rate and event-loop gaps."""
    app = QApplication.instance() or QApplication(["reverie-bench"])
    yield _beside_bare(plan, "first window", _OURS, target=1.5)
    yield _beside_bare(plan, "first window, with library, queue, gallery and pane", _FILLED)
    manifests = [package.manifest for package in catalogue.scan().packages]
    for manifest in manifests:
        yield _first_picture(catalogue, manifest)
    for manifest in manifests:
        if manifest.pipeline == "latent-image/1":
            yield _live_rate(catalogue, manifest, seconds=min(10.0, plan.seconds))
    yield from _gap_rows(plan, catalogue, manifests)
    del app


def _beside_bare(plan: Plan, name: str, code: str, *, target: float = 0.0) -> Row:
    """Whole processes, interleaved: a bare QMainWindow against ``code``, until shown once; no target when 0."""

    def run(code: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=120)
        return time.perf_counter() - start

    run(_BARE), run(code)
    pairs = [(run(_BARE), run(code)) for _ in range(plan.rounds)]
    ratio = statistics.median(ours / bare for bare, ours in pairs)
    bare, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    value = f"{ratio:.2f} x a bare QMainWindow ({ours:.2f} s against {bare:.2f} s, whole processes)"
    if not target:
        return Row(name, value)
    return Row(name, value, f"<= {target:g} x", "ok" if ratio <= target else "short")


def _lane(catalogue: Catalogue) -> Lane:
    return Lane(lambda: Engine(catalogue.get))


def _request(manifest: Manifest, *, seed: int = 0, count: int = 1) -> ImageRequest:
    labels = {manifest.labels[0]: 1.0} if manifest.labels else {}
    return ImageRequest(package=manifest.id, seed=seed, count=count, labels=labels)


def _first_picture(catalogue: Catalogue, manifest: Manifest) -> Row:
    """From the click to the first picture with a lane that has loaded nothing yet."""
    lane = _lane(catalogue)
    ended: list[object] = []
    start = time.perf_counter()
    lane.submit(_request(manifest), lambda _event: None, ended.append)
    spin_until(ended)
    seconds = time.perf_counter() - start
    lane.close()
    return Row(
        f"{manifest.id}: first picture after the click",
        f"{seconds:.2f} s",
        "<= 1.0 s",
        "ok" if seconds <= 1.0 else "short",
    )


def _live_rate(catalogue: Catalogue, manifest: Manifest, *, seconds: float) -> Row:
    """New pictures a second while a control moves with every mouse event (latest wins)."""
    lane = _lane(catalogue)
    made: list[float] = []
    ended: list[object] = []

    def on_event(event: Event) -> None:
        if isinstance(event, PictureMade):
            made.append(time.perf_counter())

    lane.submit(_request(manifest), lambda _event: None, ended.append)
    spin_until(ended)
    start = time.perf_counter()
    moves = 0
    while time.perf_counter() - start < seconds:
        lane.submit_live("bench", _request(manifest, seed=moves), on_event, ended.append)
        moves += 1
        spin(0.008)  # a mouse reports about 125 times a second
    rate = len(made) / (time.perf_counter() - start)
    lane.close()
    return Row(
        f"{manifest.id}: pictures a second while dragging",
        f"{rate:.0f} of {moves / seconds:.0f} moves a second",
        ">= 30",
        "ok" if rate >= 30 else "short",
    )


def _gap_rows(plan: Plan, catalogue: Catalogue, manifests: list[Manifest]) -> Iterator[Row]:
    lane = _lane(catalogue)
    heavy = next((m for m in manifests if m.pipeline == "diffusion-image/1"), manifests[0])

    def keep_generating() -> Callable[[], None]:
        going = [True]

        def again(_error: object = None) -> None:
            if going[0]:
                lane.submit(_request(heavy, count=4), lambda _event: None, again)

        again()
        return lambda: going.__setitem__(0, False)

    def keep_loading() -> Callable[[], None]:
        going = [True]

        def again(_error: object = None) -> None:
            if going[0]:
                lane.call(lambda engine: engine.unload() if isinstance(engine, Engine) else None)
                lane.submit(_request(manifests[0]), lambda _event: None, again)

        again()
        return lambda: going.__setitem__(0, False)

    yield _gap_row("idle", plan.seconds, lambda: lambda: None)
    yield _gap_row(f"generating ({heavy.id})", plan.seconds, keep_generating)
    yield _gap_row("loading models", plan.seconds, keep_loading)
    lane.close()
    package = catalogue.get(heavy.id)
    long = make_run(plan, package, steps=100_000, name="training")
    yield _gap_row("training in the background", plan.seconds, lambda: start(long))
    short = make_run(plan, package, steps=2, name="exporting")
    yield _gap_row("starting a trainer and exporting", plan.seconds, lambda: start(short))
    yield Row("phases of that export", ", ".join(phases(short)))


def _gap_row(name: str, seconds: float, start: Callable[[], Callable[[], None]]) -> Row:
    meter = GapMeter()
    stop = start()
    spin(0.5)
    meter.start()
    spin(seconds)
    gaps: Gaps = meter.stop()
    stop()
    good = gaps.p99_ms < _P99_MS and gaps.max_ms < _MAX_MS
    return Row(
        f"event-loop gap, {name}",
        f"p50 {gaps.p50_ms:.1f}, p99 {gaps.p99_ms:.1f}, max {gaps.max_ms:.1f} ms over {gaps.count} ticks",
        f"p99 < {_P99_MS:.0f}, max < {_MAX_MS:.0f} ms",
        "ok" if good else "short",
    )
