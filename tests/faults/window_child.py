"""The real window, opened as `reverie` opens it, that uses itself and reports as one line of JSON on stdout.

``python -m tests.faults.window_child PACKAGE ROOMS``: goes through the panes ROOMS (comma-separated), generates with
PACKAGE in Paint, closes. Says which heavy modules were loaded when.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator

from PySide6.QtCore import QTimer

import studio.app
from studio.core.jobs import FINAL_STATES

HEAVY = ("torch", "onnx", "onnxscript", "models", "diffusers", "transformers", "onnxruntime")
LONGEST_S = 90


def loaded() -> list[str]:
    return [name for name in HEAVY if name in sys.modules]


class Driven(studio.app.Studio):
    """A studio that uses itself."""

    def __init__(self, app, paths) -> None:
        super().__init__(app, paths)
        self.report: dict[str, object] = {"before the first frame": loaded()}
        self.report["notices"] = notices = list[str]()
        self.notices.posted.connect(lambda notice: notices.append(notice.text))
        self.deadline = time.monotonic() + LONGEST_S
        self.steps = self.use(sys.argv[1], sys.argv[2].split(","))
        self.timer = QTimer()
        self.timer.timeout.connect(self.step)
        self.timer.start(10)

    def step(self) -> None:
        try:
            next(self.steps)
            assert time.monotonic() < self.deadline, f"stuck after {list(self.report)}"
        except StopIteration:
            self.end()
        except BaseException as error:
            self.report["error"] = repr(error)
            self.end()

    def end(self) -> None:
        self.timer.stop()
        print(json.dumps(self.report), flush=True)
        self.window.close()

    def use(self, package: str, rooms: list[str]) -> Iterator[None]:
        yield from until(lambda: self._furnished and self.library.loaded)
        for key in (room for room in rooms if room != "settings"):  # its list of devices asks onnxruntime
            self.window.show_pane(key)
            yield from self.idle()
        self.report["before the first generation"] = loaded()
        yield from until(lambda: any(model.manifest.id == package for model in self.paint.models))
        saved, ended = list[str](), list[str]()
        self.queue.saved.connect(lambda _job, entry: saved.append(entry.path))
        self.paint.choose(package)
        pane = self.window.show_pane("paint")
        yield from self.idle()
        pane.generate()
        self.queue.job_changed.connect(lambda job: ended.append(job.state) if job.state in FINAL_STATES else None)
        yield from until(lambda: bool(ended))
        self.report["saved"] = saved
        self.report["after the first generation"] = loaded()
        for key in rooms:
            self.window.show_pane(key)
            yield from self.idle()

    def idle(self) -> Iterator[None]:
        """Let the background finish what a pane asked of it."""
        done: list[int] = []
        for _ in range(2):
            self.background.run(lambda: None, lambda _: done.append(1))
        yield from until(lambda: len(done) == 2)


def until(condition: Callable[[], bool]) -> Iterator[None]:
    while not condition():
        yield


if __name__ == "__main__":
    studio.app.Studio = Driven
    sys.exit(studio.app.main([]))
