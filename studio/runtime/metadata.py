"""The texts inside picture and film files, read without trust: capped, never executed, nothing decoded but text."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from studio.core.errors import BadInputError
from studio.runtime.containers import (
    TEXT_LIMIT_BYTES,
    Container,
    Piece,
    body,
    container_of,
    gif_text,
    inflate,
    pieces,
)

COMMENT = "UserComment"
"""Key under which the one free text of JPEG, WebP, GIF and MP4 files is returned."""

_EXIF_IFD, _USER_COMMENT = 0x8769, 0x9286
_MAKE, _MODEL = 0x010F, 0x0110  # where ComfyUI puts its graphs in WebP files


def read_texts(path: Path) -> dict[str, str]:
    """Every text in a PNG, JPEG, WebP, GIF or MP4 file by its key; empty when it has none.

    Raises:
        BadInputError: the file is gone, damaged or none of these.
    """
    try:
        with path.open("rb") as stream:
            container = container_of(stream.read(16))
            if container is None:
                raise BadInputError(
                    f"{path.name} is not a PNG, JPEG, WebP, GIF or MP4 file.", "Only these can carry a recipe."
                )
            if container == "mp4":
                return _mp4_texts(path)
            return _texts(stream, container)
    except OSError as error:
        raise BadInputError(f"{path.name} cannot be read: {error.strerror or error}.") from error


def _texts(stream: BinaryIO, container: Container) -> dict[str, str]:
    texts: dict[str, str] = {}
    readers = {"png": _png_text, "jpeg": _jpeg_text, "webp": _webp_text, "gif": _gif_comment}
    read: Callable[[BinaryIO, Piece], dict[str, str]] = readers[container]
    budget = 4 * TEXT_LIMIT_BYTES
    for piece in pieces(stream, container):
        for key, text in read(stream, piece).items():
            budget -= len(text)
            if budget >= 0:
                texts.setdefault(key, text)
    return texts


def _png_text(stream: BinaryIO, piece: Piece) -> dict[str, str]:
    if piece.kind == "eXIf":
        return exif_texts(body(stream, piece))
    if piece.kind not in ("tEXt", "zTXt", "iTXt"):
        return {}
    key, _, rest = body(stream, piece).partition(b"\0")
    name = key.decode("latin-1")
    if piece.kind == "tEXt":
        return {name: rest.decode("latin-1")}
    if piece.kind == "zTXt":
        return {name: inflate(rest[1:]).decode("latin-1")}
    packed, tail = rest[:1] == b"\x01", rest[2:].split(b"\0", 2)
    if len(tail) < 3:
        return {}
    return {name: (inflate(tail[2]) if packed else tail[2]).decode("utf-8", "replace")}


def _jpeg_text(stream: BinaryIO, piece: Piece) -> dict[str, str]:
    if piece.kind == "APP1":
        data = body(stream, piece)
        return exif_texts(data[6:]) if data.startswith(b"Exif\0\0") else {}
    if piece.kind == "COM":
        return {COMMENT: body(stream, piece).decode("utf-8", "replace")}
    return {}


def _webp_text(stream: BinaryIO, piece: Piece) -> dict[str, str]:
    if piece.kind != "EXIF":
        return {}
    data = body(stream, piece)
    return exif_texts(data.removeprefix(b"Exif\0\0"))


def _gif_comment(stream: BinaryIO, piece: Piece) -> dict[str, str]:
    if piece.kind != "extFE":
        return {}
    return {COMMENT: gif_text(stream, piece).decode("utf-8", "replace")}


def exif_texts(tiff: bytes) -> dict[str, str]:
    """UserComment, and graphs that ComfyUI keeps in Make and Model, of an EXIF block; empty when damaged."""
    from PIL import Image

    exif = Image.Exif()
    try:
        exif.load(b"Exif\0\0" + tiff)
        comment: Any = exif.get_ifd(_EXIF_IFD).get(_USER_COMMENT) or exif.get(_USER_COMMENT)
        tags: list[Any] = [exif.get(_MAKE), exif.get(_MODEL)]
    except Exception:  # noqa: BLE001 - Pillow leaks SyntaxError, struct.error, ValueError and more on damaged EXIF
        return {}
    texts: dict[str, str] = {}
    if isinstance(comment, bytes):
        texts[COMMENT] = decode_comment(comment)
    elif isinstance(comment, str):
        texts[COMMENT] = comment
    for tag in tags:
        if isinstance(tag, str):
            for key in ("prompt", "workflow"):
                if tag.lower().startswith(f"{key}:"):
                    texts[key] = tag[len(key) + 1 :]
    return {key: text[:TEXT_LIMIT_BYTES] for key, text in texts.items()}


def encode_comment(text: str) -> bytes:
    """EXIF UserComment bytes: ASCII where it can be, else big-endian UTF-16 as other programs expect."""
    if text.isascii():
        return b"ASCII\0\0\0" + text.encode("ascii")
    return b"UNICODE\0" + text.encode("utf-16-be")


def decode_comment(data: bytes) -> str:
    """The text of an EXIF UserComment in any of the spellings in the wild."""
    code, rest = data[:8], data[8:]
    if code == b"UNICODE\0":
        if rest[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return rest.decode("utf-16", "replace")
        # Letters of most scripts in use here leave zeros in the high bytes: where they stand tells the byte order.
        little = rest[1::2].count(0) > rest[0::2].count(0)
        return rest.decode("utf-16-le" if little else "utf-16-be", "replace")
    if code in (b"ASCII\0\0\0", b"\0" * 8):
        return rest.decode("utf-8", "replace")
    return data.decode("utf-8", "replace")


def exif_with_comment(text: str) -> bytes:
    """An EXIF block for Pillow's ``exif=`` that holds ``text`` as UserComment."""
    from PIL import Image

    exif = Image.Exif()
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = encode_comment(text)
    return exif.tobytes()


def _mp4_texts(path: Path) -> dict[str, str]:
    import av  # takes a fifth of a second: only when a film is opened

    try:
        with av.open(str(path), metadata_errors="replace") as film:
            found = dict(film.metadata)
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path.name} is damaged or not a film: {error}.", "Copy or download it again.") from error
    return {COMMENT if key == "comment" else key: str(text)[:TEXT_LIMIT_BYTES] for key, text in found.items()}
