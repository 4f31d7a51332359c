"""A short real fine-tune beside the window, so that its event loop can be watched meanwhile."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from studio.bench import Plan
from studio.core.cancel import CancelToken
from studio.core.package import Package
from studio.core.protocol import LOG_NAME, SPEC_NAME, RunSpec, read_events
from studio.runtime.atomic import write_bytes
from studio.runtime.intake import quietly, understand
from studio.runtime.prepare import prepare
from studio.runtime.sample_pictures import write_samples


def make_run(plan: Plan, package: Package, *, steps: int, name: str) -> Path:
    """A run folder that fine-tunes ``package`` on drawn sample pictures for ``steps`` steps."""
    run = plan.scratch / name
    run.mkdir(parents=True)
    size = package.manifest.size
    assert size is not None
    folder = write_samples(plan.scratch / f"{name}-pictures", count=60)
    found = understand([folder], quietly, CancelToken())
    made = prepare(found, size, plan.scratch / f"{name}-data", mode="crop", progress=quietly, cancel=CancelToken())
    spec = RunSpec(
        family=package.manifest.family,
        dataset=str(made.folder),
        package_id="bench",
        package_name="Bench",
        base=str(package.folder),
        settings={"steps": steps, "batch": 8, "seed": 1},
        licence="none",
    )
    write_bytes(run / SPEC_NAME, msgspec.json.encode(spec))
    return run


def start(run: Path) -> Callable[[], None]:
    """Start the trainer as the window does (a child at lower priority that waits without spinning); gives its stop."""
    command = [sys.executable, "-m", "models", "train", str(run)]
    if os.name == "posix":
        command = ["nice", "-n", "10", *command]
    log = (run / LOG_NAME).open("ab")
    child = subprocess.Popen(
        command, stdout=log, stderr=log, env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}, stdin=subprocess.DEVNULL
    )

    def stop() -> None:
        child.terminate()
        child.wait(timeout=60)
        log.close()

    return stop


def phases(run: Path) -> list[str]:
    """The phases that the trainer went through."""
    return [str(event.phase) for event in read_events(run)[0] if event.phase]
