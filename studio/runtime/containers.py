"""The skeletons of picture files: where each piece lies, without decoding a pixel.

Metadata of untrusted files is read and removed at this level: nothing is decompressed beyond a cap, a huge picture
costs no memory, and removing metadata never changes a pixel.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from studio.core.errors import BadInputError

Container = Literal["png", "jpeg", "webp", "gif", "mp4"]

TEXT_LIMIT_BYTES = 1_000_000
"""Longer metadata than this is not read."""

PIECE_LIMIT = 500_000
_PNG = b"\x89PNG\r\n\x1a\n"
_STANDALONE = {0x01, *range(0xD0, 0xD9)}  # JPEG markers without a length


@dataclass(frozen=True)
class Piece:
    """A chunk, segment or block: bytes ``start`` to ``end``; its content is ``body_start`` to ``body_end``."""

    kind: str
    start: int
    end: int
    body_start: int
    body_end: int


def container_of(head: bytes) -> Container | None:
    """What a file is by its first 16 bytes (never by its name); None when it is nothing we write."""
    if head.startswith(_PNG):
        return "png"
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if head[4:8] == b"ftyp":
        return "mp4"
    return None


def pieces(stream: BinaryIO, container: Container) -> Iterator[Piece]:
    """The pieces of a PNG, JPEG, WebP or GIF file in order.

    Raises:
        BadInputError: the skeleton is damaged or cut off.
    """
    walk = {"png": _png_pieces, "jpeg": _jpeg_pieces, "webp": _riff_pieces, "gif": _gif_pieces}[container]
    for count, piece in enumerate(walk(stream)):
        if count > PIECE_LIMIT:
            raise BadInputError("The file has too many pieces to be a picture.", "Save it again with another program.")
        yield piece


def body(stream: BinaryIO, piece: Piece, *, limit: int = TEXT_LIMIT_BYTES) -> bytes:
    """The content of ``piece``, at most ``limit`` bytes."""
    stream.seek(piece.body_start)
    return stream.read(max(0, min(limit, piece.body_end - piece.body_start)))


def inflate(data: bytes, *, limit: int = TEXT_LIMIT_BYTES) -> bytes:
    """Decompressed text of at most ``limit`` bytes; empty when damaged or longer (a bomb)."""
    machine = zlib.decompressobj()
    try:
        out = machine.decompress(data, limit)
    except zlib.error:
        return b""
    return b"" if machine.unconsumed_tail else out


def size_px(stream: BinaryIO, container: Container) -> tuple[int, int]:
    """Width and height from the header of a PNG, JPEG, WebP or GIF; (0, 0) when it has none."""
    if container == "gif":
        stream.seek(6)
        return _unpack("<HH", stream.read(4))
    for piece in pieces(stream, container):
        if piece.kind == "IHDR":
            return _unpack(">II", body(stream, piece, limit=8))
        if piece.kind.startswith("SOF"):
            height, width = _unpack(">HH", body(stream, piece, limit=5)[1:])
            return width, height
        if piece.kind in ("VP8X", "VP8 ", "VP8L"):
            return _webp_size(piece.kind, body(stream, piece, limit=16))
    return 0, 0


def _webp_size(kind: str, head: bytes) -> tuple[int, int]:
    if kind == "VP8X" and len(head) >= 10:
        return 1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:10], "little")
    if kind == "VP8L" and len(head) >= 5:
        bits = int.from_bytes(head[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == "VP8 " and len(head) >= 10:
        width, height = _unpack("<HH", head[6:10])
        return width & 0x3FFF, height & 0x3FFF
    return 0, 0


def _unpack(layout: str, data: bytes) -> tuple[int, int]:
    if len(data) < struct.calcsize(layout):
        return 0, 0
    first, second = struct.unpack(layout, data[: struct.calcsize(layout)])
    return int(first), int(second)


def _end(stream: BinaryIO) -> int:
    return stream.seek(0, 2)


def _cut() -> BadInputError:
    return BadInputError("The picture file is damaged or cut off.", "Copy or download it again.")


def _png_pieces(stream: BinaryIO) -> Iterator[Piece]:
    total, at = _end(stream), len(_PNG)
    while at + 12 <= total:
        stream.seek(at)
        length, kind = struct.unpack(">I4s", stream.read(8))
        end = at + 12 + length
        if end > total:
            raise _cut()
        name = kind.decode("latin-1")
        yield Piece(name, at, end, at + 8, at + 8 + length)
        at = end
        if name == "IEND":
            return
    raise _cut()


def _jpeg_pieces(stream: BinaryIO) -> Iterator[Piece]:
    total, at = _end(stream), 2
    while at + 4 <= total:
        stream.seek(at)
        mark, code, length = struct.unpack(">BBH", stream.read(4))
        if mark != 0xFF:
            raise _cut()
        if code == 0xFF:  # fill byte
            at += 1
        elif code in _STANDALONE:
            at += 2
        elif code == 0xDA:  # from here on compressed picture data
            yield Piece("SOS", at, total, at + 2, total)
            return
        else:
            end = at + 2 + length
            if length < 2 or end > total:
                raise _cut()
            yield Piece(_jpeg_name(code), at, end, at + 4, end)
            at = end
    raise _cut()


def _jpeg_name(code: int) -> str:
    if 0xE0 <= code <= 0xEF:
        return f"APP{code - 0xE0}"
    if code == 0xFE:
        return "COM"
    if 0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC):
        return f"SOF{code - 0xC0}"
    return f"{code:02X}"


def _riff_pieces(stream: BinaryIO) -> Iterator[Piece]:
    total = _end(stream)
    stream.seek(4)
    stop = min(total, 8 + int.from_bytes(stream.read(4), "little"))
    at = 12
    while at + 8 <= stop:
        stream.seek(at)
        kind, length = struct.unpack("<4sI", stream.read(8))
        if at + 8 + length > total:
            raise _cut()
        end = min(at + 8 + length + length % 2, total)
        yield Piece(kind.decode("latin-1"), at, end, at + 8, at + 8 + length)
        at = end


def _gif_pieces(stream: BinaryIO) -> Iterator[Piece]:
    total = _end(stream)
    stream.seek(6)
    head = stream.read(7)
    if len(head) < 7:
        raise _cut()
    at = 13 + (3 * 2 ** ((head[4] & 7) + 1) if head[4] & 0x80 else 0)
    yield Piece("head", 0, at, 6, at)
    while at < total:
        stream.seek(at)
        lead = stream.read(2)
        if lead[:1] == b";":
            yield Piece("end", at, at + 1, at, at + 1)
            return
        if lead[:1] == b"!" and len(lead) == 2:
            kind, first = f"ext{lead[1]:02X}", at + 2
        elif lead[:1] == b",":
            stream.seek(at)
            place = stream.read(10)
            if len(place) < 10:
                raise _cut()
            kind, first = "image", at + 11 + (3 * 2 ** ((place[9] & 7) + 1) if place[9] & 0x80 else 0)
        else:
            raise _cut()
        end = _after_blocks(stream, first, total)
        yield Piece(kind, at, end, first, end)
        at = end
    raise _cut()


def _after_blocks(stream: BinaryIO, at: int, total: int) -> int:
    while at < total:
        stream.seek(at)
        size = stream.read(1)[0]
        at += 1 + size
        if size == 0:
            return at
    raise _cut()


def gif_text(stream: BinaryIO, piece: Piece, *, limit: int = TEXT_LIMIT_BYTES) -> bytes:
    """The joined sub-blocks of a GIF extension."""
    out, at = bytearray(), piece.body_start
    while at < piece.body_end and len(out) < limit:
        stream.seek(at)
        size = stream.read(1)[0]
        out += stream.read(size)
        at += 1 + size
        if size == 0:
            break
    return bytes(out)
