"""The window and the trainer at work, below strace: no socket, no look-up, no file elsewhere; nothing heavy too early.

The command line has tests of its own in tests/studio/cli.
"""

import json
import os
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from studio.core.dataset import ITEMS_NAME, Item, encode_items
from studio.core.paths import default_paths
from studio.core.protocol import SPEC_NAME, RunSpec
from studio.runtime.packages import open_package
from tests.faults.watched_calls import strangers, watched
from tests.package_kit import copy_fixture

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="strace is a Linux tool")
ROOMS = "paint,train,gallery,models,settings"


def home() -> Path:
    return Path(os.environ["REVERIE_HOME"])


def test_the_watch_sees_sockets_look_ups_and_files(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    code = (
        "import socket, pathlib, threading\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()\n"
        "threading.Thread(target=lambda: socket.getaddrinfo('reverie.invalid', 80)).start()\n"
        f"pathlib.Path({str(elsewhere)!r}).write_text('x')\n"
    )
    seen = watched(tmp_path / "here", "-c", code)
    assert seen.internet
    assert seen.look_ups
    assert strangers(seen.written, tmp_path / "here") == [elsewhere]


def test_the_window_with_all_its_panes_is_silent_and_loads_only_what_it_needs(tmp_path: Path) -> None:
    copy_fixture(default_paths().packages, "tiny-diffusion")
    seen = watched(tmp_path, "-m", "tests.faults.window_child", "tiny-diffusion", ROOMS)
    report = json.loads(seen.process.stdout)
    assert "error" not in report, report
    assert seen.process.returncode == 0
    assert Path(report["saved"][0]).is_file()
    assert report["before the first frame"] == []
    assert report["before the first generation"] == []
    assert report["after the first generation"] == ["onnxruntime"]
    assert seen.internet == []
    assert seen.look_ups == []
    assert strangers(seen.written, home(), tmp_path) == []


@pytest.mark.timeout(240)
def test_a_training_is_silent(tmp_path: Path) -> None:
    run = _tiny_run(home() / "runs" / "tiny")
    seen = watched(tmp_path, "-m", "models", "train", str(run), "--device", "cpu", timeout_s=200)
    assert seen.process.returncode == 0, seen.process.stderr
    assert open_package(run / "package" / "tiny").manifest.parity
    assert seen.internet == []
    assert seen.look_ups == []
    assert strangers(seen.written, run, tmp_path) == []


def _tiny_run(run: Path) -> Path:
    data = run / "data"
    data.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(12):
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(data / f"{index}.png")
    items = (Item(f"{index}.png", "valid" if index >= 10 else "train") for index in range(12))
    (data / ITEMS_NAME).write_bytes(encode_items(tuple(items)))
    config = {"widths": [8, 16], "blocks": [0, 1]}
    spec = RunSpec("AE", str(data), "tiny", "Tiny", config=config, settings={"steps": 2, "batch": 6}, threads=1)
    (run / SPEC_NAME).write_bytes(msgspec.json.encode(spec))
    return run
