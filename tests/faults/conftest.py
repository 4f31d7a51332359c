"""A small disk of its own for a test, to fill or to make read-only."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = 4096


class SmallDisk:
    """A file system of a few megabytes at ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._filler = root / "filler"

    def leave(self, free_bytes: int) -> None:
        """Fill it so that about ``free_bytes`` are free."""
        self.clear()
        with self._filler.open("wb", buffering=0) as stream:
            try:
                while (room := self.free() - free_bytes) >= PAGE:
                    stream.write(b"\1" * min(room // PAGE * PAGE, 1 << 20))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def clear(self) -> None:
        """Make room again."""
        self._filler.unlink(missing_ok=True)

    def free(self) -> int:
        """Bytes that can be written."""
        state = os.statvfs(self.root)
        return state.f_bavail * state.f_bsize

    def allow_writing(self, allowed: bool) -> None:
        """Make it read-only, or writable again."""
        _mount("-o", f"remount,{'rw' if allowed else 'ro'}", str(self.root))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only the superuser of a Linux machine can make a small disk")
    root = tmp_path / "disk"
    root.mkdir()
    failed = _mount("-t", "tmpfs", "-o", "size=16m", "none", str(root))
    if failed:
        pytest.skip(f"no disk can be mounted here: {failed}")
    yield SmallDisk(root)
    subprocess.run(["umount", "--lazy", str(root)], check=True)


def _mount(*arguments: str) -> str:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""
