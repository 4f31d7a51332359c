"""The one way in for pictures that people give us: any file becomes upright 8-bit RGBA, or one clear sentence.

Pillow decides by content, never by extension, and only among the formats listed here. Its own errors come in a dozen
types; none of them leaves this module.
"""

import io
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from PIL import Image

from studio.core.errors import BadInputError
from studio.core.events import Pixels

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
SUFFIXES = frozenset(
    (".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif")
)
"""Names that promise a picture. Only a hint: what counts is the content."""
MAX_PIXELS = 64_000_000
GLANCE_PX = 16
_GREY_SPREAD = 8  # JPEG gives grey pictures a little colour

T = TypeVar("T")

_READABLE = "PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF"
_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What people drop by mistake, by the bytes it starts with (offset, bytes, words).
_OTHERS = (
    (4, b"ftyphei", "a HEIC photo"),
    (4, b"ftypmif1", "a HEIC photo"),
    (4, b"ftyp", "a film"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"gimp xcf", "a GIMP document"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a zip or an office document"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"<?xml", "an SVG drawing or another XML file"),
    (0, b"MThd", "a MIDI file"),
    (0, b"\x1aE\xdf\xa3", "a film"),
)


def read_picture(source: Path | bytes, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode a picture to ``(H, W, 4) uint8`` RGBA with straight alpha, turned as its EXIF says.

    The first frame of an animation is taken; CMYK, 16-bit, float, grey and palette pictures are converted; transparency
    is kept.

    Args:
        source: a file, or the bytes of one.
        max_pixels: larger pictures are refused before they are decoded.

    Raises:
        BadInputError: not a picture, damaged, cut off, empty, too large, missing or not readable.
    """
    name = source.name if isinstance(source, Path) else "The picture"
    with _opened(source, name) as stream:
        return _decoded(stream, name, max_pixels, look=_upright_rgba)


@dataclass(frozen=True, eq=False)
class Glance:
    """A picture at a glance.

    Attributes:
        width_px, height_px: upright size.
        has_alpha: some pixel is not opaque.
        grey: no pixel of ``small`` has colour.
        small: ``(16, 16, 4) uint8``, squeezed to a square.
    """

    width_px: int
    height_px: int
    has_alpha: bool
    grey: bool
    small: Pixels


def glance(data: bytes, name: str) -> Glance:
    """Decode a picture all the way, so that damage shows, but keep only what tells it from others.

    A large JPEG is decoded at down to an eighth of its size, which reads every byte in a fraction of the time.

    Raises:
        BadInputError: as `read_picture`; the sentences begin with ``name``.
    """
    _refuse_empty(len(data), name)

    return _decoded(io.BytesIO(data), name, MAX_PIXELS, look=_glanced, shrink=True)


def _glanced(image: Image.Image, size: tuple[int, int]) -> Glance:
    orientation = _orientation(image)
    rgba = _rgba(image)
    small = rgba.resize((GLANCE_PX, GLANCE_PX), Image.Resampling.BOX)
    turn = _TURNS.get(orientation)
    pixels = np.asarray(small.transpose(turn) if turn is not None else small, dtype=np.uint8)
    colour = pixels[..., :3].astype(np.int16)
    grey = bool((colour.max(axis=2) - colour.min(axis=2) <= _GREY_SPREAD).all())
    width, height = reversed(size) if orientation >= 5 else size
    return Glance(width, height, rgba.getchannel("A").getextrema()[0] != 255, grey, pixels)


@contextmanager
def _opened(source: Path | bytes, name: str) -> Generator[BinaryIO]:
    """A stream of ``source`` that is not empty and not a device or a pipe, which could hang."""
    if isinstance(source, bytes):
        _refuse_empty(len(source), name)
        yield io.BytesIO(source)
        return
    try:
        if not source.is_file():
            raise BadInputError(_missing(source, name), "Choose a picture file.")
        stream = source.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BadInputError(f"{name} cannot be opened: {reason}.", "Check that you may read this file.") from error
    with stream:
        _refuse_empty(os.fstat(stream.fileno()).st_size, name)
        yield stream


def _missing(source: Path, name: str) -> str:
    if source.is_dir():
        return f"{name} is a folder, not a picture."
    return f"{name} is not an ordinary file." if source.exists() else f"{name} does not exist any more."


def _refuse_empty(size: int, name: str) -> None:
    if size == 0:
        raise BadInputError(f"{name} is empty: it has 0 bytes.", "Copy the file again from where it came from.")


def _decoded(
    stream: BinaryIO,
    name: str,
    max_pixels: int,
    *,
    look: Callable[[Image.Image, tuple[int, int]], T],
    shrink: bool = False,
) -> T:
    """``look`` at the decoded picture and its size in the file; whatever Pillow raises becomes a `BadInputError`."""
    try:
        with Image.open(stream, formats=FORMATS) as image:
            size = image.size
            _refuse_large(size, name, max_pixels)
            if shrink and image.format == "JPEG":
                image.draft(None, (4 * GLANCE_PX, 4 * GLANCE_PX))
            image.load()
            _refuse_large(image.size, name, max_pixels)
            return look(image, size)
    except BadInputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, max_pixels) from error
    except MemoryError as error:
        raise BadInputError(f"{name} does not fit in memory.", "Make it smaller, or close other programs.") from error
    except Image.UnidentifiedImageError as error:
        raise _not_a_picture(stream, name) from error
    except Exception as error:  # Pillow's plugins leak SyntaxError, struct.error, zlib.error, TypeError and more
        raise _damaged(error, name) from error


def _refuse_large(size: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise _too_large(name, max_pixels, size)
    if width < 1 or height < 1:
        raise BadInputError(f"{name} has no pixels ({width} x {height}).", "Save the picture again.")


def _too_large(name: str, max_pixels: int, size: tuple[int, int] | None = None) -> BadInputError:
    measure = f" ({size[0]} x {size[1]} pixels)" if size else ""
    return BadInputError(
        f"{name} is too large{measure}: more than {max_pixels / 1e6:g} million pixels.",
        "Save a smaller version of it.",
    )


def _not_a_picture(stream: BinaryIO, name: str) -> BadInputError:
    stream.seek(0)
    head = stream.read(64)
    what = next((words for offset, magic, words in _OTHERS if head[offset:].startswith(magic)), "")
    sentence = f"{name} is {what}, not a picture that Reverie reads." if what else f"{name} is not a picture."
    return BadInputError(sentence, f"Save it as {_READABLE}.")


def _damaged(error: Exception, name: str) -> BadInputError:
    text = str(error).lower()
    if "truncated" in text or "eof" in text or "cut" in text or isinstance(error, EOFError):
        return BadInputError(f"{name} is cut off: the end of the file is missing.", "Copy or save it again.")
    if isinstance(error, (NotImplementedError, ValueError)) and "conversion from" in text:
        return BadInputError(f"{name} uses a colour mode that is not read.", "Save it as RGB.")
    return BadInputError(f"{name} is damaged and cannot be decoded.", "Open it in another program and save it again.")


def _upright_rgba(image: Image.Image, _size: tuple[int, int]) -> Pixels:
    turn = _TURNS.get(_orientation(image))
    rgba = _rgba(image)
    return np.array(rgba.transpose(turn) if turn is not None else rgba, dtype=np.uint8)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 when there is none or the EXIF block is damaged, which must not cost the picture."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - a damaged EXIF block raises anything
        return 1
    return value if isinstance(value, int) else 1


def _rgba(image: Image.Image) -> Image.Image:
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        return Image.fromarray(_eight_bit(np.asarray(image)), "L").convert("RGBA")
    if mode in ("La", "PA"):
        return image.convert("LA" if mode == "La" else "RGBA").convert("RGBA")
    if mode in ("CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        return image.convert("RGB").convert("RGBA")
    return image.convert("RGBA")


def _eight_bit(values: np.ndarray) -> Pixels:
    """Grey values of more than eight bits, or floats, as ``uint8``.

    Unsigned 16 bit keeps its upper byte. Wider integers and floats have no agreed range: 0..1 and 0..255 are taken as
    they are, 0..65535 as 16 bit, everything else is stretched from its darkest to its brightest value.
    """
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return (values >> 8).astype(np.uint8)
    grey = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(grey.min()), float(grey.max())
    if low >= 0.0 and high <= 65535.0:
        scale = 255.0 if values.dtype.kind == "f" and high <= 1.0 else 1.0 if high <= 255.0 else 1.0 / 257.0
        grey *= scale
    else:
        grey = (grey - low) * (255.0 / max(high - low, 1e-30))
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)
