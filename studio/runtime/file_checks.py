"""What a file of a package really is, decided by its content and never by its name."""

import io
import math
import pickletools
import struct
from typing import Any

import msgspec

from studio.core.errors import PackageError

_PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
HEAD_BYTES = 17_000_000
"""So much of a file is enough to know what it is: the longest header or text that a package may hold."""

_MAX_HEADER = 16_000_000
_MAX_TEXT = 16_000_000
_PICKLE_LOOK = 4_000_000
_ZIP = b"PK\x03\x04"
_IMPORTS = frozenset({"GLOBAL", "STACK_GLOBAL", "INST", "EXT1"})
_NOT_OPCODES = (ValueError, LookupError, ArithmeticError, TypeError, EOFError, struct.error)
_MARKED_OPS = 3  # so many valid opcodes do not stand at the start of weights by chance
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64,
}  # fmt: skip


def refuse_pickle(data: bytes, name: str) -> None:
    """Refuse a Python pickle or an archive that may hold one, under whatever name.

    Raises:
        PackageError: it is one.
    """
    if data[:4] == _ZIP or data[:4] == b"PK\x05\x06":
        raise PackageError(
            f"{name} is an archive as PyTorch saves them; it may hold a pickle, which can run code when it is opened.",
            "Ask for the weights as safetensors.",
        )
    if _is_pickle(data):
        raise PackageError(
            f"{name} is a Python pickle, which can run code when it is opened.", "Ask for the weights as safetensors."
        )


def check_side_file(data: bytes, name: str, size: int | None = None) -> None:
    """Check a file that is neither a graph nor external data: safetensors, a picture, JSON or text, nothing else.

    Args:
        data: the whole file, or its first `HEAD_BYTES`.
        name: its name, for the sentence.
        size: its size in bytes when ``data`` is only its head.

    Raises:
        PackageError: a pickle, an archive, damaged or of an unknown kind.
    """
    refuse_pickle(data, name)
    if data.startswith(_PICTURES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        return
    whole = len(data) if size is None else size
    if _looks_like_safetensors(data):
        check_safetensors(data, name, whole)
        return
    if name.lower().endswith(".safetensors"):
        raise PackageError(f"{name} is not a safetensors file.", "Ask for a fresh copy of the package.")
    if whole > len(data) or not _is_text(data):
        raise PackageError(
            f"{name} is of a kind that does not belong into a package.",
            "A package holds ONNX graphs, safetensors, pictures and text only.",
        )
    if name.lower().endswith(".json"):
        try:
            msgspec.json.decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise PackageError(f"{name} is not valid JSON: {error}.", "Ask for a fresh copy of the package.") from error


def check_safetensors(head: bytes, name: str, size: int) -> None:
    """Check the header of a safetensors file of ``size`` bytes: all tensors' types and places fit it exactly.

    Raises:
        PackageError: they do not.
    """
    try:
        _check_tensors(head, size)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise PackageError(
            f"{name} is a damaged safetensors file: {error}.", "Ask for a fresh copy of the package."
        ) from error


def _check_tensors(data: bytes, size: int) -> None:
    (length,) = struct.unpack_from("<Q", data)
    if length > _MAX_HEADER or 8 + length > min(size, len(data)):
        raise ValueError("its header is longer than the file")
    header: dict[str, Any] = msgspec.json.decode(data[8 : 8 + length], type=dict[str, Any])
    header.pop("__metadata__", None)
    room = size - 8 - length
    at = 0
    for begin, end, taken in sorted(_tensor_place(entry) for entry in header.values()):
        if begin != at or end - begin != taken:
            raise ValueError("its tensors overlap or leave gaps")
        at = end
    if at != room:
        raise ValueError("its tensors do not fill the file")


def _tensor_place(entry: Any) -> tuple[int, int, int]:
    begin, end = entry["data_offsets"]
    shape: list[int] = entry["shape"]
    if any(type(number) is not int or number < 0 for number in (begin, end, *shape)):
        raise ValueError("a size is not a whole number")
    return begin, end, math.prod(shape) * _BITS[entry["dtype"]] // 8


def _looks_like_safetensors(data: bytes) -> bool:
    return len(data) >= 10 and data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= _MAX_HEADER


def _is_text(data: bytes) -> bool:
    if len(data) > _MAX_TEXT or b"\0" in data:
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_pickle(data: bytes) -> bool:
    """True when the bytes read as pickle opcodes: protocol 2 to 5 from its mark on, 0 and 1 when read to an end."""
    marked = data[:1] == b"\x80" and data[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    names: list[str] = []
    end = 0
    try:
        for opcode, _, place in pickletools.genops(io.BytesIO(data[:_PICKLE_LOOK])):
            names.append(opcode.name)
            end = place or 0
    except _NOT_OPCODES:  # any of them only says where the opcodes stop
        return marked and len(names) >= _MARKED_OPS
    # Read to a STOP. Prose can do that by chance ("No."), but it neither imports nor ends there.
    return marked or bool(_IMPORTS.intersection(names)) or (len(names) > _MARKED_OPS and end == len(data.rstrip()) - 1)
