"""The two databases of a window, opened whatever the disk says: one that is full or read-only keeps nobody out."""

from contextlib import ExitStack
from pathlib import Path

from studio.core.errors import StorageError
from studio.core.paths import Paths
from studio.runtime.gallery_index import GalleryIndex
from studio.runtime.gallery_schema import IN_MEMORY
from studio.runtime.queue_store import QueueStore


class Databases:
    """The gallery's ``index`` and the ``queue``.

    Where the data folder cannot be written they are kept in memory until `close`, and ``problem`` says so. The trash
    stays where it is: what is thrown away there must outlive the window.
    """

    def __init__(self, paths: Paths) -> None:
        self._opened = ExitStack()
        self.problem: StorageError | None = None
        try:
            self._open(paths.index_file, paths.queue_file, paths.trash)
        except StorageError as error:
            sentence = "Until that is mended, the queue and stars are forgotten when the window closes."
            self.problem = StorageError(f"{error.message} {sentence}", error.hint)
            self._open(IN_MEMORY, IN_MEMORY, paths.trash)

    def close(self) -> None:
        """Close both."""
        self._opened.close()

    def _open(self, index: Path, queue: Path, trash: Path) -> None:
        with ExitStack() as opened:
            self.index = GalleryIndex(index, trash)
            opened.callback(self.index.close)
            self.queue = QueueStore(queue)
            opened.callback(self.queue.close)
            self._opened.push(opened.pop_all())
