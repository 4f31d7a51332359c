"""From a drop to an `Understanding`. A medium is a plug: one row of `MEDIA`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from studio.core.cancel import CancelToken
from studio.core.findings import Understanding
from studio.runtime.intake_files import Listing, Progress, list_drop
from studio.runtime.intake_pictures import understand_pictures


class Medium(Protocol):
    """Understands the files of a listing as one medium; raises `BadInputError` when none of them is."""

    def __call__(self, listing: Listing, *, progress: Progress, cancel: CancelToken) -> Understanding:
        """What was found."""
        ...


MEDIA: dict[str, Medium] = {"pictures": understand_pictures}


def understand(
    paths: Sequence[Path],
    progress: Progress,
    cancel: CancelToken,
    *,
    medium: str = "pictures",
    media: dict[str, Medium] = MEDIA,
) -> Understanding:
    """Understand dropped files, folders and zips.

    Args:
        paths: what was dropped.
        progress: called with (done, all); all is 0 while files are still being listed.
        cancel: stops between two files.
        medium: what to look for, a key of ``media``.
        media: the table of media.

    Raises:
        BadInputError: nothing usable, with the reasons counted.
        CancelledError: cancelled.
    """
    listing = list_drop(paths, progress=progress, cancel=cancel)
    return media[medium](listing, progress=progress, cancel=cancel)


def quietly(_done: int, _all: int) -> None:
    """A progress that nobody watches."""


Understand = Callable[[Sequence[Path], Progress, CancelToken], Understanding]
