"""Every kind of bad picture gives one clear sentence; every kind of good one gives upright RGBA."""

import io
import os
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from studio.core.errors import BadInputError
from studio.runtime.pictures import read_picture


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def gradient(width: int = 24, height: int = 16, mode: str = "RGB") -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    planes = np.stack([x * 255 // width, y * 255 // height, (x + y) * 4 % 256, 255 - x * 5 % 256], axis=-1)
    return Image.fromarray(planes.astype(np.uint8), "RGBA").convert(mode)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_every_listed_format_is_read_whatever_its_name(kind, tmp_path):
    path = tmp_path / "picture.txt"
    path.write_bytes(encoded(gradient(), kind))
    assert read_picture(path).shape == (16, 24, 4)


def test_cmyk_becomes_rgb():
    pixels = read_picture(encoded(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "TIFF"))
    assert tuple(pixels[0, 0]) == (255, 0, 0, 255)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_upper_byte(kind):
    values = np.array([[0, 0x8000, 0xFFFF]], dtype=np.uint16)
    pixels = read_picture(encoded(Image.fromarray(values), kind))
    assert pixels[0, :, 0].tolist() == [0, 0x80, 0xFF]


def test_sixteen_bit_colour_png_keeps_its_upper_byte():
    row = b"\0" + struct.pack(">3H", 0xFFFF, 0x8000, 0x1234)
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">2I5B", 1, 1, 16, 2, 0, 0, 0))
    data += png_chunk(b"IDAT", zlib.compress(row)) + png_chunk(b"IEND", b"")
    assert read_picture(data)[0, 0].tolist() == [0xFF, 0x80, 0x12, 255]


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 200.0], [0, 100, 200]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([float("nan"), 0.5, 1.0], [0, 128, 255]),
    ],
)
def test_float_pictures_are_brought_into_range(values, want):
    pixels = read_picture(encoded(Image.fromarray(np.array([values], dtype=np.float32)), "TIFF"))
    assert pixels[0, :, 0].tolist() == want


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation):
    upright = gradient()
    turned = {
        1: lambda i: i,
        2: lambda i: i.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: lambda i: i.transpose(Image.Transpose.ROTATE_180),
        4: lambda i: i.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: lambda i: i.transpose(Image.Transpose.TRANSPOSE),
        6: lambda i: i.transpose(Image.Transpose.ROTATE_90),
        7: lambda i: i.transpose(Image.Transpose.TRANSVERSE),
        8: lambda i: i.transpose(Image.Transpose.ROTATE_270),
    }[orientation](upright)
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = read_picture(encoded(turned, "PNG", exif=exif))
    assert np.array_equal(pixels[..., :3], np.asarray(upright))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_first_frame_of_an_animation(kind):
    frames = [Image.new("RGB", (6, 5), colour) for colour in ("red", "blue", "green")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert read_picture(data)[2, 2].tolist() == [255, 0, 0, 255]


def test_palette_transparency_and_alpha_are_kept():
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.putdata([0, 1])
    pixels = read_picture(encoded(palette, "PNG", transparency=bytes([0, 128])))
    assert pixels[0].tolist() == [[255, 0, 0, 0], [0, 255, 0, 128]]
    straight = np.array([[[200, 100, 50, 0], [10, 20, 30, 40]]], dtype=np.uint8)
    assert np.array_equal(read_picture(encoded(Image.fromarray(straight), "PNG")), straight)


def test_eight_thousand_pixels_wide_is_fine():
    pixels = read_picture(encoded(Image.new("L", (8000, 1000), 77), "PNG"))
    assert pixels.shape == (1000, 8000, 4)
    assert pixels[5, 5].tolist() == [77, 77, 77, 255]


@pytest.mark.parametrize("side", [8001, 12000, 40000])
def test_too_many_pixels_are_refused_before_decoding(side):
    header = png_chunk(b"IHDR", struct.pack(">2I5B", side, side, 8, 6, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", zlib.compress(b"")) + png_chunk(b"IEND", b"")
    with pytest.raises(BadInputError, match="too large"):
        read_picture(bomb)


def test_a_compressed_text_bomb_is_refused():
    text = png_chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 80_000_000))
    good = encoded(gradient(), "PNG")
    with pytest.raises(BadInputError):
        read_picture(good[:33] + text + good[33:])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_truncated(kind):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    with pytest.raises(BadInputError, match=r"cut off|damaged|not a picture") as caught:
        read_picture(data[: len(data) // 2])
    assert caught.value.hint


def test_zero_bytes(tmp_path):
    path = tmp_path / "empty.png"
    path.touch()
    with pytest.raises(BadInputError, match=r"empty\.png is empty: it has 0 bytes"):
        read_picture(path)
    with pytest.raises(BadInputError, match="0 bytes"):
        read_picture(b"")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"Hello, I am a letter.", "is not a picture"),
        (b"\0\0\0\x18ftypheic....", "HEIC"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"PK\x03\x04........", "zip"),
        (b"8BPS....", "Photoshop"),
    ],
)
def test_not_a_picture_is_named(data, words, tmp_path):
    path = tmp_path / "thing.png"
    path.write_bytes(data)
    with pytest.raises(BadInputError, match=words) as caught:
        read_picture(path)
    assert "PNG" in caught.value.hint


def test_missing_folder_pipe_and_unicode_names(tmp_path):
    with pytest.raises(BadInputError, match="does not exist"):
        read_picture(tmp_path / "gone.png")
    with pytest.raises(BadInputError, match="is a folder"):
        read_picture(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(BadInputError, match="not an ordinary file"):
            read_picture(tmp_path / "pipe.png")
    path = tmp_path / "Übung 漢字 🎨 .. .png"
    path.write_bytes(encoded(gradient(), "PNG"))
    assert read_picture(path).shape == (16, 24, 4)
    with pytest.raises(BadInputError):
        read_picture(Path("nul\0name.png"))


def test_damaged_exif_does_not_cost_the_picture():
    data = encoded(gradient(), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert read_picture(data).shape == (16, 24, 4)


def seeds_of_formats() -> list[bytes]:
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [gradient(), gradient().transpose(Image.Transpose.ROTATE_180)]
    return [
        encoded(gradient(mode="RGBA"), "PNG", exif=exif),
        encoded(gradient(mode="P"), "PNG", transparency=3),
        encoded(Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8)), "PNG"),
        encoded(gradient(), "JPEG", exif=exif),
        encoded(gradient(mode="CMYK"), "JPEG", progressive=True),
        encoded(gradient(mode="RGBA"), "WEBP"),
        encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]),
        encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        encoded(gradient(), "BMP"),
        encoded(gradient(mode="P"), "BMP"),
        encoded(gradient(), "TIFF"),
        encoded(gradient(mode="CMYK"), "TIFF", compression="tiff_lzw"),
        encoded(Image.fromarray(np.random.default_rng(1).normal(size=(8, 8)).astype(np.float32)), "TIFF"),
        encoded(gradient(), "AVIF"),
    ]


SEEDS = seeds_of_formats()


def repaired(data: bytes) -> bytes:
    """A PNG whose chunk checksums are right again, so that the damage reaches the decoder."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    out, at = data[:8], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + length > len(data):
            break
        out += png_chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    return out + data[at:]


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        kind, at = rng.integers(0, 5), int(rng.integers(0, len(damaged)))
        if kind == 0:
            damaged[at] = int(rng.integers(0, 256))
        elif kind == 1:
            damaged[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 2:
            damaged[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\x40\0"])
        elif kind == 3:
            del damaged[at : at + int(rng.integers(1, 20))]
        else:
            damaged[at:at] = damaged[at : at + int(rng.integers(1, 20))]
        if not damaged:
            break
    return bytes(damaged) if rng.integers(0, 3) == 0 else repaired(bytes(damaged))


def survives(data: bytes) -> bool:
    began = time.monotonic()
    try:
        pixels = read_picture(data)
    except BadInputError as error:
        readable, told = False, (error.message, error.hint)
    else:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.shape[2] == 4
        readable, told = True, ("", "")
    assert readable or all(told)
    assert time.monotonic() - began < 5.0
    return readable


def fuzz(rounds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    outcomes = [survives(mutated(data, rng)) for _ in range(rounds) for data in SEEDS]
    assert any(outcomes), "the mutator destroys everything, so decoders are not reached"
    assert not all(outcomes)


def test_only_our_error_escapes_from_damaged_pictures():
    fuzz(rounds=60, seed=20260101)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_only_our_error_escapes_from_many_damaged_pictures():
    fuzz(rounds=10_000, seed=7)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"II*\0", b"RIFF\0\0\0\0WEBP", b""]),
    st.binary(max_size=200),
)
def test_only_our_error_escapes_from_any_bytes(head, tail):
    survives(head + tail)
