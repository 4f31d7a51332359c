"""What the installer says: plain lines, no colours, flushed at once so that they stand in order with pip's."""

from __future__ import annotations

import sys


class InstallError(Exception):
    """Something the person at the terminal has to know or do.

    Attributes:
        message: what went wrong and why, one sentence.
        hint: what to do now.
        code: exit status of the command.
    """

    def __init__(self, message: str, hint: str, *, code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


def say(text: str) -> None:
    """One line to the person."""
    print(text, flush=True)


def step(text: str) -> None:
    """The line that opens a longer piece of work."""
    print(f"==> {text}", flush=True)


def complain(error: InstallError) -> int:
    """Print an error with what to do, on stderr; return its exit status."""
    print(f"\n{error.message}\n{error.hint}", file=sys.stderr, flush=True)
    return error.code
