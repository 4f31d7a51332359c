"""One window per library; a second start hands its files over."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from PySide6.QtCore import QLockFile

from studio.workers.clock import Clock
from studio.workers.instance import SingleInstance

SECOND = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from studio.workers.instance import SingleInstance
app = QCoreApplication([])
one = SingleInstance(Path(sys.argv[1]))
print(one.claim(), one.hand_over((Path(sys.argv[2]),)), flush=True)
"""
KILLED = """
import os, sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from studio.workers.instance import SingleInstance
app = QCoreApplication([])
assert SingleInstance(Path(sys.argv[1])).claim()
os.kill(os.getpid(), 9)
"""
ROOT = Path(__file__).resolve().parents[3]


def child(code: str, *arguments: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_second_start_hands_over_and_leaves(tmp_path, qtbot) -> None:
    first = SingleInstance(tmp_path)
    assert first.claim()
    second = child(SECOND, tmp_path, tmp_path / "päckage.reverie")
    with second:
        with qtbot.waitSignal(first.called, timeout=20_000) as caught:
            pass
        assert second.stdout.read().split() == [b"False", b"True"]
    assert caught.args[0] == (tmp_path / "päckage.reverie",)
    first.close()
    again = SingleInstance(tmp_path)
    assert again.claim()
    again.close()


def test_a_killed_window_does_not_lock_the_library(tmp_path, qtbot) -> None:
    with child(KILLED, tmp_path) as killed:
        killed.wait(30)
    assert killed.returncode == -9
    second = SingleInstance(tmp_path)
    assert second.claim()
    second.close()


def test_two_libraries_do_not_know_each_other(tmp_path, qtbot) -> None:
    one, other = SingleInstance(tmp_path / "a"), SingleInstance(tmp_path / "b")
    assert one.claim()
    assert other.claim()
    one.close()
    assert not SingleInstance(tmp_path / "a").hand_over(())
    other.close()


def test_clock_calls_later_and_can_be_told_not_to(qtbot) -> None:
    clock = Clock()
    said: list[str] = []
    forget = clock.later(1, lambda: said.append("never"))
    forget()
    clock.later(5, lambda: said.append("once"))
    qtbot.waitUntil(lambda: bool(said))
    assert said == ["once"]


@pytest.mark.parametrize("left", [b"", b"\xff\x00" * 500])
def test_a_damaged_lock_does_not_lock_the_library(tmp_path, qtbot, left) -> None:
    (tmp_path / "window.lock").write_bytes(left)
    one = SingleInstance(tmp_path)
    assert one.claim()
    assert not SingleInstance(tmp_path).claim()
    one.close()


def test_a_folder_that_cannot_be_made_is_no_reason_not_to_open(tmp_path, qtbot) -> None:
    (tmp_path / "file").write_bytes(b"")
    one = SingleInstance(tmp_path / "file" / "data")
    assert one.claim()
    one.close()


def test_a_lock_that_nobody_answers_for_is_explained(tmp_path, qtbot, caplog) -> None:
    held = QLockFile(str(tmp_path / "window.lock"))
    assert held.tryLock(0)  # as a window that hangs, or one on another computer: no server listens
    second = SingleInstance(tmp_path)
    assert not second.claim()
    assert second.leave(()) == 1
    assert "does not answer" in caplog.text
    held.unlock()
