"""The two databases of a window, opened wherever that is possible: a full or read-only disk keeps nobody out."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from studio.core.errors import StorageError
from studio.core.paths import Paths
from studio.runtime.gallery_index import GalleryIndex
from studio.runtime.queue_store import QueueStore


class Databases:
    """The gallery's index and the queue.

    Where the data folder cannot be written they lie in a folder that is removed by `close`, and ``problem`` says so.
    The trash stays where it is: what is thrown away there must outlive the window.

    Raises:
        StorageError: there is no room for them anywhere.
    """

    def __init__(self, paths: Paths) -> None:
        self._open = ExitStack()
        self.problem: StorageError | None = None
        try:
            self._take(paths, paths.data)
        except StorageError as error:
            sentence = "Until that is mended, the queue and stars are forgotten when the window closes."
            self.problem = StorageError(f"{error.message} {sentence}", error.hint)
            shelter = tempfile.TemporaryDirectory(prefix="reverie-", ignore_cleanup_errors=True)
            self._take(paths, Path(self._open.enter_context(shelter)))

    def close(self) -> None:
        """Close both."""
        self._open.close()

    def _take(self, paths: Paths, folder: Path) -> None:
        with ExitStack() as opened:
            self.index = GalleryIndex(folder / paths.index_file.name, paths.trash)
            opened.callback(self.index.close)
            self.queue = QueueStore(folder / paths.queue_file.name)
            opened.callback(self.queue.close)
            self._open.push(opened.pop_all())
