"""A trainer that keeps the protocol without torch. ``spec.settings["script"]`` says how it behaves:

``good`` trains, exports and finishes; ``slow`` trains until it is told otherwise; ``crash`` ends itself like a killed
one; ``deaf`` never answers; ``silent`` stops talking; ``fails`` fails with a reason; ``zero`` exits without a word.
"""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import psutil

STEP_S = 0.02


class Fake:
    def __init__(self, run: Path) -> None:
        self.run = run
        self.spec = json.loads((run / "spec.json").read_bytes())
        self.script = self.spec["settings"].get("script", "good")
        self.total = int(self.spec["settings"].get("steps", 10))
        self.control = {}
        self.samples = 0

    def emit(self, kind, **more):
        with (self.run / "events.jsonl").open("a") as stream:
            stream.write(json.dumps({"kind": kind, "time_s": time.time(), **more}) + "\n")

    def phase(self, phase, **more):
        self.emit("phase", phase=phase, **more)

    def look(self):
        try:
            self.control = json.loads((self.run / "control.json").read_bytes())
        except (OSError, ValueError):
            return self.control
        return self.control

    def sample(self, step):
        folder = self.run / "samples"
        folder.mkdir(exist_ok=True)
        name = f"samples/step-{step:08d}.png"
        shutil.copy(Path(self.spec["base"]) / "preview.png", self.run / name)
        self.emit("sample", step=step, file=name)

    def train(self):
        if self.script == "zero":
            return
        self.phase("starting")
        if self.script == "fails":
            self.phase("failed", message="The loss is not a number.", hint="Lower the learning rate.")
            sys.exit(1)
        mark = self.run / "step"
        step = int(mark.read_text()) if mark.exists() else 0
        self.phase("training", step=step, total=self.total)
        if step == 0:
            self.sample(0)
        while step < self.total or self.script in ("slow", "deaf", "silent"):
            if self.script != "deaf" and not self.obey(step):
                mark.write_text(str(step))
                self.phase("stopped", step=step)
                return
            step += 1
            if self.script == "crash" and step == 5 and not mark.exists():
                mark.write_text("3")
                os.kill(os.getpid(), signal.SIGKILL)
            if self.script != "silent" or step < 3:
                self.emit("loss", step=step, total=self.total, losses={"mse": 1 / step}, seconds_left=1.0, step_ms=20.0)
            time.sleep(STEP_S)
        self.sample(step)
        self.export(step)
        self.phase("finished", step=step)

    def obey(self, step):
        paused = False
        while True:
            control = self.look()
            if control.get("action") == "stop":
                return False
            if control.get("sample_requests", 0) > self.samples:
                self.samples = control["sample_requests"]
                self.sample(step)
            if control.get("action") != "pause":
                if paused:
                    self.phase("training", step=step)
                return True
            if not paused:
                paused = True
                self.phase("paused", step=step)
            time.sleep(STEP_S)

    def export(self, step):
        self.phase("exporting", step=step)
        self.emit("moved", step=step, value=0.25)
        self.phase("checking", step=step)
        target = self.run / "package" / self.spec["package_id"]
        target.parent.mkdir(exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.spec["base"], target)
        manifest = json.loads((target / "manifest.json").read_bytes())
        manifest.update(id=self.spec["package_id"], name=self.spec["package_name"])
        (target / "manifest.json").write_text(json.dumps(manifest))
        self.emit("parity", step=step, message="6 checks passed.")
        self.emit("package", step=step, file=f"package/{self.spec['package_id']}")

    def measure(self):
        self.phase("measuring")
        self.emit("fit", total=self.total, step_ms=20.0, memory_mb=100.0, seconds_left=0.02 * self.total)
        self.phase("stopped", message="Measured.")


def main() -> None:
    verb, run = sys.argv[1], Path(sys.argv[2])
    pid = run / "pid"
    pid.write_text(json.dumps([os.getpid(), psutil.Process().create_time()]))
    fake = Fake(run)
    try:
        if verb == "export":
            fake.export(5)
            fake.phase("stopped", step=5)
        else:
            getattr(fake, verb)()
    finally:
        pid.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
