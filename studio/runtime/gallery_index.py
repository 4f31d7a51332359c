# ruff: noqa: S608 - the pieces of every statement are constants of this file; values are always bound
"""The gallery's index: SQLite in WAL mode with full-text search over what lies in the results folder.

Readers never wait for the writer (each has its own connection); a page or a search of 50,000 rows takes milliseconds.
Stars stand in a small side file too, because the files themselves do not hold them.
"""

import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.core.errors import StorageError
from studio.core.gallery import Entry
from studio.runtime import trash as bin_
from studio.runtime.atomic import write_bytes
from studio.runtime.gallery_scan import Found, inspect, result_files
from studio.runtime.gallery_schema import IN_MEMORY, fetched, is_damage, open_index, put_aside, transaction

_log = logging.getLogger(__name__)

_COLUMNS = "id, path, kind, created_s, width_px, height_px, model, seed, starred, trashed, title"
_BATCH = 200


@dataclass(frozen=True)
class Query:
    """What the gallery shows: ``text`` (every word must begin a word of title, model, prompt or date), stars, trash."""

    text: str = ""
    starred: bool = False
    trashed: bool = False


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild did: files ``known`` as before, newly ``added``, ``gone`` from disk, ``unreadable`` names."""

    known: int
    added: int
    gone: int
    unreadable: tuple[str, ...] = ()


class GalleryIndex:
    """Knows every result. Safe to use from any thread.

    Args:
        file: the database; made when absent, kept aside and made anew when damaged (then call `rebuild`);
            or `studio.runtime.gallery_schema.IN_MEMORY`.
        trash: folder of deleted results.

    Raises:
        StorageError: the folder cannot be written.
    """

    def __init__(self, file: Path, trash: Path) -> None:
        self._file, self._trash = file, trash
        self._stars_file = file.with_name(file.stem + "-stars.json")
        self._write_lock = threading.RLock()
        self._read_lock = self._write_lock if file == IN_MEMORY else threading.RLock()
        self._open()

    def _open(self) -> None:
        self._writer = open_index(self._file)
        if self._file == IN_MEMORY:  # such a database has one connection
            self._reader = self._writer
            return
        self._reader = open_index(self._file, check="")
        self._reader.execute("PRAGMA query_only=1")

    def close(self) -> None:
        """Close the database."""
        with self._write_lock, self._read_lock:
            self._reader.close()
            self._writer.close()

    def add(self, found: Found) -> Entry:
        """Put a result into the index (or refresh it) and return its entry."""
        with self._writing() as base:
            return _upsert(base, found, starred=False)

    def get(self, entry_id: int) -> Entry | None:
        """The entry with this id."""
        rows = self._read(f"SELECT {_COLUMNS} FROM entries WHERE id = ?", (entry_id,))
        return _entry(rows[0]) if rows else None

    def many(self, ids: Sequence[int]) -> dict[int, Entry]:
        """The entries with these ids, as far as they exist; at most a few hundred at a time."""
        marks = ",".join("?" * len(ids))
        rows = self._read(f"SELECT {_COLUMNS} FROM entries WHERE id IN ({marks})", tuple(ids))
        return {row[0]: _entry(row) for row in rows}

    def page(self, query: Query, *, limit: int = 200, before: Entry | None = None) -> tuple[Entry, ...]:
        """Newest first, those after ``before`` in that order."""
        where, values = _where(query)
        if before is not None:
            where += " AND (created_s, id) < (?, ?)"
            values += (before.created_s, before.id)
        rows = self._read(
            f"SELECT {_COLUMNS} FROM entries WHERE {where} ORDER BY created_s DESC, id DESC LIMIT ?", (*values, limit)
        )
        return tuple(_entry(row) for row in rows)

    def ids(self, query: Query) -> list[int]:
        """Every id that the query shows, newest first."""
        where, values = _where(query)
        # One text made by SQLite instead of 50,000 rows made by Python: the window's thread is not held up meanwhile.
        ordered = f"SELECT id FROM entries WHERE {where} ORDER BY created_s DESC, id DESC"
        joined = self._read(f"SELECT group_concat(id) FROM ({ordered})", values)[0][0]
        return list(map(int, joined.split(","))) if joined else []

    def count(self, query: Query) -> int:
        """How many the query shows."""
        where, values = _where(query)
        return int(self._read(f"SELECT count(*) FROM entries WHERE {where}", values)[0][0])

    def star(self, ids: Iterable[int], *, on: bool) -> None:
        """Set or take away stars."""
        with self._writing() as base:
            base.executemany("UPDATE entries SET starred = ? WHERE id = ?", [(int(on), each) for each in ids])
        self._keep_stars()

    def trash(self, ids: Iterable[int]) -> tuple[Entry, ...]:
        """Move files into the trash; returns the entries as they are now. A file that is gone only leaves the index.

        Raises:
            StorageError: a folder cannot be written; what was moved before stays moved.
        """
        moved: list[Entry] = []
        for entry in self._entries(ids):
            if entry.trashed:
                continue
            path = Path(entry.path)
            if not path.exists():
                with self._writing() as base:
                    base.execute("DELETE FROM entries WHERE id = ?", (entry.id,))
                continue
            moved.append(self._moved(entry, bin_.put(self._trash, path), home=entry.path, trashed=True))
        return tuple(moved)

    def restore(self, ids: Iterable[int]) -> tuple[Entry, ...]:
        """Move files of the trash home again; beside it when something else lies there now."""
        back: list[Entry] = []
        for entry in self._entries(ids):
            if not entry.trashed:
                continue
            home = self._read("SELECT home FROM entries WHERE id = ?", (entry.id,))[0][0]
            path = bin_.take_back(Path(entry.path), Path(home))
            back.append(self._moved(entry, path, home="", trashed=False))
        return tuple(back)

    def purge(self, ids: Iterable[int] | None = None) -> int:
        """Remove files of the trash for good (all of them when ``ids`` is None); returns how many."""
        chosen = self.ids(Query(trashed=True)) if ids is None else list(ids)
        removed = 0
        for entry in self._entries(chosen):
            if entry.trashed:
                bin_.purge(Path(entry.path))
                with self._writing() as base:
                    base.execute("DELETE FROM entries WHERE id = ?", (entry.id,))
                removed += 1
        return removed

    def rebuild(
        self,
        folder: Path,
        *,
        progress: Callable[[int, int], None] | None = None,
        stopped: Callable[[], bool] = lambda: False,
        everything: bool = False,
    ) -> Rebuilt:
        """Make the index agree with the files in ``folder`` and the trash.

        Damage that only shows now puts the database aside and fills a new one.

        Args:
            folder: the results folder.
            progress: told how many of how many new files were read.
            stopped: asked now and then; what is done stays.
            everything: read files again that are known and unchanged.
        """
        try:
            return self._rebuilt(folder, progress, stopped, everything=everything)
        except StorageError as error:
            if not is_damage(error.__cause__):
                raise
            _log.warning("the index shows damage while it is read (%s); it is kept aside and made anew", error)
            self.start_over()
            return self._rebuilt(folder, progress, stopped, everything=True)

    def start_over(self) -> None:
        """Put the database aside and begin an empty one; `rebuild` then fills it."""
        with self._write_lock, self._read_lock:
            self.close()
            put_aside(self._file)
            self._open()

    def _rebuilt(
        self,
        folder: Path,
        progress: Callable[[int, int], None] | None,
        stopped: Callable[[], bool],
        *,
        everything: bool,
    ) -> Rebuilt:
        self._check_words()
        known = {} if everything else self._known()
        files = list(result_files(folder))
        inside = [(path, home) for path, home in bin_.contents(self._trash)]
        fresh = [(path, "", state) for path, state in files if known.get(str(path)) != state]
        fresh += [(path, home, (0, 0)) for path, home in inside if str(path) not in known]
        starred, unreadable = self._kept_stars(), list[str]()
        for start in range(0, len(fresh), _BATCH):
            if stopped():
                break
            found = [(inspect(path, home=home), path) for path, home, _ in fresh[start : start + _BATCH]]
            unreadable += [path.name for each, path in found if each is None]
            with self._writing() as base:
                for each, path in found:
                    if each is not None:
                        _upsert(base, each, starred=str(path) in starred or each.home in starred)
            if progress is not None:
                progress(min(start + _BATCH, len(fresh)), len(fresh))
        gone = self._drop_gone({str(path) for path, _ in files} | {str(path) for path, _ in inside}, folder)
        return Rebuilt(len(files) + len(inside) - len(fresh), len(fresh) - len(unreadable), gone, tuple(unreadable))

    def _check_words(self) -> None:
        """Raise `StorageError` when a search would miss a row: no other check sees that. 0.2 s for 50,000 rows."""
        with self._writing() as base:
            base.execute("INSERT INTO words(words, rank) VALUES ('integrity-check', 1)")

    def _known(self) -> dict[str, tuple[int, int]]:
        return {row[0]: (row[1], row[2]) for row in self._read("SELECT path, bytes, changed_ns FROM entries", ())}

    def _drop_gone(self, present: set[str], folder: Path) -> int:
        """Entries whose file is not there any more; those of another results folder stay while their file does."""
        rows = self._read("SELECT id, path FROM entries", ())
        gone = [(row[0],) for row in rows if row[1] not in present and not Path(row[1]).exists()]
        # An unplugged drive must not empty the gallery.
        if gone and not folder.is_dir():
            return 0
        with self._writing() as base:
            base.executemany("DELETE FROM entries WHERE id = ?", gone)
        return len(gone)

    def _entries(self, ids: Iterable[int]) -> tuple[Entry, ...]:
        chosen = list(ids)
        found: dict[int, Entry] = {}
        for start in range(0, len(chosen), _BATCH):
            found |= self.many(chosen[start : start + _BATCH])
        return tuple(found[each] for each in chosen if each in found)

    def _moved(self, entry: Entry, path: Path, *, home: str, trashed: bool) -> Entry:
        with self._writing() as base:
            base.execute("DELETE FROM entries WHERE path = ? AND id <> ?", (str(path), entry.id))
            base.execute(
                "UPDATE entries SET path = ?, home = ?, trashed = ? WHERE id = ?",
                (str(path), home, int(trashed), entry.id),
            )
            row = base.execute(f"SELECT {_COLUMNS} FROM entries WHERE id = ?", (entry.id,)).fetchone()
        return _entry(row)

    def _keep_stars(self) -> None:
        if self._file == IN_MEMORY:
            return
        rows = self._read("SELECT CASE trashed WHEN 1 THEN home ELSE path END FROM entries WHERE starred = 1", ())
        write_bytes(self._stars_file, json.dumps([row[0] for row in rows]).encode())

    def _kept_stars(self) -> set[str]:
        try:
            kept: Any = json.loads(self._stars_file.read_bytes())
        except (OSError, ValueError):
            return set()
        return {str(each) for each in kept} if isinstance(kept, list) else set()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._write_lock, transaction(self._writer, self._file) as base:
            yield base

    def _read(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        with self._read_lock:
            return fetched(self._reader, self._file, statement, values)


def _where(query: Query) -> tuple[str, tuple[Any, ...]]:
    where, values = f"trashed = {int(query.trashed)}", ()
    if query.starred:
        where += " AND starred = 1"
    words = _match(query.text)
    if words:
        where += " AND id IN (SELECT rowid FROM words WHERE words MATCH ?)"
        values = (words,)
    elif query.text.strip():
        where += " AND 0"  # only punctuation was typed: nothing matches
    return where, values


def _match(text: str) -> str:
    """Every word as a quoted prefix: no letter of the artist's can become an operator of the query language."""
    cleaned = "".join(letter if letter.isalnum() else " " for letter in text)
    return " ".join(f'"{word}"*' for word in cleaned.split()[:16])


def _upsert(base: sqlite3.Connection, found: Found, *, starred: bool) -> Entry:
    row = base.execute(
        "INSERT INTO entries(path, kind, created_s, width_px, height_px, model, seed, starred, trashed, title, prompt,"
        " day, bytes, changed_ns, home) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT(path) DO UPDATE SET kind=excluded.kind, created_s=excluded.created_s,"
        " width_px=excluded.width_px, height_px=excluded.height_px, model=excluded.model, seed=excluded.seed,"
        " title=excluded.title, prompt=excluded.prompt, day=excluded.day, bytes=excluded.bytes,"
        f" changed_ns=excluded.changed_ns RETURNING {_COLUMNS}",
        (
            *(str(found.path), found.kind, found.created_s, found.width_px, found.height_px, found.model, found.seed),
            *(int(starred), int(bool(found.home)), found.title, found.prompt, found.day, found.bytes),
            *(found.changed_ns, found.home),
        ),
    ).fetchone()
    return _entry(row)


def _entry(row: Any) -> Entry:
    return Entry(*row[:8], starred=bool(row[8]), trashed=bool(row[9]), title=row[10])
