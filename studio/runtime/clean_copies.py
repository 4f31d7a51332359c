"""Copies of results without any metadata: nobody who gets the file learns how, when or with what it was made."""

import errno
import io
from pathlib import Path

from studio.core.errors import BadInputError, StorageError
from studio.runtime.atomic import part_path, storage_error, write_bytes
from studio.runtime.containers import Container, Piece, body, container_of, gif_text, pieces

_PNG_KEPT = {
    *("IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "iCCP", "sBIT", "pHYs", "bKGD"),
    *("cICP", "acTL", "fcTL", "fdAT"),
}
_JPEG_DROPPED = {"APP1", "COM", *(f"APP{index}" for index in range(3, 16) if index != 14)}  # 0, 2, 14: size, ICC, CMYK
_WEBP_DROPPED = {"EXIF", "XMP "}
_ORIENTATION = 0x0112
_SIZE_LIMIT_BYTES = 1_000_000_000


def clean_copy(source: Path, target: Path) -> None:
    """Write ``source`` without its metadata to ``target``; the pixels stay the same, bit for bit.

    Raises:
        BadInputError: ``source`` is gone, damaged or not one of our kinds.
        StorageError: ``target`` cannot be written.
    """
    try:
        with source.open("rb") as stream:
            container = container_of(stream.read(16))
        if container == "mp4":
            _clean_film(source, target)
            return
        if source.stat().st_size > _SIZE_LIMIT_BYTES:
            raise BadInputError(f"{source.name} is too large to copy.", "Copy the file with its recipe.")
        data = source.read_bytes()
    except OSError as error:
        raise BadInputError(f"{source.name} cannot be read: {error.strerror or error}.") from error
    if container is None:
        raise BadInputError(f"{source.name} is not a PNG, JPEG, WebP, GIF or MP4 file.")
    write_bytes(target, clean_bytes(data, container))


def clean_bytes(data: bytes, container: Container) -> bytes:
    """The same picture file without texts, EXIF, XMP and comments."""
    stream = io.BytesIO(data)
    if container == "jpeg" and _is_rotated(data):
        return _upright(data)
    kept = [piece for piece in pieces(stream, container) if _stays(stream, piece, container)]
    if container == "webp":
        return _webp(data, kept)
    lead = {"png": data[:8], "jpeg": data[:2]}.get(container, b"")
    return lead + b"".join(data[piece.start : piece.end] for piece in kept)


def _stays(stream: io.BytesIO, piece: Piece, container: Container) -> bool:
    if container == "png":
        return piece.kind in _PNG_KEPT
    if container == "jpeg":
        return piece.kind not in _JPEG_DROPPED
    if container == "webp":
        return piece.kind not in _WEBP_DROPPED
    if piece.kind == "extFF":  # application data: only the one that makes it loop
        return gif_text(stream, piece, limit=16).startswith((b"NETSCAPE2.0", b"ANIMEXTS1.0"))
    return piece.kind not in ("extFE", "ext01")


def _webp(data: bytes, kept: list[Piece]) -> bytes:
    out = bytearray(b"WEBP")
    for piece in kept:
        chunk = bytearray(data[piece.start : piece.end])
        if piece.kind == "VP8X" and len(chunk) > 8:
            chunk[8] &= ~0x0C  # the flags that announce EXIF and XMP
        out += chunk
    return b"RIFF" + len(out).to_bytes(4, "little") + bytes(out)


def _is_rotated(data: bytes) -> bool:
    from PIL import Image

    for piece in pieces(stream := io.BytesIO(data), "jpeg"):
        if piece.kind == "APP1" and (exif := body(stream, piece)).startswith(b"Exif\0\0"):
            table = Image.Exif()
            try:
                table.load(exif)
                return table.get(_ORIENTATION, 1) != 1
            except Exception:  # noqa: BLE001 - Pillow leaks many kinds on damaged EXIF
                return False
    return False


def _upright(data: bytes) -> bytes:
    """A photo that leans on its EXIF to stand upright is turned, or it would lie on its side without it."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            turned = ImageOps.exif_transpose(image)
            out = io.BytesIO()
            turned.save(out, "JPEG", quality=95, subsampling=0, icc_profile=image.info.get("icc_profile"), exif=b"")
            return out.getvalue()
    except Exception as error:  # Pillow leaks many kinds
        raise BadInputError(f"The picture is damaged: {error}.", "Copy or download it again.") from error


def _clean_film(source: Path, target: Path) -> None:
    import av

    part = part_path(target.parent)
    try:
        with av.open(str(source)) as film, av.open(str(part), "w", format="mp4") as copy:
            stream = copy.add_stream_from_template(film.streams.video[0])
            for packet in film.demux(film.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    copy.mux(packet)
        part.replace(target)
    except (OSError, ValueError, IndexError) as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.ENOENT):
            raise storage_error(error, target, source.stat().st_size) from error
        raise BadInputError(f"{source.name} is damaged or not a film: {error}.") from error
    except StorageError:
        part.unlink(missing_ok=True)
        raise
