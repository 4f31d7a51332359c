import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.core.errors import StorageError
from studio.runtime import atomic
from studio.runtime.atomic import part_path, publish_folder, remove_folder, storage_error, sweep, write_bytes
from tests.faults.crash_points import BROKEN, FULL, KILL, SAID, ForkServer, crash_everywhere, need_strace
from tests.studio.runtime.savers import NEW, OLD, make_folder

SAVERS = "tests.studio.runtime.savers"


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    server = ForkServer(SAVERS)
    yield server
    server.close()


def _contents(folder: Path) -> set[bytes]:
    return {(folder / name).read_bytes() for name in ("one", "two")}


def test_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "note 🐉.json"
    write_bytes(path, OLD)
    write_bytes(path, b"")
    assert path.read_bytes() == b""
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "needs 1 MB"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "read-only"),
        (errno.EIO, "cannot be saved on the disk"),
    ],
)
def test_a_failed_write_keeps_the_old_file_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    path = tmp_path / "settings.json"
    write_bytes(path, OLD)

    def fail(_handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageError) as caught:
        write_bytes(path, NEW)
    assert words in caught.value.message
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named_with_the_room_needed(tmp_path: Path) -> None:
    error = storage_error(OSError(errno.ENOSPC, "full"), tmp_path / "big.bin", 12_300_000)
    assert "needs 13 MB" in error.message
    assert "MB are free" in error.message
    disk = next(place for place in (tmp_path, *tmp_path.parents) if place.is_mount())
    assert str(disk) in error.hint


def test_short_write_is_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    write_bytes(path, OLD)
    real = os.fstat
    monkeypatch.setattr(atomic.os, "fstat", lambda handle: os.stat_result((*real(handle)[:6], 1, *real(handle)[7:])))
    with pytest.raises(StorageError, match="is full"):
        write_bytes(path, NEW)
    assert path.read_bytes() == OLD


@pytest.mark.parametrize("name", ["x" * 300, "gone/a", "file/a"])
def test_places_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        write_bytes(tmp_path / name, OLD)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_name_of_255_bytes_can_be_written(tmp_path: Path) -> None:
    write_bytes(tmp_path / ("x" * 255), OLD)
    assert (tmp_path / ("x" * 255)).read_bytes() == OLD


@pytest.mark.parametrize("swap", [True, False])
def test_publish_new_and_replace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swap: bool) -> None:
    if not swap:
        monkeypatch.setattr(atomic, "_swapped", lambda _staging, _target: False)
    for content in (OLD, NEW):
        staging = part_path(tmp_path)
        make_folder(staging, content)
        publish_folder(staging, tmp_path / "package")
        assert _contents(tmp_path / "package") == {content}
        assert [path.name for path in tmp_path.iterdir()] == ["package"]


def test_without_swap_a_failed_publish_brings_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder(tmp_path / "package", OLD)
    staging = part_path(tmp_path)
    make_folder(staging, NEW)
    monkeypatch.setattr(atomic, "_swapped", lambda _staging, _target: False)
    real = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self == staging:
            raise OSError(errno.EIO, "broken")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(StorageError):
        publish_folder(staging, tmp_path / "package")
    assert _contents(tmp_path / "package") == {OLD}


def test_sweep_removes_parts_and_brings_back_what_was_put_aside(tmp_path: Path) -> None:
    write_bytes(tmp_path / "kept", OLD)
    make_folder(part_path(tmp_path), NEW)
    part_path(tmp_path).write_bytes(NEW)
    make_folder(tmp_path / ".aside-lost", OLD)
    make_folder(tmp_path / ".aside-there", OLD)
    make_folder(tmp_path / "there", NEW)
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "lost", "there"]
    assert _contents(tmp_path / "there") == {NEW}
    sweep(tmp_path / "missing")


def test_remove_folder_leaves_nothing(tmp_path: Path) -> None:
    make_folder(tmp_path / "old", OLD)
    remove_folder(tmp_path / "old")
    assert list(tmp_path.iterdir()) == []


class _FileSuite:
    """Old file there, `target` replaces it; afterwards it must be the old one or the new one."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "saved"
        self.broken: list[str] = []

    def prepare(self) -> tuple[str]:
        self.path.write_bytes(OLD)
        return (str(self.path),)

    def check(self, status: int) -> None:
        content = self.path.read_bytes()
        if content not in (OLD, NEW) or (status == 0 and content != NEW):
            self.broken.append(f"{len(content)} bytes after status {status}")
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) not in (0, SAID):
            self.broken.append("an error that is no sentence")


class _FolderSuite(_FileSuite):
    def prepare(self) -> tuple[str]:
        sweep(self.path.parent)
        if self.path.exists():
            remove_folder(self.path)
        make_folder(self.path, OLD)
        return (str(self.path),)

    def check(self, status: int) -> None:
        try:
            contents = _contents(self.path)
        except OSError as error:
            contents = {str(error).encode()}
        if contents not in ({OLD}, {NEW}):
            self.broken.append(f"{len(contents)} versions after status {status}")


@pytest.mark.parametrize("failure", [KILL, FULL, BROKEN])
def test_a_file_survives_a_failure_at_every_system_call(server: ForkServer, tmp_path: Path, failure: str) -> None:
    need_strace(server)
    suite = _FileSuite(tmp_path)
    calls = ("openat", "write", "fsync", "rename")
    points = crash_everywhere(server, failure, suite.prepare, suite.check, f"{SAVERS}:write_new", calls=calls)
    assert points >= 5
    assert suite.broken == []


def test_the_file_suite_catches_a_naive_writer(server: ForkServer, tmp_path: Path) -> None:
    need_strace(server)
    suite = _FileSuite(tmp_path)
    calls = ("write",)
    crash_everywhere(server, KILL, suite.prepare, suite.check, f"{SAVERS}:write_naively", calls=calls)
    assert suite.broken != []


@pytest.mark.parametrize("failure", [KILL, FULL, BROKEN])
def test_a_folder_survives_a_failure_at_every_system_call(server: ForkServer, tmp_path: Path, failure: str) -> None:
    need_strace(server)
    suite = _FolderSuite(tmp_path)
    points = crash_everywhere(server, failure, suite.prepare, suite.check, f"{SAVERS}:publish_new")
    assert points >= 10
    assert suite.broken == []


def test_the_folder_suite_catches_a_naive_publisher(server: ForkServer, tmp_path: Path) -> None:
    need_strace(server)
    suite = _FolderSuite(tmp_path)
    crash_everywhere(server, KILL, suite.prepare, suite.check, f"{SAVERS}:publish_naively", calls=("mkdir", "write"))
    assert suite.broken != []
