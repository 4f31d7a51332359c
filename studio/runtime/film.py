"""Films, written frame by frame into a temporary file that gets its name only when it is whole.

GIF keeps transparency (one bit of it) and gives every frame its own palette of 255 colours; MP4 lies on a background.
Tiny pictures are enlarged by whole pixels, so that a film of 32 px does not play as a stamp.
"""

import io
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol

import numpy as np

from studio.core.errors import BadInputError, StorageError
from studio.core.events import Pixels
from studio.runtime.atomic import part_path, storage_error, sync_folder
from studio.runtime.containers import container_of, pieces

FilmFormat = Literal["gif", "mp4"]
VISIBLE_PX = 256
"""Pictures with a longer side below this are enlarged when no factor is given."""

_ENCODERS = ("libx264", "h264", "mpeg4")
_GIF_TICKS_PER_S = 100
_GIF_FASTEST_TICKS = 2  # viewers slow down anything quicker
_CLEAR = 255


def enlargement(width_px: int, height_px: int) -> int:
    """The whole factor that makes a tiny picture's longer side at least `VISIBLE_PX`."""
    return max(1, math.ceil(VISIBLE_PX / max(width_px, height_px, 1)))


class FilmWriter(Protocol):
    """Takes frames one by one; ``finish`` or ``abort`` ends it."""

    @property
    def frames(self) -> int:
        """Frames taken so far."""
        ...

    def add(self, pixels: Pixels) -> None:
        """Append a frame; all frames have one size. Raises `StorageError`."""
        ...

    def finish(self) -> Path:
        """Put the whole film at its path and return it. Raises `StorageError`."""
        ...

    def abort(self) -> None:
        """Remove what was written."""
        ...


def open_film(
    path: Path, *, fps: int, comment: str = "", scale: int = 0, background: tuple[int, int, int] = (255, 255, 255)
) -> FilmWriter:
    """A writer for ``path``, whose suffix says GIF or MP4. ``scale`` 0 chooses `enlargement`.

    Raises:
        StorageError: the folder cannot be written.
    """
    if path.suffix.lower() == ".gif":
        return _GifWriter(path, fps=fps, comment=comment, scale=scale)
    return _Mp4Writer(path, fps=fps, comment=comment, scale=scale, background=background)


def _scaled(pixels: Pixels, scale: int) -> Pixels:
    factor = scale or enlargement(pixels.shape[1], pixels.shape[0])
    return pixels if factor == 1 else pixels.repeat(factor, axis=0).repeat(factor, axis=1)


class _GifWriter:
    """Splices pictures that Pillow compressed one by one into one endless GIF: memory holds a single frame."""

    def __init__(self, path: Path, *, fps: int, comment: str, scale: int) -> None:
        self._path, self._fps, self._scale = path, fps, scale
        self._comment = comment.encode()
        self._part = part_path(path.parent)
        self._seen = 0
        self._written = 0
        self._size: tuple[int, int] = (0, 0)
        try:
            self._stream: BinaryIO = self._part.open("xb")
        except OSError as error:
            raise storage_error(error, path, 0) from error

    @property
    def frames(self) -> int:
        return self._seen

    def add(self, pixels: Pixels) -> None:
        start = self._tick(self._seen)
        self._seen += 1
        if start // _GIF_FASTEST_TICKS < self._written:
            return  # quicker than GIF can show
        picture = _scaled(pixels, self._scale)
        size = (picture.shape[1], picture.shape[0])
        chunk = b"" if self._written else _gif_head(size, self._comment)
        if self._written and size != self._size:
            raise BadInputError("The frames of a film must have one size.")
        self._size = size
        delay = max(_GIF_FASTEST_TICKS, self._tick(self._seen) - start)
        self._write(chunk + _gif_frame(picture, delay))
        self._written += 1

    def finish(self) -> Path:
        self._write(b";")
        try:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._part.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            self.abort()
            raise storage_error(error, self._path, 0) from error
        return self._path

    def abort(self) -> None:
        with suppress(OSError):
            self._stream.close()
        self._part.unlink(missing_ok=True)

    def _tick(self, index: int) -> int:
        """Hundredths of a second at which frame ``index`` starts: rounding must not change the film's length."""
        return round(_GIF_TICKS_PER_S * index / self._fps)

    def _write(self, data: bytes) -> None:
        try:
            self._stream.write(data)
        except OSError as error:
            self.abort()
            raise storage_error(error, self._path, len(data)) from error


def _gif_head(size: tuple[int, int], comment: bytes) -> bytes:
    screen = size[0].to_bytes(2, "little") + size[1].to_bytes(2, "little") + b"\x70\0\0"
    blocks = b"".join(
        bytes([len(comment[at : at + 255])]) + comment[at : at + 255] for at in range(0, len(comment), 255)
    )
    endless = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
    return b"GIF89a" + screen + endless + (b"!\xfe" + blocks + b"\0" if comment else b"")


def _gif_frame(pixels: Pixels, delay_ticks: int) -> bytes:
    """A graphic control and an image block with its own palette; index `_CLEAR` is transparent."""
    from PIL import Image

    image = Image.fromarray(pixels[..., :3])
    clear = pixels[..., 3] < 128
    flat = image.quantize(_CLEAR, method=Image.Quantize.MEDIANCUT, kmeans=1, dither=Image.Dither.NONE)
    palette = (flat.getpalette() or [])[: _CLEAR * 3]
    indices = np.asarray(flat, np.uint8).copy()
    indices[clear] = _CLEAR
    frame = Image.fromarray(indices).convert("P")
    frame.putpalette(palette + [0] * (768 - len(palette)))
    out = io.BytesIO()
    # optimize would renumber the palette and lose the transparent index.
    frame.save(out, "GIF", optimize=False, interlace=0)
    data = out.getvalue()
    colours = data[13 : 13 + 768]
    block = next(piece for piece in pieces(out, "gif") if piece.kind == "image")
    has_clear = bool(clear.any())
    flags = 0x08 | int(has_clear)  # dispose to background, so that old frames do not shine through
    control = b"!\xf9\x04" + bytes([flags]) + delay_ticks.to_bytes(2, "little") + bytes([_CLEAR if has_clear else 0, 0])
    place = data[block.start : block.start + 9] + b"\x87"  # own palette of 256 colours
    return control + place + colours + data[block.start + 10 : block.end]


class _Mp4Writer:
    """H.264 where the wheel has an encoder, else MPEG-4; ``yuv420p`` with even sides plays everywhere."""

    def __init__(self, path: Path, *, fps: int, comment: str, scale: int, background: tuple[int, int, int]) -> None:
        self._path, self._fps, self._scale, self._comment = path, fps, scale, comment
        self._background = np.array(background, np.float32)
        self._part = part_path(path.parent)
        self._frames = 0
        self._film: Any = None
        self._stream: Any = None
        self._size: tuple[int, int] = (0, 0)
        try:
            self._part.touch(exist_ok=False)
        except OSError as error:
            raise storage_error(error, path, 0) from error

    @property
    def frames(self) -> int:
        return self._frames

    def add(self, pixels: Pixels) -> None:
        import av

        picture = _even(_over(_scaled(pixels, self._scale), self._background))
        size = (picture.shape[1], picture.shape[0])
        try:
            if self._film is None:
                self._open(size)
            if size != self._size:
                raise BadInputError("The frames of a film must have one size.")
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = self._frames
            film: Any = self._film
            film.mux(self._stream.encode(frame))
        except OSError as error:
            self.abort()
            raise storage_error(error, self._path, picture.nbytes) from error
        self._frames += 1

    def finish(self) -> Path:
        try:
            if self._film is not None:
                self._film.mux(self._stream.encode(None))
                self._film.close()
                self._film = None
            # The muxer can lose a write error: only a film that has all its frames gets its name.
            if count_frames(self._part) != self._frames:
                raise OSError(28, os.strerror(28), str(self._part))
            with self._part.open("r+b") as stream:
                os.fsync(stream.fileno())
            self._part.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            self.abort()
            raise storage_error(error, self._path, 0) from error
        except BadInputError as error:
            self.abort()
            raise StorageError(f"{self._path.name} could not be written whole.", "Is the disk full?") from error
        return self._path

    def abort(self) -> None:
        if self._film is not None:
            with suppress(OSError, ValueError):
                self._film.close()
            self._film = None
        self._part.unlink(missing_ok=True)

    def _open(self, size: tuple[int, int]) -> None:
        import av

        self._size = size
        self._film = av.open(str(self._part), "w", format="mp4", options={"movflags": "+faststart"})
        self._film.metadata["comment"] = self._comment
        name = next(name for name in _ENCODERS if name in av.codecs_available)
        stream: Any = self._film.add_stream(name, rate=Fraction(self._fps))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        # One thread: the cores are busy making the next frame, and the file comes out the same on every machine.
        stream.codec_context.thread_count = 1
        if name == "mpeg4":
            stream.bit_rate = max(1_000_000, size[0] * size[1] * self._fps // 4)
        else:
            stream.options = {"crf": "16", "preset": "fast"}
        self._stream = stream


def _over(pixels: Pixels, background: Any) -> Pixels:
    alpha = pixels[..., 3:].astype(np.float32) / 255.0
    mixed = pixels[..., :3] * alpha + background * (1.0 - alpha)
    return np.rint(mixed).astype(np.uint8)


def _even(pixels: Pixels) -> Pixels:
    """Repeat the last row or column of an odd side."""
    height, width = pixels.shape[:2]
    return np.ascontiguousarray(np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))


def read_frames(path: Path, *, most: int = 600) -> Iterator[tuple[Pixels, float]]:
    """The frames of a GIF or MP4 with how long each is shown in seconds, at most ``most``.

    Raises:
        BadInputError: the file is gone, damaged or not a film.
    """
    try:
        with path.open("rb") as stream:
            container = container_of(stream.read(16))
        yield from (_mp4_frames if container == "mp4" else _gif_frames)(path, most)
    except BadInputError:
        raise
    except Exception as error:  # Pillow and FFmpeg leak many kinds on damaged files
        raise BadInputError(f"{path.name} cannot be played: {error}.", "Copy or download it again.") from error


def _gif_frames(path: Path, most: int) -> Iterator[tuple[Pixels, float]]:
    from PIL import Image

    with Image.open(path, formats=("GIF", "PNG", "WEBP")) as film:
        for index in range(min(most, getattr(film, "n_frames", 1))):
            film.seek(index)
            yield np.asarray(film.convert("RGBA")), float(film.info.get("duration", 100)) / 1000.0


def _mp4_frames(path: Path, most: int) -> Iterator[tuple[Pixels, float]]:
    import av

    with av.open(str(path)) as film:
        seconds = float(1 / (film.streams.video[0].average_rate or 24))
        for index, frame in enumerate(film.decode(video=0)):
            if index >= most:
                return
            # By way of RGB: FFmpeg's direct conversion to RGBA gave other pixels at each run (measured with av 18.1).
            pixels = np.full((frame.height, frame.width, 4), 255, np.uint8)
            pixels[..., :3] = frame.to_ndarray(format="rgb24")
            yield pixels, seconds


def count_frames(path: Path) -> int:
    """How many pictures an MP4 holds; raises `BadInputError` when it is damaged."""
    import av

    try:
        with av.open(str(path)) as film:
            return int(film.streams.video[0].frames)
    except (OSError, ValueError, IndexError) as error:
        raise BadInputError(f"{path.name} is not a whole film: {error}.") from error
