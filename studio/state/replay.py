"""Verified replay: make a stored result again and say with numbers whether it came out the same."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from PySide6.QtCore import QObject

from studio.core.errors import BadInputError, StudioError
from studio.core.events import Done, Event, PictureMade, Pixels
from studio.core.gallery import Entry
from studio.core.recipe import Recipe, Restored
from studio.state.notices import Notice, Notices
from studio.workers.background import Background
from studio.workers.lane import Lane

TOLERANCE_LEVELS = 2
"""Different devices and optimisation levels round differently: this many of 255 levels are not seen."""


@dataclass(frozen=True)
class Verdict:
    """How a replay compares: differences in levels of 255, and the share of pixels that changed."""

    equal: bool
    largest: int
    mean: float
    changed: float

    @property
    def words(self) -> str:
        """One sentence."""
        if self.equal:
            return "The picture came out the same, bit for bit."
        numbers = (
            f"the largest difference is {self.largest} of 255 levels, the mean {self.mean:.3f}, "
            f"in {self.changed:.1%} of the pixels"
        )
        if self.largest <= TOLERANCE_LEVELS:
            return f"The picture came out the same within what a device rounds: {numbers}."
        return f"The picture came out different: {numbers}."


def compare(stored: Pixels, again: Pixels) -> Verdict:
    """Two pictures of one size, as people see them (colour under full transparency does not count).

    Raises:
        BadInputError: the sizes differ.
    """
    if stored.shape != again.shape:
        raise BadInputError(
            f"The stored picture is {stored.shape[1]} × {stored.shape[0]} px, "
            f"the new one {again.shape[1]} × {again.shape[0]} px.",
            "The model was replaced by another one.",
        )
    both_clear = (stored[..., 3:] == 0) & (again[..., 3:] == 0)
    apart = np.where(both_clear, 0, np.abs(stored.astype(np.int16) - again.astype(np.int16)))
    return Verdict(
        equal=not apart.any(),
        largest=int(apart.max(initial=0)),
        mean=float(apart.mean()),
        changed=float((apart.max(axis=2) > 0).mean()),
    )


class Replay(QObject):
    """Runs a result's recipe again and posts the verdict.

    Args:
        lane: where it runs, after what waits already.
        background: reads the file.
        notices: told the verdict.
        describe: name and hash of a package now.
        parent: Qt owner.
    """

    def __init__(
        self,
        lane: Lane,
        background: Background,
        notices: Notices,
        *,
        describe: Callable[[str], tuple[str, str]],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._lane, self._background, self._notices, self._describe = lane, background, notices, describe

    def verify(self, entry: Entry) -> None:
        """Make ``entry`` again and compare."""
        self._background.run(partial(_read, Path(entry.path)), self._on_read, self._notices.post_error)

    def _on_read(self, found: tuple[Restored | None, Pixels]) -> None:
        restored, stored = found
        recipe = None if restored is None else restored.recipe
        if recipe is None or recipe.request.path:
            self._notices.post(Notice("Only pictures with a recipe of Reverie can be checked.", level="warning"))
            return
        made: list[PictureMade] = []
        providers: list[str] = []

        def on_event(event: Event) -> None:
            if isinstance(event, PictureMade):
                made.append(event)
            elif isinstance(event, Done):
                providers.append(event.facts.provider)

        def on_end(error: StudioError | None) -> None:
            if error is not None:
                self._notices.post_error(error)
            elif made:
                self._tell(recipe, stored, made[0].pixels, (providers or [""])[0])

        request = msgspec.structs.replace(recipe.request, count=1)
        self._notices.post(Notice("Making it again to compare ..."))
        self._lane.submit(request, on_event, on_end)

    def _tell(self, recipe: Recipe, stored: Pixels, again: Pixels, provider: str) -> None:
        from studio.runtime.recipes import pixels_hash

        same = recipe.pixels_sha256 == pixels_hash(again)
        try:
            verdict = Verdict(equal=True, largest=0, mean=0.0, changed=0.0) if same else compare(stored, again)
        except StudioError as error:
            self._notices.post_error(error)
            return
        reasons = [] if verdict.equal else self._reasons(recipe, provider)
        level = "success" if verdict.largest <= TOLERANCE_LEVELS else "warning"
        self._notices.post(Notice(verdict.words, " ".join(reasons), level))

    def _reasons(self, recipe: Recipe, provider: str) -> list[str]:
        reasons: list[str] = []
        try:
            sha256 = self._describe(recipe.request.package)[1]
        except StudioError:
            sha256 = ""
        if recipe.model_sha256 and sha256 and sha256 != recipe.model_sha256:
            reasons.append("The model is not the one that made it.")
        if provider and recipe.provider and provider != recipe.provider:
            reasons.append(f"It was made on {recipe.provider} and now on {provider}.")
        return reasons


def _read(path: Path) -> tuple[Restored | None, Pixels]:
    from studio.runtime.pictures import read_picture
    from studio.runtime.recipes import read_recipe

    return read_recipe(path), read_picture(path)
