"""The list behind the gallery's views: ids of everything that is shown, entries and thumbnails only of what is seen."""

from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QImage

from studio.core.errors import StudioError
from studio.core.events import Pixels
from studio.core.gallery import Entry
from studio.workers.background import Background

if TYPE_CHECKING:
    from studio.runtime.gallery_index import GalleryIndex, Query
    from studio.runtime.thumbnails import Thumbnails

ENTRY_ROLE = int(Qt.ItemDataRole.UserRole) + 1
"""The `Entry` of a row, or None while it is being read."""
DAMAGED_ROLE = int(Qt.ItemDataRole.UserRole) + 2
"""True when the file of a row cannot be shown."""

_PAGE = 200
_MOST_BYTES = 64_000_000
_MOST_WANTED = 300
_AT_ONCE = 2
_ONE_BY_ONE = 20
_NO_PARENT = QModelIndex()
_Index = QModelIndex | QPersistentModelIndex


def to_image(pixels: Pixels) -> QImage:
    """A Qt image with its own copy of straight RGBA pixels."""
    height, width = pixels.shape[:2]
    return QImage(pixels.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()


class ThumbnailCache(QObject):
    """Thumbnails in memory, made in the background, what was asked for last first.

    Signals:
        ready(int): the thumbnail of this entry id is there now (or is known to be damaged).
    """

    ready = Signal(int)

    def __init__(self, thumbnails: "Thumbnails", background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thumbnails, self._background = thumbnails, background
        self._images: OrderedDict[int, QImage] = OrderedDict()
        self._bytes = 0
        self._wanted: OrderedDict[int, Entry] = OrderedDict()
        self._making: set[int] = set()

    def get(self, entry: Entry) -> QImage | None:
        """The thumbnail, a null image for a damaged file, or None while it is being made."""
        image = self._images.get(entry.id)
        if image is not None:
            self._images.move_to_end(entry.id)
            return image
        if entry.id not in self._making:
            self._wanted[entry.id] = entry
            self._wanted.move_to_end(entry.id)
            while len(self._wanted) > _MOST_WANTED:
                self._wanted.popitem(last=False)
            self._make_next()
        return None

    def forget(self, entry_id: int) -> None:
        """Drop a thumbnail: its file moved or changed."""
        image = self._images.pop(entry_id, None)
        if image is not None:
            self._bytes -= image.sizeInBytes()

    def _make_next(self) -> None:
        while self._wanted and len(self._making) < _AT_ONCE:
            entry_id, entry = self._wanted.popitem()
            self._making.add(entry_id)
            self._background.run(
                partial(self._load, entry), partial(self._on_made, entry_id), partial(self._on_failed, entry_id)
            )

    def _load(self, entry: Entry) -> QImage:
        return to_image(self._thumbnails.load(entry))

    def _on_made(self, entry_id: int, image: QImage) -> None:
        self._making.discard(entry_id)
        self.forget(entry_id)
        self._images[entry_id] = image
        self._bytes += image.sizeInBytes()
        while self._bytes > _MOST_BYTES and len(self._images) > 1:
            _, old = self._images.popitem(last=False)
            self._bytes -= old.sizeInBytes()
        self.ready.emit(entry_id)
        self._make_next()

    def _on_failed(self, entry_id: int, _error: StudioError) -> None:
        self._on_made(entry_id, QImage())


class GalleryModel(QAbstractListModel):
    """Rows of one query, newest first. The first page shows at once; all ids follow; entries come when they are seen.

    Signals:
        counted(int): how many rows there are now.
        failed(StudioError): the index cannot be read.
    """

    counted = Signal(int)
    failed = Signal(object)

    def __init__(
        self, index: "GalleryIndex", cache: ThumbnailCache, background: Background, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._index, self._cache, self._background = index, cache, background
        self._ids: list[int] = []
        self._entries: dict[int, Entry] = {}
        self._asked: set[int] = set()
        self._generation = 0
        self._query: Query | None = None
        cache.ready.connect(self._on_cache_ready)

    def rowCount(self, parent: _Index = _NO_PARENT) -> int:  # noqa: N802 - Qt
        """How many rows the query has."""
        return 0 if parent.isValid() else len(self._ids)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Title, thumbnail, entry or a sentence for screen readers."""
        entry = self.entry(index.row())
        if entry is None:
            return None
        if role == ENTRY_ROLE:
            return entry
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.title
        if role == Qt.ItemDataRole.DecorationRole:
            return self._cache.get(entry)
        if role == DAMAGED_ROLE:
            image = self._cache.get(entry)
            return image is not None and image.isNull()
        if role in (Qt.ItemDataRole.AccessibleTextRole, Qt.ItemDataRole.ToolTipRole):
            return describe(entry)
        return None

    def flags(self, index: _Index) -> Qt.ItemFlag:
        """Rows can be chosen and dragged out."""
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsDragEnabled

    def entry(self, row: int) -> Entry | None:
        """The entry of a row, or None while its page is being read."""
        if not 0 <= row < len(self._ids):
            return None
        found = self._entries.get(self._ids[row])
        if found is None:
            self._ask(row // _PAGE)
        return found

    def row_of(self, entry_id: int) -> int:
        """The row of an entry, or -1."""
        try:
            return self._ids.index(entry_id)
        except ValueError:
            return -1

    def load(self, query: "Query") -> None:
        """Show another query. The latest call wins."""
        self._generation += 1
        self._query = query
        self._background.run(
            partial(self._index.page, query, limit=_PAGE),
            partial(self._on_first_page, self._generation),
            self.failed.emit,
        )

    def reload(self) -> None:
        """Read the query again."""
        if self._query is not None:
            self.load(self._query)

    def put_first(self, entry: Entry) -> None:
        """A new result on top; a search reads again instead, because only the index knows whether it fits."""
        if self._query is None or self._query.trashed or self._query.starred:
            return
        if self._query.text:
            self.reload()
        elif entry.id not in self._entries:
            self.beginInsertRows(QModelIndex(), 0, 0)
            self._ids.insert(0, entry.id)
            self._entries[entry.id] = entry
            self.endInsertRows()
            self.counted.emit(len(self._ids))

    def replace(self, entry: Entry) -> None:
        """An entry changed (a star)."""
        row = self.row_of(entry.id)
        if row < 0:
            return
        if self._query is not None and self._query.starred and not entry.starred:
            self.remove([entry.id])
            return
        self._entries[entry.id] = entry
        place = self.index(row, 0)
        self.dataChanged.emit(place, place)

    def remove(self, ids: list[int]) -> None:
        """Rows that no longer belong here."""
        if len(ids) > _ONE_BY_ONE:
            gone = set(ids)
            self.beginResetModel()
            self._ids = [each for each in self._ids if each not in gone]
            self._asked.clear()
            self.endResetModel()
            self.counted.emit(len(self._ids))
            return
        rows = sorted((row for row in map(self.row_of, ids) if row >= 0), reverse=True)
        for row in rows:
            self.beginRemoveRows(QModelIndex(), row, row)
            self._entries.pop(self._ids.pop(row), None)
            self.endRemoveRows()
        if rows:
            self._asked.clear()
            self.counted.emit(len(self._ids))

    def _ask(self, page: int) -> None:
        if page in self._asked:
            return
        self._asked.add(page)
        ids = self._ids[page * _PAGE : (page + 1) * _PAGE]
        self._background.run(
            partial(self._index.many, ids), partial(self._on_entries, self._generation, page), self.failed.emit
        )

    def _on_first_page(self, generation: int, entries: tuple[Entry, ...]) -> None:
        if generation != self._generation:
            return
        self.beginResetModel()
        self._ids = [entry.id for entry in entries]
        self._entries = {entry.id: entry for entry in entries}
        self._asked.clear()
        self.endResetModel()
        self.counted.emit(len(self._ids))
        if len(entries) == _PAGE and self._query is not None:
            self._background.run(
                partial(self._index.ids, self._query), partial(self._on_ids, generation), self.failed.emit
            )

    def _on_ids(self, generation: int, ids: list[int]) -> None:
        if generation != self._generation:
            return
        have = len(self._ids)
        if ids[:have] == self._ids:
            if len(ids) > have:
                self.beginInsertRows(QModelIndex(), have, len(ids) - 1)
                self._ids = ids
                self.endInsertRows()
        else:  # a result came or went between the two reads
            self.beginResetModel()
            self._ids = ids
            self.endResetModel()
        self._asked.clear()
        self.counted.emit(len(ids))

    def _on_entries(self, generation: int, page: int, found: dict[int, Entry]) -> None:
        if generation != self._generation:
            return
        self._entries |= found
        if len(self._entries) > 40 * _PAGE:  # scrolled through a large gallery: keep memory flat
            self._entries = found
            self._asked = {page}
        last = min(len(self._ids), (page + 1) * _PAGE) - 1
        if last >= page * _PAGE:
            self.dataChanged.emit(self.index(page * _PAGE, 0), self.index(last, 0))

    def _on_cache_ready(self, entry_id: int) -> None:
        if entry_id in self._entries and self._ids:
            # For all rows: finding the one among 50,000 costs more than looking at the few that are seen.
            first, last = self.index(0, 0), self.index(len(self._ids) - 1, 0)
            self.dataChanged.emit(first, last, [int(Qt.ItemDataRole.DecorationRole)])


def describe(entry: Entry) -> str:
    """One line about a result, for tooltips and screen readers."""
    parts = ["Film" if entry.kind == "film" else "Picture"]
    if entry.model:
        parts.append(f"by {entry.model}")
    if entry.width_px:
        parts.append(f"{entry.width_px} × {entry.height_px} px")
    if entry.seed >= 0:
        parts.append(f"seed {entry.seed}")
    if entry.starred:
        parts.append("starred")
    return ", ".join([*parts, entry.title])
