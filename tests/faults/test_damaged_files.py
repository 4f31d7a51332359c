"""Damaged files at the start: the index heals itself, and the window opens and works whatever lies in its folders."""

import random
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from studio.core.paths import Paths, default_paths
from studio.runtime.gallery_index import GalleryIndex, Query
from tests.faults.savers import library, save
from tests.package_kit import copy_fixture
from tests.studio.runtime.test_gallery_index import damaged

ROOT = Path(__file__).parents[2]
RESULTS = 12


@pytest.mark.parametrize("seeds", [range(50), pytest.param(range(50, 250), marks=pytest.mark.slow)])
def test_one_start_heals_every_damage_of_the_index(tmp_path: Path, seeds: range) -> None:
    index, results = library(tmp_path)
    paths = {save(results, seed).path for seed in range(RESULTS)}
    index.star([index.page(Query())[0].id], on=True)
    index.close()
    whole, stars = tmp_path / "data" / "index.sqlite", tmp_path / "data" / "index-stars.json"
    asides = 0
    for seed in seeds:
        data = tmp_path / f"data{seed}"
        data.mkdir()
        shutil.copy(stars, data)
        (data / "index.sqlite").write_bytes(damaged(whole.read_bytes(), random.Random(seed)))
        again = GalleryIndex(data / "index.sqlite", data / "trash")
        try:
            again.rebuild(tmp_path / "results")
            assert {entry.path for entry in again.page(Query())} == paths, f"damage {seed}"
            assert again.count(Query(text="seed")) == RESULTS, f"damage {seed}"
            kept = list(data.glob("*.damaged-*"))
            assert not kept or again.count(Query(starred=True)) == 1, f"damage {seed}"
        finally:
            again.close()
        asides += bool(kept)
        shutil.rmtree(data)
    assert asides > len(seeds) // 3


def test_the_window_opens_and_works_when_every_file_of_its_own_is_damaged() -> None:
    paths = default_paths()
    copy_fixture(paths.packages, "tiny-diffusion")
    way = random.Random(5)
    for path in _files_of_its_own(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(way.randbytes(3000))
    _litter(paths)
    report = _window()
    assert "error" not in report, report
    assert Path(report["saved"][0]).is_file()
    for path in (paths.settings_file, paths.index_file, paths.queue_file):
        assert list(path.parent.glob(f"{path.name}.damaged*")), f"{path.name} was not kept aside"


def _files_of_its_own(paths: Paths) -> list[Path]:
    names = ("index-stars.json", "speeds.json", "window.lock", "models/tiny-diffusion.json")
    return [
        *(paths.settings_file, paths.index_file, paths.queue_file, paths.cache / "devices.json"),
        *(paths.data / name for name in names),
    ]


def _litter(paths: Paths) -> None:
    """What a crash, another program or a curious person leaves in the folders."""
    (paths.packages / "half").mkdir(parents=True)
    (paths.packages / "half" / "manifest.json").write_text("{")
    (paths.packages / "stray.txt").write_text("x")
    (paths.runs / "empty").mkdir(parents=True)
    (paths.runs / "odd").mkdir()
    for name in ("spec.json", "events.jsonl", "pid", "control.json"):
        (paths.runs / "odd" / name).write_bytes(b"\xff\x00{")
    day = paths.results / "2026-01-01"
    day.mkdir(parents=True)
    (day / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (day / "empty.mp4").write_bytes(b"")
    (paths.trash / "lost").mkdir(parents=True, exist_ok=True)


def _window() -> dict:
    rooms = "paint,train,gallery,models,settings"
    command = [sys.executable, "-m", "tests.faults.window_child", "tiny-diffusion", rooms]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout)
