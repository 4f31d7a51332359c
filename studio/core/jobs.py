"""Jobs: a frozen request (or training run) with a life in the queue."""

from typing import Literal

import msgspec

from studio.core.requests import Request

JobState = Literal["waiting", "running", "done", "failed", "cancelled"]
FINAL_STATES: frozenset[str] = frozenset({"done", "failed", "cancelled"})


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One row of the queue.

    Attributes:
        id: increases with every job of a library, never reused.
        request: what to make, frozen when the artist pressed Generate.
        state: ``waiting`` -> ``running`` -> ``done`` | ``failed`` | ``cancelled``.
        rank: smaller runs first; "front of the queue" takes one below the smallest.
        made: results kept so far, of ``request.count``.
        message: for ``failed``: what happened and what to do.
        created_s, finished_s: seconds since 1970; 0 when not yet.
    """

    id: int
    request: Request
    state: JobState = "waiting"
    rank: float = 0.0
    made: int = 0
    message: str = ""
    created_s: float = 0.0
    finished_s: float = 0.0
