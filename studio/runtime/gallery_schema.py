"""Tables of the gallery's index, how they migrate, and how a damaged file is put aside.

The index is only an index: everything in it can be read again from the files.
"""

import errno
import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from studio.core.errors import StorageError
from studio.runtime.atomic import storage_error

Check = Literal["quick_check", "integrity_check", ""]
"""How a database is looked at when it is opened; the second also compares its indexes with its tables."""

DAMAGE = (sqlite3.Error, UnicodeError)
"""What a statement raises: SQLite quotes damaged names in its messages, and a folder's name may be no text."""

IN_MEMORY = Path(":memory:")
"""In place of a file: a database that is gone with its connection, for when no disk takes one."""

_LIKE_FILES = {sqlite3.SQLITE_FULL: errno.ENOSPC, sqlite3.SQLITE_READONLY: errno.EROFS}
_ROOM_BYTES = 1_000_000  # what a database and its journal need to go on

_log = logging.getLogger(__name__)

_ENTRIES = """
CREATE TABLE entries(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    created_s REAL NOT NULL,
    width_px INTEGER NOT NULL DEFAULT 0,
    height_px INTEGER NOT NULL DEFAULT 0,
    model TEXT NOT NULL DEFAULT '',
    seed INTEGER NOT NULL DEFAULT -1,
    starred INTEGER NOT NULL DEFAULT 0,
    trashed INTEGER NOT NULL DEFAULT 0,
    title TEXT NOT NULL DEFAULT '',
    prompt TEXT NOT NULL DEFAULT '',
    day TEXT NOT NULL DEFAULT '',
    bytes INTEGER NOT NULL DEFAULT 0,
    changed_ns INTEGER NOT NULL DEFAULT 0,
    home TEXT NOT NULL DEFAULT ''
)"""

# version -> statements that lead to it from the version before; never edited once released, only appended to.
_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        _ENTRIES,
        "CREATE INDEX newest ON entries(trashed, created_s DESC, id DESC)",
        "CREATE INDEX newest_starred ON entries(trashed, created_s DESC, id DESC) WHERE starred = 1",
        (
            "CREATE VIRTUAL TABLE words USING fts5(title, model, prompt, day, content='entries', content_rowid='id',"
            " tokenize='unicode61 remove_diacritics 2', prefix='1 2 3')"
        ),
        (
            "CREATE TRIGGER entries_added AFTER INSERT ON entries BEGIN"
            " INSERT INTO words(rowid, title, model, prompt, day)"
            " VALUES (new.id, new.title, new.model, new.prompt, new.day); END"
        ),
        (
            "CREATE TRIGGER entries_removed AFTER DELETE ON entries BEGIN"
            " INSERT INTO words(words, rowid, title, model, prompt, day)"
            " VALUES ('delete', old.id, old.title, old.model, old.prompt, old.day); END"
        ),
        (
            "CREATE TRIGGER entries_changed AFTER UPDATE OF title, model, prompt, day ON entries BEGIN"
            " INSERT INTO words(words, rowid, title, model, prompt, day)"
            " VALUES ('delete', old.id, old.title, old.model, old.prompt, old.day);"
            " INSERT INTO words(rowid, title, model, prompt, day)"
            " VALUES (new.id, new.title, new.model, new.prompt, new.day); END"
        ),
    ),
)


def open_database(
    file: Path, migrations: tuple[tuple[str, ...], ...], *, synchronous: str = "NORMAL", check: Check = "quick_check"
) -> sqlite3.Connection:
    """Open (or make) a database in WAL mode at its newest version; `IN_MEMORY` needs no disk.

    A file that is damaged or that a later Reverie wrote is kept aside and a new one made: the app starts every time.

    Raises:
        StorageError: the folder cannot be written, the disk is full or another program holds the file.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, file, _ROOM_BYTES) from error
    for attempt in range(2):
        connection: sqlite3.Connection | None = None
        try:
            connection = _connect(file, synchronous)
            if check:
                _check(connection, check)
            _migrate(connection, migrations)
            return connection
        except sqlite3.OperationalError as error:
            if connection is not None:
                connection.close()
            if attempt or _is_storage_trouble(error):
                raise database_error(error, file) from error
            _log.warning("the database %s cannot be used (%s); it is kept aside and made anew", file, error)
            put_aside(file)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if connection is not None:
                connection.close()
            if attempt:
                raise database_error(error, file) from error
            _log.warning("the database %s is damaged (%s); it is kept aside and made anew", file, error)
            put_aside(file)
        except BaseException:
            if connection is not None:
                connection.close()
            raise
    raise AssertionError("unreachable")


def open_index(file: Path, *, check: Check = "quick_check") -> sqlite3.Connection:
    """The gallery's index; see `open_database`."""
    return open_database(file, _MIGRATIONS, check=check)


@contextmanager
def transaction(base: sqlite3.Connection, file: Path) -> Iterator[sqlite3.Connection]:
    """One write: all of it or nothing; raises `StorageError`. ``file`` names the database in the sentence."""
    try:
        base.execute("BEGIN IMMEDIATE")
        yield base
        base.execute("COMMIT")
    except BaseException as error:
        with suppress(sqlite3.Error):
            if base.in_transaction:
                base.execute("ROLLBACK")
        if isinstance(error, DAMAGE):
            raise database_error(error, file) from error
        raise


def fetched(base: sqlite3.Connection, file: Path, statement: str, values: tuple[Any, ...]) -> list[Any]:
    """All rows of a query; raises `StorageError`. ``file`` names the database in the sentence."""
    try:
        return base.execute(statement, values).fetchall()
    except DAMAGE as error:
        raise database_error(error, file) from error


def is_damage(error: BaseException | None) -> bool:
    """The database itself is broken, so that only a new one helps; a full disk or a lock is no damage."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, UnicodeDecodeError) or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def database_error(error: Exception, file: Path) -> StorageError:
    """The sentence for a database error."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _LIKE_FILES:
        return storage_error(OSError(_LIKE_FILES[code], str(error)), file, _ROOM_BYTES)
    return StorageError(
        f"The database {file.name} cannot be used: {error}.", f"Is the disk of {file.parent} full, read-only or gone?"
    )


def put_aside(file: Path) -> Path | None:
    """Move a damaged database and its journals out of the way; returns where it is kept (None when there was none)."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    kept: Path | None = None
    for suffix in ("", "-wal", "-shm"):
        part = file.with_name(file.name + suffix)
        if not part.exists():
            continue
        target = file.with_name(f"{file.name}.damaged-{stamp}{suffix}")
        count = 0
        while target.exists():
            count += 1
            target = file.with_name(f"{file.name}.damaged-{stamp}-{count}{suffix}")
        with suppress(OSError):
            part.replace(target)
            kept = kept or target
    return kept


def _connect(file: Path, synchronous: str) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=10.0, isolation_level=None, check_same_thread=False)
    connection.text_factory = _text
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA cache_size=-16000")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _text(data: bytes) -> str:
    """Damaged text is shown as such instead of ending a whole query."""
    return data.decode("utf-8", "replace")


def _check(connection: sqlite3.Connection, check: Check) -> None:
    """Raise `sqlite3.DatabaseError` when the file is damaged. Takes 60 ms for 50,000 rows."""
    row = connection.execute(f"PRAGMA {check}(1)").fetchone()
    if row is None or row[0] != "ok":
        raise sqlite3.DatabaseError(f"{check} says {row[0] if row else 'nothing'}")


def _migrate(connection: sqlite3.Connection, migrations: tuple[tuple[str, ...], ...]) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(migrations):
        raise sqlite3.DatabaseError(f"version {version} is of a later Reverie")
    if version == len(migrations):
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])  # another process may have been quicker
        for statements in migrations[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _is_storage_trouble(error: sqlite3.OperationalError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
    )
