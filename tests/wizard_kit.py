"""A wizard on a desk of its own: real files, threads and processes; only the trainer is a scripted one."""

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import psutil
from PIL import Image

from studio.core.manifest import Preset, TrainingBlock
from studio.core.params import Param
from studio.core.paths import Paths
from studio.runtime.catalogue import Catalogue
from studio.state.library import LibraryState
from studio.state.notices import Notice, Notices
from studio.state.wizard import WizardState
from studio.workers.background import Background
from studio.workers.trainer import Supervisor
from tests.package_kit import change_manifest, copy_fixture

FAKE = Path(__file__).parent / "studio" / "workers" / "fake_trainer.py"
BLOCK = TrainingBlock(
    5,
    "At least five pictures.",
    (
        Preset("Quick", "A first impression.", {"steps": 5, "script": "good"}),
        Preset("Slow", "Until stopped.", {"steps": 5, "script": "slow"}),
        Preset("Crash", "Ends itself.", {"steps": 5, "script": "crash"}),
        Preset("Fails", "Says why.", {"steps": 5, "script": "fails"}),
        Preset("Zero", "Says nothing.", {"steps": 5, "script": "zero"}),
    ),
    (Param("steps", "int", 5, "Steps", low=1, high=1000),),
)


def fake_command(verb: str, run: Path) -> list[str]:
    return [sys.executable, str(FAKE), verb, str(run)]


def paths_below(root: Path) -> Paths:
    names = ("resources", "config", "data", "cache", "packages", "runs", "results")
    return Paths(**{name: root / name for name in names})


def draw(folder: Path, count: int = 8, *, start: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(start, start + count):
        blocks = np.random.default_rng(i).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((40, 40), Image.Resampling.NEAREST).save(folder / f"{i}.png")
    return folder


@dataclass
class Desk:
    """One window's worth of objects; `reopen` is the next window on the same folders."""

    root: Path
    posted: list[Notice] = field(default_factory=list)
    ready: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.paths = paths_below(self.root)
        if not self.paths.packages.exists():
            self.paths.packages.mkdir(parents=True)
            change_manifest(copy_fixture(self.paths.packages), training=BLOCK)
        self.notices = Notices()
        self.notices.posted.connect(self.posted.append)
        self.background = Background(2)
        catalogue = Catalogue(lambda: (self.paths.packages,), self.paths.bundled_packages)
        self.library = LibraryState(catalogue, self.background, self.notices, self.paths.packages)
        self.supervisor = Supervisor(self.paths.runs, command=fake_command, kill_after_s=3)
        self.wizard = WizardState(self.paths, self.library, self.background, self.notices, self.supervisor)
        self.wizard.package_ready.connect(self.ready.append)
        self.library.refresh()

    def close(self) -> None:
        self.wizard.close()
        self.supervisor.close()
        self.background.close()

    def reopen(self) -> "Desk":
        self.close()
        return Desk(self.root)

    def end_trainers(self) -> None:
        for path in self.paths.runs.glob("*/pid"):
            pid, started_s = msgspec.json.decode(path.read_bytes(), type=tuple[int, float])
            if psutil.pid_exists(pid) and abs(psutil.Process(pid).create_time() - started_s) < 1:
                psutil.Process(pid).kill()

    def remove_base(self) -> None:
        shutil.rmtree(self.paths.packages / "tiny-latent")
