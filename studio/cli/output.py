"""What the command line prints: words, tables and progress bars for people, one JSON object a line for programs."""

import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from studio.core.cancel import CancelToken

_RED, _HINT = "bold red", "dim"


class Say:
    """Where a command says things. Results go to standard output, progress and remarks to standard error."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._out = Console(highlight=False, soft_wrap=True)
        self._side = Console(stderr=True, highlight=False, soft_wrap=True)

    def fact(self, fields: Mapping[str, Any], words: str) -> None:
        """One result: ``fields`` for programs, ``words`` for people."""
        if self.as_json:
            sys.stdout.write(msgspec.json.encode(dict(fields)).decode() + "\n")
            sys.stdout.flush()
        else:
            self._out.print(escape(words))

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows with the keys ``columns``; keys beyond those are for programs only."""
        if self.as_json:
            for row in rows:
                self.fact(row, "")
            return
        table = Table(title=escape(title), title_justify="left", header_style="bold")
        for column in columns:
            table.add_column(column.replace("_", " "), overflow="fold", no_wrap=column == "id")
        for row in rows:
            table.add_row(*(escape(str(row.get(column, ""))) for column in columns))
        self._out.print(table, soft_wrap=False)

    def remark(self, words: str) -> None:
        """Something worth knowing that is not a result; programs do not get it."""
        if not self.as_json:
            self._side.print(escape(words), style=_HINT)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Bars on standard error, drawn only when a person watches."""
        shown = self._side.is_terminal and not self.as_json
        with Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=self._side,
            disable=not shown,
            transient=True,
        ) as bars:
            yield bars


def fail(message: str, hint: str = "", *, as_json: bool = False) -> None:
    """Say on standard error why a command failed."""
    if as_json:
        sys.stderr.write(msgspec.json.encode({"error": message, "hint": hint}).decode() + "\n")
        return
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(escape(message), style=_RED)
    if hint:
        console.print(escape(hint), style=_HINT)


@contextmanager
def stoppable() -> Iterator[CancelToken]:
    """A token that Ctrl-C cancels, so that work ends between two steps; a second Ctrl-C ends at once."""
    token = CancelToken()

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        if token.cancelled:
            raise KeyboardInterrupt
        token.cancel()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield token
    finally:
        signal.signal(signal.SIGINT, before)
