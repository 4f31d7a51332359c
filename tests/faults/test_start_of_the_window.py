"""What the window loads, and when: nothing of the trainer ever, onnxruntime with the first picture."""

import json
import subprocess
import sys
from pathlib import Path

from studio.core.paths import default_paths
from tests.package_kit import copy_fixture

ROOT = Path(__file__).parents[2]


def test_onnxruntime_comes_with_the_first_picture_and_the_trainer_never() -> None:
    copy_fixture(default_paths().packages, "tiny-diffusion")
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.window_child", "tiny-diffusion", "paint,train,gallery,models"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    report = json.loads(done.stdout)
    assert "error" not in report, report
    assert report["before the first frame"] == []
    assert report["before the first generation"] == []
    assert report["after the first generation"] == ["onnxruntime"]
    assert done.returncode == 0
