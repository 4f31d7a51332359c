"""Pictures that requests start from, kept by content, so that a queue or a recipe still finds them tomorrow."""

import io
from pathlib import Path

from studio.core.events import Pixels
from studio.runtime.atomic import storage_error, write_bytes
from studio.runtime.recipes import pixels_hash


class InputStore:
    """A folder of PNG files named by the hash of their pixels.

    Args:
        folder: made when the first picture comes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, pixels: Pixels) -> str:
        """Keep a picture and return its path; the same picture is kept once.

        Raises:
            StorageError: the disk is full or the folder cannot be written.
        """
        from PIL import Image

        path = self._folder / f"{pixels_hash(pixels)[:32]}.png"
        if not path.exists():
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise storage_error(error, path, pixels.nbytes) from error
            out = io.BytesIO()
            Image.fromarray(pixels).save(out, "PNG", compress_level=3)
            write_bytes(path, out.getvalue())
        return str(path)
