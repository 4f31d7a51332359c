import os
import time
from pathlib import Path

import pytest

from studio.core.paths import Paths, default_paths
from studio.runtime.atomic import part_path
from studio.runtime.leftovers import OLD_S, sweep_leftovers


def folders(paths: Paths) -> list[Path]:
    """Every folder of the app that something is written into by way of a temporary name."""
    runs = (paths.runs / "run", paths.runs / "run" / "package")
    caches = (paths.cache, paths.cache / "verdicts", paths.cache / "thumbnails")
    return [paths.config, paths.data, paths.data / "models", paths.inputs, paths.packages, *caches, *runs]


def leave(folder: Path, age_s: float) -> tuple[Path, Path]:
    """A half-written file and a half-written folder, last changed ``age_s`` seconds ago."""
    file, half = part_path(folder), part_path(folder)
    file.write_bytes(b"half")
    half.mkdir()
    (half / "manifest.json").write_bytes(b"{")
    for path in (file, half):
        os.utime(path, (time.time() - age_s,) * 2)
    return file, half


@pytest.mark.parametrize(("age_s", "stays"), [(OLD_S + 60, False), (OLD_S - 60, True)])
def test_old_leftovers_go_and_what_may_be_at_work_stays(age_s: float, stays: bool) -> None:
    left = []
    for folder in folders(default_paths()):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "kept.json").write_bytes(b"{}")
        left += leave(folder, age_s)
    sweep_leftovers(default_paths())
    assert [path for path in left if path.exists() is not stays] == []
    assert all((folder / "kept.json").exists() for folder in folders(default_paths()))


def test_folders_that_are_not_there_are_no_error() -> None:
    sweep_leftovers(default_paths())
    assert not default_paths().packages.exists()
