"""Results on disk: saved the moment they exist, in a visible dated folder, under names that people can read."""

import contextlib
import logging
import re
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from studio.core.errors import BadInputError, StorageError
from studio.core.events import PictureMade, Pixels, RunFacts
from studio.core.gallery import Entry
from studio.core.recipe import Recipe
from studio.core.requests import Request
from studio.runtime.atomic import storage_error, sweep, sync_folder, write_bytes
from studio.runtime.film import FilmWriter, enlargement, open_film
from studio.runtime.gallery_index import GalleryIndex
from studio.runtime.gallery_scan import Kind, described
from studio.runtime.recipes import SUFFIXES, PictureFormat, fits, make_recipe, parameters_text, picture_bytes

_log = logging.getLogger(__name__)

NAME_LIMIT = 120
_NAME_LIMIT_BYTES = 200  # file systems count bytes: 255 at most
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\s.]+')


def _now() -> datetime:
    return datetime.now().astimezone()


class Results:
    """Saves results and puts them into the index.

    Args:
        folder: asked at every save, because the artist can choose another one.
        index: told of every result. When it fails the file is safe all the same, and the next rebuild finds it.
        now: the clock.
    """

    def __init__(self, folder: Callable[[], Path], index: GalleryIndex, *, now: Callable[[], datetime] = _now) -> None:
        self._folder, self._index, self._now = folder, index, now
        self._lock = threading.Lock()
        self._reserved: set[Path] = set()

    @property
    def folder(self) -> Path:
        """Where results are saved now."""
        return self._folder()

    @property
    def index(self) -> GalleryIndex:
        """The index of the gallery."""
        return self._index

    def save_picture(
        self,
        made: PictureMade,
        facts: RunFacts,
        *,
        model_name: str,
        model_sha256: str,
        format: PictureFormat = "png",  # noqa: A002 - the word of the settings
        announce: Callable[[Path], None] | None = None,
    ) -> Entry:
        """Write a picture with its recipe and return its entry.

        Args:
            made: the picture and the request that makes it again.
            facts: how it was made.
            model_name: for people.
            model_sha256: identity of the package.
            format: PNG is taken instead when the recipe is too long for it.
            announce: told the path before anything is written, so that a queue can recognise the file after a crash.

        Raises:
            StorageError: the disk is full, the folder read-only or gone. Nothing half-written remains.
        """
        created = self._now()
        recipe = make_recipe(
            made.request,
            facts,
            model_name=model_name,
            model_sha256=model_sha256,
            created=created,
            pixels=made.pixels,
        )
        chosen = format if fits(recipe, format) else "png"
        data = picture_bytes(made.pixels, chosen, recipe)
        with self._place(made.request, created, SUFFIXES[chosen]) as path:
            if announce is not None:
                announce(path)
            write_bytes(path, data)
        return self._indexed(path, "picture", recipe, created, (made.pixels.shape[1], made.pixels.shape[0]))

    def film(
        self, request: Request, facts: RunFacts, *, model_name: str, model_sha256: str, scale: int = 0
    ) -> "FilmResult":
        """Begin a film of ``request``; frames are written as they come.

        Args:
            request: makes the film again; says format and frames per second.
            facts: how it is made.
            model_name: for people.
            model_sha256: identity of the package.
            scale: whole-pixel enlargement; 0 makes tiny pictures visible.
        """
        recipe = make_recipe(request, facts, model_name=model_name, model_sha256=model_sha256, created=self._now())
        return FilmResult(self, recipe, scale=scale)

    def sweep(self) -> None:
        """Remove what a killed process left half-written. Call at start, while nothing is being saved."""
        folder = self._folder()
        if folder.is_dir():
            for each in sorted(folder.iterdir()):
                if each.is_dir() and re.fullmatch(r"\d{4}-\d\d-\d\d", each.name):
                    sweep(each)

    def film_path(self, recipe: Recipe) -> "contextlib.AbstractContextManager[Path]":
        """A free path for a film, reserved while the context lasts."""
        return self._place(recipe.request, datetime.fromisoformat(recipe.created), f".{recipe.request.film_format}")

    def finished_film(self, path: Path, recipe: Recipe, size: tuple[int, int]) -> Entry:
        """Put a film that lies at ``path`` into the index."""
        return self._indexed(path, "film", recipe, datetime.fromisoformat(recipe.created), size)

    @contextmanager
    def _place(self, request: Request, created: datetime, suffix: str) -> Iterator[Path]:
        root = self._folder()
        folder = root / created.strftime("%Y-%m-%d")
        self._make(folder)
        with self._lock:
            path = self._free(folder, _stem(request, created), suffix)
            self._reserved.add(path)
        try:
            yield path
        finally:
            with self._lock:
                self._reserved.discard(path)

    def _free(self, folder: Path, stem: str, suffix: str) -> Path:
        """Names are lower case, so what differs here also differs where case does not count."""
        path, count = folder / f"{stem}{suffix}", 1
        while path in self._reserved or path.exists():
            count += 1
            path = folder / f"{stem}_{count}{suffix}"
        return path

    def _make(self, folder: Path) -> None:
        if folder.is_dir():
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)
        except OSError as error:
            raise storage_error(error, folder, 0) from error

    def _indexed(self, path: Path, kind: Kind, recipe: Recipe, created: datetime, size: tuple[int, int]) -> Entry:
        try:
            state = path.stat()
        except OSError as error:
            raise storage_error(error, path, 0) from error
        found = described(
            path,
            kind=kind,
            created_s=created.timestamp(),
            size=size,
            recipe=recipe,
            state=(state.st_size, state.st_mtime_ns),
        )
        try:
            return self._index.add(found)
        except StorageError as error:
            _log.warning("%s is saved but not in the index: %s", path, error)
            return Entry(
                0, str(path), kind, found.created_s, *size, model=found.model, seed=found.seed, title=found.title
            )


class FilmHome(Protocol):
    """Where a film is put: `Results`, or a file of the person's choice."""

    def film_path(self, recipe: Recipe) -> contextlib.AbstractContextManager[Path]:
        """A free path, reserved while the context lasts."""
        ...

    def finished_film(self, path: Path, recipe: Recipe, size: tuple[int, int]) -> Entry:
        """Called when the film lies there whole."""
        ...


class FilmResult:
    """A film that is being written; ends with `finish`, `keep` or `abort`."""

    def __init__(self, results: FilmHome, recipe: Recipe, *, scale: int) -> None:
        self._results, self._recipe, self._scale = results, recipe, scale
        self._open = contextlib.ExitStack()
        self._writer: FilmWriter | None = None
        self._path = Path()
        self._size = (0, 0)

    @property
    def frames(self) -> int:
        """Frames written so far."""
        return 0 if self._writer is None else self._writer.frames

    def add(self, pixels: Pixels) -> None:
        """Append a frame. Raises `StorageError`; what was written is then gone."""
        if self._writer is None:
            height, width = pixels.shape[:2]
            factor = self._scale or enlargement(width, height)
            self._size = (width * factor, height * factor)
            self._path = self._open.enter_context(self._results.film_path(self._recipe))
            text = parameters_text(self._recipe, size_px=self._size, with_json=True)
            self._writer = open_film(self._path, fps=self._recipe.request.fps, comment=text, scale=factor)
        self._writer.add(pixels)

    def finish(self, announce: Callable[[Path], None] | None = None) -> Entry:
        """Give the film its name and put it into the index; ``announce`` is told the path just before.

        Raises:
            BadInputError: there is no frame.
            StorageError: it could not be written whole.
        """
        if self._writer is None:
            raise BadInputError("The film has no frames.", "Add at least two places to travel between.")
        try:
            if announce is not None:
                announce(self._path)
            path = self._writer.finish()
        finally:
            self._open.close()
        return self._results.finished_film(path, self._recipe, self._size)

    def keep(self) -> Entry | None:
        """After a stop: keep what is done when it still is a film (two frames or more), else remove it."""
        if self.frames >= 2:
            return self.finish()
        self.abort()
        return None

    def abort(self) -> None:
        """Remove what was written."""
        if self._writer is not None:
            self._writer.abort()
        self._open.close()


def _stem(request: Request, created: datetime) -> str:
    """``143205_emoji-diffusion_seed7``: lower case, nothing that any file system refuses, never too long."""
    word = unicodedata.normalize("NFC", _FORBIDDEN.sub("-", request.package)).lower().strip("-") or "picture"
    head, tail = created.strftime("%H%M%S_"), f"_seed{request.seed}"
    room = NAME_LIMIT - len(head) - len(tail) - 10  # 10: a number against clashes and the suffix
    word = word[:room]
    while len(word.encode("utf-8", "replace")) > _NAME_LIMIT_BYTES - len(head) - len(tail) - 10:
        word = word[:-1]
    return f"{head}{word}{tail}"
