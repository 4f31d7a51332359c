"""The gallery: everything that was made, to look at, find, star, throw away, fetch back and start from."""

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from PySide6.QtCore import QMimeData, QObject, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication, QImage

from studio.core.errors import StudioError
from studio.core.gallery import Entry
from studio.core.recipe import Restored
from studio.state.gallery_model import GalleryModel, ThumbnailCache, to_image
from studio.state.notices import Notice, Notices
from studio.state.replay import Replay
from studio.workers.background import Background

if TYPE_CHECKING:
    from studio.runtime.gallery_index import GalleryIndex, Query, Rebuilt
    from studio.runtime.results import Results
    from studio.runtime.thumbnails import Thumbnails

FILM_FRAMES = 600
"""Frames of a film that the viewer plays."""


def _never() -> bool:
    return False


class GalleryState(QObject):
    """What the strip, the page and the viewer show and do.

    Signals:
        changed(): the query or what can be done changed.
        restore_requested(Restored, str): recipe for the pane; scope is ``all``, ``seed``, ``prompt`` or ``remix``.
        source_requested(str): use this file as the start picture.
        show_requested(Entry): show this result in the pane.
        open_requested(Entry): open the gallery's viewer on this result.
        rebuild_progress(int, int): so many of so many files were read.

    Args:
        index: what exists.
        results: where results are saved.
        background: where files are read.
        notices: told what happened, with undo.
        thumbnails: small pictures.
        clean_folder: where clean copies lie while they are dragged or pasted; emptied at every start.
        drag_clean: the artist's setting: drag and copy without the recipe.
        replay: checks that a result can be made again; None hides that action.
        open_url: shows a folder.
        parent: Qt owner.
    """

    changed = Signal()
    restore_requested = Signal(object, str)
    source_requested = Signal(str)
    show_requested = Signal(object)
    open_requested = Signal(object)
    rebuild_progress = Signal(int, int)

    def __init__(
        self,
        index: "GalleryIndex",
        results: "Results",
        background: Background,
        notices: Notices,
        *,
        thumbnails: "Thumbnails",
        clean_folder: Path,
        drag_clean: Callable[[], bool] = _never,
        replay: Replay | None = None,
        open_url: Callable[[QUrl], object] = QDesktopServices.openUrl,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        from studio.runtime.gallery_index import Query

        self._index, self._results, self._background, self._notices = index, results, background, notices
        self._clean_folder, self._drag_clean, self._open_url = clean_folder, drag_clean, open_url
        self.replay = replay
        self.cache = ThumbnailCache(thumbnails, background, self)
        self.newest = GalleryModel(index, self.cache, background, self)
        self.model = GalleryModel(index, self.cache, background, self)
        self.newest.failed.connect(self._on_index_failed)
        self.model.failed.connect(self._on_index_failed)
        self._query: Query = Query()
        self._everything: Query = Query()
        self._rebuilding = False

    @property
    def query(self) -> "Query":
        """What the page shows."""
        return self._query

    @property
    def rebuilding(self) -> bool:
        """True while the index is made again from the files."""
        return self._rebuilding

    def start(self) -> None:
        """Load the views, then look for files that the index does not know yet (a crash, another computer)."""
        shutil.rmtree(self._clean_folder, ignore_errors=True)
        self.newest.load(self._everything)
        self.model.load(self._query)
        self._background.run(
            partial(self._index.rebuild, self._results.folder), self._on_caught_up, self._on_index_failed
        )

    def add(self, entry: Entry) -> None:
        """A new result: connect the queue's ``saved`` to this."""
        self.newest.put_first(entry)
        self.model.put_first(entry)

    def search(self, text: str) -> None:
        """Show what matches; every word must begin a word of title, model, prompt or date."""
        self._show(text=text)

    def only_starred(self, on: bool) -> None:
        """Show only what has a star."""
        self._show(starred=on)

    def show_trash(self, on: bool) -> None:
        """Show what was thrown away."""
        self._show(trashed=on)

    def star(self, entries: Sequence[Entry], *, on: bool | None = None) -> None:
        """Set, take away or (None) turn over stars."""
        if not entries:
            return
        value = not all(entry.starred for entry in entries) if on is None else on
        for entry in entries:
            changed = msgspec.structs.replace(entry, starred=value)
            self.newest.replace(changed)
            self.model.replace(changed)
        ids = [entry.id for entry in entries]
        self._background.run(partial(self._index.star, ids, on=value), self._on_starred, self._on_index_failed)

    def trash(self, entries: Sequence[Entry]) -> None:
        """Throw results away, with undo."""
        ids = [entry.id for entry in entries]
        if ids:
            self.newest.remove(ids)
            self.model.remove(ids)
            self._background.run(partial(self._index.trash, ids), self._on_trashed, self._on_index_failed)

    def restore(self, entries: Sequence[Entry]) -> None:
        """Put results of the trash back where they were."""
        self._restore([entry.id for entry in entries])

    def purge(self, entries: Sequence[Entry] | None = None) -> None:
        """Remove results of the trash for good; all of them for None."""
        ids = None if entries is None else [entry.id for entry in entries]
        self._background.run(partial(self._index.purge, ids), self._on_purged, self._on_index_failed)

    def rebuild(self) -> None:
        """Make the index anew from the files."""
        if self._rebuilding:
            return
        self._rebuilding = True
        self.changed.emit()
        self._background.run(self._rebuild, self._on_rebuilt, self._on_rebuild_failed)

    def recall(self, entry: Entry, scope: str) -> None:
        """Put a result's recipe back into the pane."""
        self.restore_file(Path(entry.path), scope)

    def restore_file(self, path: Path, scope: str = "all") -> None:
        """Read the recipe inside any file, ours or foreign, and say what cannot be restored."""

        def work() -> Restored | None:
            from studio.runtime.recipes import read_recipe

            return read_recipe(path)

        self._background.run(work, partial(self._on_recipe, path, scope), self._notices.post_error)

    def use_as_start(self, entry: Entry) -> None:
        """Use a picture as the one to start from."""
        self.source_requested.emit(entry.path)

    def mime(self, entries: Sequence[Entry], *, clean: bool | None = None) -> QMimeData:
        """Real files (and, for one picture, its pixels) for a drag or the clipboard."""
        data = QMimeData()
        paths = [self._outgoing(entry, self._drag_clean() if clean is None else clean) for entry in entries]
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        if len(entries) == 1 and entries[0].kind == "picture":
            image = QImage(str(paths[0]))
            if not image.isNull():
                data.setImageData(image)
        return data

    def copy(self, entries: Sequence[Entry], *, clean: bool | None = None) -> None:
        """Put results on the clipboard."""
        if entries:
            try:
                QGuiApplication.clipboard().setMimeData(self.mime(entries, clean=clean))
            except StudioError as error:
                self._notices.post_error(error)

    def verify(self, entry: Entry) -> None:
        """Make a result again and say whether it came out the same."""
        if self.replay is not None:
            self.replay.verify(entry)

    def tell(self, error: StudioError) -> None:
        """Show an error that a view met."""
        self._notices.post_error(error)

    def show_in_folder(self, entry: Entry) -> None:
        """Open the folder of a result in the file manager."""
        self._open_url(QUrl.fromLocalFile(str(Path(entry.path).parent)))

    def open_results_folder(self) -> None:
        """Open the folder where results are saved."""
        self._open_url(QUrl.fromLocalFile(str(self._results.folder)))

    def whole(self, entry: Entry, done: Callable[[list[tuple[QImage, float]]], None]) -> None:
        """Read a result for the viewer: its one picture, or a film's frames with their seconds."""

        def work() -> list[tuple[QImage, float]]:
            from studio.runtime.film import read_frames
            from studio.runtime.pictures import read_picture

            path = Path(entry.path)
            if entry.kind == "film":
                return [(to_image(pixels), seconds) for pixels, seconds in read_frames(path, most=FILM_FRAMES)]
            return [(to_image(read_picture(path)), 0.0)]

        self._background.run(work, done, self._notices.post_error)

    def _show(self, **changes: Any) -> None:
        from dataclasses import replace

        query = replace(self._query, **changes)
        if query != self._query:
            self._query = query
            self.model.load(query)
            self.changed.emit()

    def _outgoing(self, entry: Entry, clean: bool) -> Path:
        source = Path(entry.path)
        if not clean:
            return source
        from studio.runtime.clean_copies import clean_copy

        self._clean_folder.mkdir(parents=True, exist_ok=True)
        # The name would give away model and seed.
        target = self._clean_folder / f"{entry.kind}_{entry.id}{source.suffix}"
        clean_copy(source, target)
        return target

    def _rebuild(self) -> "Rebuilt":
        self._index.start_over()
        return self._index.rebuild(self._results.folder, progress=self.rebuild_progress.emit)

    def _restore(self, ids: list[int]) -> None:
        if ids:
            self._background.run(partial(self._index.restore, ids), self._on_restored, self._on_index_failed)

    def _reload(self) -> None:
        self.newest.load(self._everything)
        self.model.load(self._query)

    def _on_starred(self, _nothing: None) -> None:
        if self._query.starred:  # the filter may have been set before the star was written
            self.model.reload()

    def _on_trashed(self, entries: tuple[Entry, ...]) -> None:
        if self._query.trashed:
            self.model.reload()
        if entries:
            many = "1 result is" if len(entries) == 1 else f"{len(entries)} results are"
            ids = [entry.id for entry in entries]
            self._notices.post(Notice(f"{many} in the trash.", "", "info", "Undo", partial(self._restore, ids)))

    def _on_restored(self, entries: tuple[Entry, ...]) -> None:
        for entry in entries:
            self.cache.forget(entry.id)
        self._reload()

    def _on_purged(self, count: int) -> None:
        self.model.reload()
        many = "1 result was" if count == 1 else f"{count} results were"
        self._notices.post(Notice(f"{many} removed for good."))

    def _on_caught_up(self, rebuilt: "Rebuilt") -> None:
        if rebuilt.added or rebuilt.gone:
            self._reload()

    def _on_rebuilt(self, rebuilt: "Rebuilt") -> None:
        self._rebuilding = False
        self._reload()
        self.changed.emit()
        hint = (
            f"{len(rebuilt.unreadable)} could not be read, such as {rebuilt.unreadable[0]}."
            if rebuilt.unreadable
            else ""
        )
        self._notices.post(Notice(f"The gallery was rebuilt: {rebuilt.added} results found.", hint, "success"))

    def _on_rebuild_failed(self, error: StudioError) -> None:
        self._rebuilding = False
        self.changed.emit()
        self._notices.post_error(error)

    def _on_index_failed(self, error: StudioError) -> None:
        self._notices.post_error(error, action="Rebuild the gallery", run=self.rebuild)
        self._reload_after_failure()

    def _reload_after_failure(self) -> None:
        """Rows were taken away before the disk refused: show what is really there, as far as it can be read."""
        if not self._rebuilding and self.model.rowCount():
            self.model.reload()

    def _on_recipe(self, path: Path, scope: str, restored: Restored | None) -> None:
        if restored is None:
            self._notices.post(Notice(f"{path.name} does not say how it was made.", "Nothing was changed.", "warning"))
            return
        if restored.problems:
            self._notices.post(Notice(" ".join(restored.problems), level="warning"))
        self.restore_requested.emit(restored, scope)
