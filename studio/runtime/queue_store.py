# ruff: noqa: S608 - the pieces of every statement are constants of this file; values are always bound
"""The queue on disk: a job is acknowledged only when it is durable, and a crash loses none and repeats none.

Before a result is written its path is noted here; after a crash a noted path that exists counts as made (results are
written atomically, so what exists is whole). The last result of a job and its ``done`` are one transaction.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import msgspec

from studio.core.errors import StorageError
from studio.core.jobs import FINAL_STATES, Job, JobState
from studio.core.requests import Request, decode_request, encode_request
from studio.runtime.gallery_schema import fetched, open_database, put_aside, transaction

_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # AUTOINCREMENT: an id is never used again, even after its job was cleared away.
        (
            "CREATE TABLE jobs(id INTEGER PRIMARY KEY AUTOINCREMENT, request BLOB NOT NULL, state TEXT NOT NULL,"
            " rank REAL NOT NULL, made INTEGER NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '',"
            " created_s REAL NOT NULL, finished_s REAL NOT NULL DEFAULT 0)"
        ),
        "CREATE INDEX in_order ON jobs(state, rank, id)",
        (
            "CREATE TABLE planned(job INTEGER NOT NULL, number INTEGER NOT NULL, path TEXT NOT NULL,"
            " PRIMARY KEY(job, number)) WITHOUT ROWID"
        ),
    ),
)
_COLUMNS = "id, request, state, rank, made, message, created_s, finished_s"
_KEPT_FINAL = 200
_STATES = {"waiting", "running", *FINAL_STATES}
_log = logging.getLogger(__name__)


def results_of(request: Request) -> int:
    """How many files a request makes: its count, or one film."""
    return 1 if request.path else request.count


class QueueStore:
    """Jobs in a SQLite file with ``synchronous=FULL``. Safe to use from any thread.

    Args:
        file: the database; made when absent, kept aside and made anew when damaged; or
            `studio.runtime.gallery_schema.IN_MEMORY`.
        now: seconds since 1970.

    Raises:
        StorageError: the folder cannot be written.
    """

    def __init__(self, file: Path, *, now: Callable[[], float] = time.time) -> None:
        self._file, self._now = file, now
        self._lock = threading.RLock()
        self._base = open_database(file, _MIGRATIONS, synchronous="FULL", check="integrity_check")
        try:
            self._set_unreadable_aside()
        except StorageError as error:  # damage that the check at opening does not see
            _log.warning("the queue %s is kept aside: %s", file, error)
            self._base.close()
            put_aside(file)
            self._base = open_database(file, _MIGRATIONS, synchronous="FULL", check="integrity_check")

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._base.close()

    def enqueue(self, request: Request, *, front: bool = False) -> Job:
        """Add a job at the end, or at the front; durable when this returns."""
        with self._writing() as base:
            row = base.execute(
                f"INSERT INTO jobs(request, state, rank, created_s) VALUES (?, 'waiting', ?, ?) RETURNING {_COLUMNS}",
                (encode_request(request), self._edge(base, front=front), self._now()),
            ).fetchone()
        return _job(row)

    def jobs(self) -> tuple[Job, ...]:
        """Running, then waiting in their order, then the finished ones, newest first."""
        rows = self._read(
            f"SELECT {_COLUMNS} FROM jobs WHERE state <> 'unreadable'"
            " ORDER BY CASE state WHEN 'running' THEN 0 WHEN 'waiting' THEN 1 ELSE 2 END,"
            " CASE WHEN state IN ('running', 'waiting') THEN rank ELSE -finished_s END, id"
        )
        return tuple(_job(row) for row in rows)

    def get(self, job_id: int) -> Job | None:
        """The job with this id."""
        rows = self._read(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", job_id)
        return _job(rows[0]) if rows else None

    def next_waiting(self) -> Job | None:
        """The job that runs next."""
        rows = self._read(f"SELECT {_COLUMNS} FROM jobs WHERE state = 'waiting' ORDER BY rank, id LIMIT 1")
        return _job(rows[0]) if rows else None

    def start(self, job_id: int) -> Job | None:
        """Mark a waiting job as running; None when it is not waiting any more."""
        return self._set("state = 'running', message = ''", job_id, "AND state = 'waiting'")

    def plan(self, job_id: int, number: int, path: Path) -> None:
        """Note where result ``number`` (from 0) will be written; call before writing."""
        with self._writing() as base:
            base.execute(
                "INSERT OR REPLACE INTO planned(job, number, path) VALUES (?, ?, ?)", (job_id, number, str(path))
            )

    def made(self, job_id: int, number: int) -> Job | None:
        """Result ``number`` lies on disk. The last one also makes the job ``done``, in the same transaction."""
        with self._writing() as base:
            return self._made(base, job_id, number)

    def finish(self, job_id: int, state: JobState, *, message: str = "") -> Job | None:
        """End a running or waiting job."""
        if state not in FINAL_STATES:
            raise ValueError(f"{state} is not a final state")
        with self._writing() as base:
            row = base.execute(
                "UPDATE jobs SET state = ?, message = ?, finished_s = ? WHERE id = ?"
                f" AND state IN ('running', 'waiting') RETURNING {_COLUMNS}",
                (state, message, self._now(), job_id),
            ).fetchone()
            self._forget_old(base)
        return _job(row) if row else None

    def retry(self, job_id: int) -> Job | None:
        """Let a failed or cancelled job wait again, after the others; it goes on after what it has made."""
        with self._writing() as base:
            row = base.execute(
                "UPDATE jobs SET state = 'waiting', message = '', finished_s = 0, rank = ? WHERE id = ?"
                f" AND state IN ('failed', 'cancelled') RETURNING {_COLUMNS}",
                (self._edge(base, front=False), job_id),
            ).fetchone()
        return _job(row) if row else None

    def to_front(self, job_id: int) -> Job | None:
        """Let a waiting job run next."""
        with self._writing() as base:
            rank = self._edge(base, front=True)
            row = base.execute(
                f"UPDATE jobs SET rank = ? WHERE id = ? AND state = 'waiting' RETURNING {_COLUMNS}", (rank, job_id)
            ).fetchone()
        return _job(row) if row else None

    def move(self, job_id: int, *, by: int) -> Job | None:
        """Let a waiting job run ``by`` places later (earlier when negative)."""
        with self._writing() as base:
            order = [row[0] for row in base.execute("SELECT id FROM jobs WHERE state='waiting' ORDER BY rank, id")]
            if job_id not in order:
                return None
            at = order.index(job_id)
            order.insert(max(0, min(len(order) - 1, at + by)), order.pop(at))
            first = base.execute("SELECT min(rank) FROM jobs WHERE state = 'waiting'").fetchone()[0]
            base.executemany(
                "UPDATE jobs SET rank = ? WHERE id = ?", [(first + i, each) for i, each in enumerate(order)]
            )
            row = base.execute(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return _job(row)

    def recover(self) -> tuple[Job, ...]:
        """After a start: jobs found running wait again at their old place, with what they had made counted.

        Only call it where no other process runs jobs of this file.
        """
        back: list[Job] = []
        with self._writing() as base:
            for (job_id,) in base.execute("SELECT id FROM jobs WHERE state = 'running'").fetchall():
                self._count_planned(base, job_id)
                row = base.execute(
                    f"UPDATE jobs SET state = 'waiting' WHERE id = ? AND state = 'running' RETURNING {_COLUMNS}",
                    (job_id,),
                ).fetchone()
                if row:
                    back.append(_job(row))
        return tuple(back)

    def clear_finished(self) -> None:
        """Forget done, failed and cancelled jobs; their results stay."""
        with self._writing() as base:
            base.execute("DELETE FROM jobs WHERE state IN ('done', 'failed', 'cancelled')")
            base.execute("DELETE FROM planned WHERE job NOT IN (SELECT id FROM jobs)")

    def _set_unreadable_aside(self) -> None:
        """A row that is damaged or of another version must not keep the others from running; it stays in the file."""
        with self._writing() as base:
            for row in base.execute(f"SELECT {_COLUMNS} FROM jobs WHERE state <> 'unreadable'").fetchall():
                if not _is_readable(row):
                    _log.warning("job %s of %s cannot be read and is left out", row[0], self._file)
                    base.execute("UPDATE jobs SET state = 'unreadable' WHERE id = ?", (row[0],))

    def _count_planned(self, base: sqlite3.Connection, job_id: int) -> None:
        """Results that were written but not counted when the process ended."""
        rows = base.execute("SELECT number, path FROM planned WHERE job = ? ORDER BY number", (job_id,)).fetchall()
        for number, path in rows:
            if not Path(path).exists():
                return
            self._made(base, job_id, number)

    def _made(self, base: sqlite3.Connection, job_id: int, number: int) -> Job | None:
        row = base.execute(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", (job_id,)).fetchone()
        if row is None:
            return None
        job = _job(row)
        count = max(job.made, number + 1)
        done = job.state == "running" and count >= results_of(job.request)
        row = base.execute(
            f"UPDATE jobs SET made = ?, state = ?, finished_s = ? WHERE id = ? RETURNING {_COLUMNS}",
            (count, "done" if done else job.state, self._now() if done else job.finished_s, job_id),
        ).fetchone()
        base.execute("DELETE FROM planned WHERE job = ? AND number <= ?", (job_id, number))
        return _job(row)

    def _forget_old(self, base: sqlite3.Connection) -> None:
        base.execute(
            "DELETE FROM jobs WHERE state IN ('done', 'failed', 'cancelled') AND id NOT IN"
            " (SELECT id FROM jobs WHERE state IN ('done', 'failed', 'cancelled')"
            f" ORDER BY finished_s DESC LIMIT {_KEPT_FINAL})"
        )

    def _edge(self, base: sqlite3.Connection, *, front: bool) -> float:
        low, high = base.execute(
            "SELECT min(rank), max(rank) FROM jobs WHERE state IN ('waiting', 'running')"
        ).fetchone()
        if low is None:
            return 0.0
        return cast("float", low) - 1.0 if front else cast("float", high) + 1.0

    def _set(self, change: str, job_id: int, condition: str) -> Job | None:
        with self._writing() as base:
            row = base.execute(
                f"UPDATE jobs SET {change} WHERE id = ? {condition} RETURNING {_COLUMNS}", (job_id,)
            ).fetchone()
        return _job(row) if row else None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, transaction(self._base, self._file) as base:
            yield base

    def _read(self, statement: str, *values: Any) -> list[Any]:
        with self._lock:
            return fetched(self._base, self._file, statement, values)


def _is_readable(row: Any) -> bool:
    kinds = (int, bytes, str, int | float, int, str, int | float, int | float)
    if not all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True)):
        return False
    try:
        decode_request(row[1])
    except (msgspec.MsgspecError, ValueError):
        return False
    return row[2] in _STATES


def _job(row: Any) -> Job:
    try:
        request = decode_request(row[1])
    except (msgspec.MsgspecError, ValueError) as error:
        raise StorageError(
            f"Job {row[0]} of the queue cannot be read: {error}.", "It was written by another version of Reverie."
        ) from error
    return Job(row[0], request, *row[2:])
