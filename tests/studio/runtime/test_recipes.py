import contextlib
import io
import json
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from studio.core.errors import BadInputError
from studio.core.events import RunFacts
from studio.core.recipe import Recipe
from studio.core.requests import ImageRequest, Point
from studio.runtime.clean_copies import clean_copy
from studio.runtime.film import open_film, read_frames
from studio.runtime.metadata import COMMENT, read_texts
from studio.runtime.pictures import read_picture
from studio.runtime.recipes import (
    SUFFIXES,
    fits,
    make_recipe,
    parameters_text,
    picture_bytes,
    pixels_hash,
    read_recipe,
)

FORMATS = sorted(SUFFIXES)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
REQUESTS = st.builds(
    ImageRequest,
    package=st.sampled_from(["emoji-diffusion", "tiles-gan", "fashion-map"]),
    seed=st.integers(0, 2**53 - 1),
    controls=st.dictionaries(
        st.sampled_from(["prompt", "negative_prompt", "steps", "attr:smile", "note"]),
        TEXTS | st.integers(-(2**53), 2**53) | st.floats(-10, 10) | st.booleans(),
        max_size=4,
    ),
    labels=st.dictionaries(TEXTS, st.floats(0, 1), max_size=3),
    point=st.none() | st.builds(Point, seed=st.integers(0, 100), vector=st.tuples(st.floats(-3, 3), st.floats(-3, 3))),
)


def picture(seed=0, size=(12, 10)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 4)).astype(np.uint8)


def recipe_of(request, pixels=None):
    return make_recipe(
        request,
        RunFacts("CPUExecutionProvider", seconds=1.25, versions={"onnxruntime": "1.31"}),
        model_name="Emoji, the modèle",
        model_sha256="ab" * 32,
        created=datetime(2026, 11, 21, 14, 32, 5, tzinfo=UTC),
        pixels=pixels,
    )


@pytest.mark.parametrize("file_format", FORMATS)
@given(request=REQUESTS)
def test_a_picture_gives_back_the_request_that_made_it(tmp_path_factory, file_format, request):
    pixels = picture()
    recipe = recipe_of(request, pixels)
    path = tmp_path_factory.getbasetemp() / f"round{SUFFIXES[file_format]}"
    path.write_bytes(picture_bytes(pixels, file_format, recipe))
    restored = read_recipe(path)
    assert restored is not None
    assert restored.problems == ()
    assert restored.recipe == recipe
    assert restored.seed == request.seed


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
@pytest.mark.parametrize("prompt", ["", '猫 käse \'x\' "y", Reverie: "{}"\nline', "\U0001f600, a: b\\"])
def test_a_film_gives_back_the_request_that_made_it(tmp_path, suffix, prompt):
    request = ImageRequest("m", path=(Point(1, (0.5, -1.0)), Point(2)), controls={"prompt": prompt}, loop=True)
    recipe = recipe_of(request)
    writer = open_film(tmp_path / f"f{suffix}", fps=24, comment=parameters_text(recipe, size_px=(1, 1), with_json=True))
    for seed in range(3):
        writer.add(picture(seed))
    restored = read_recipe(writer.finish())
    assert restored is not None
    assert restored.recipe == recipe


@pytest.mark.parametrize("file_format", ["png", "webp"])
def test_lossless_formats_keep_every_bit_and_the_alpha(tmp_path, file_format):
    pixels = picture()
    path = tmp_path / f"x{SUFFIXES[file_format]}"
    path.write_bytes(picture_bytes(pixels, file_format, recipe_of(ImageRequest("m"), pixels)))
    again = read_picture(path)
    assert np.array_equal(again, pixels)
    restored = read_recipe(path)
    assert restored is not None
    assert restored.recipe is not None
    assert restored.recipe.pixels_sha256 == pixels_hash(again)


def test_png_texts_are_what_other_programs_expect(tmp_path):
    path = tmp_path / "x.png"
    request = ImageRequest("m", seed=7, controls={"prompt": "a fox", "negative_prompt": "blur", "steps": 20})
    path.write_bytes(picture_bytes(picture(), "png", recipe_of(request)))
    assert b"tEXtparameters\0" in path.read_bytes()
    with Image.open(path) as image:
        lines = str(image.info["parameters"]).split("\n")
        assert msgspec.json.decode(str(image.info["reverie"]), type=Recipe).request == request
    assert lines[0] == "a fox"
    assert lines[1] == "Negative prompt: blur"
    assert lines[2].startswith("Steps: 20, Seed: 7, Size: 10x12, ")
    path.write_bytes(picture_bytes(picture(), "png", recipe_of(ImageRequest("m", controls={"prompt": "猫"}))))
    assert b"iTXtparameters\0" in path.read_bytes()


@pytest.mark.parametrize("file_format", FORMATS)
def test_clean_copies_keep_pixels_and_lose_everything_else(tmp_path, file_format):
    source, target = tmp_path / f"a{SUFFIXES[file_format]}", tmp_path / f"b{SUFFIXES[file_format]}"
    secret = "find-me-secret"
    source.write_bytes(picture_bytes(picture(), file_format, recipe_of(ImageRequest(secret))))
    clean_copy(source, target)
    assert read_texts(target) == {}
    assert read_recipe(target) is None
    assert secret.encode() not in target.read_bytes()
    assert np.array_equal(read_picture(source), read_picture(target))


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_clean_films_still_play(tmp_path, suffix):
    source, target = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    recipe = recipe_of(ImageRequest("find-me-secret", path=(Point(1), Point(2))))
    writer = open_film(source, fps=10, comment=parameters_text(recipe, size_px=(1, 1), with_json=True))
    for seed in range(4):
        writer.add(picture(seed))
    writer.finish()
    clean_copy(source, target)
    assert b"find-me-secret" in source.read_bytes()
    assert b"find-me-secret" not in target.read_bytes()
    assert [np.array_equal(a, b) for (a, _), (b, _) in zip(read_frames(source), read_frames(target), strict=True)] == [
        True
    ] * 4


def test_a_clean_copy_of_a_rotated_photo_stays_upright(tmp_path):
    image = Image.new("RGB", (40, 20), (200, 30, 30))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=exif.tobytes())
    clean_copy(tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert read_picture(tmp_path / "b.jpg").shape[:2] == (40, 20)


def test_a_picture_without_recipe_says_nothing(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(picture_bytes(picture(), "png", None))
    assert read_recipe(path) is None


def test_a_long_recipe_does_not_fit_jpeg_but_png(tmp_path):
    recipe = recipe_of(ImageRequest("m", controls={"prompt": "猫" * 40_000}))
    assert not fits(recipe, "jpeg")
    with pytest.raises(BadInputError, match="too long"):
        picture_bytes(picture(), "jpeg", recipe)
    path = tmp_path / "x.png"
    path.write_bytes(picture_bytes(picture(), "png", recipe))
    restored = read_recipe(path)
    assert restored is not None
    assert restored.recipe == recipe


def test_a_later_recipe_is_read_as_far_as_it_is_known(tmp_path):
    data = msgspec.to_builtins(recipe_of(ImageRequest("m", seed=5)))
    data["version"] = 9
    data["request"]["warp"] = 3
    restored = read_recipe(png_with(tmp_path, {"reverie": json.dumps(data)}))
    assert restored is not None
    assert restored.recipe is not None
    assert restored.recipe.request == ImageRequest("m", seed=5)
    assert any("later Reverie" in each for each in restored.problems)
    assert any("'warp'" in each for each in restored.problems)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"request": 3}',
        '{"version":1,"request":{"type":"image","package":"m","seed":-4}}',
        "[" * 9999,
    ],
)
def test_a_damaged_recipe_becomes_a_sentence(tmp_path, text):
    restored = read_recipe(png_with(tmp_path, {"reverie": text})) if text else None
    if restored is not None:
        assert restored.recipe is None
        assert restored.problems


def test_a_text_bomb_is_not_inflated(tmp_path):
    import zlib

    bomb = zlib.compress(b"x" * 50_000_000)
    path = png_with(tmp_path, {})
    data = path.read_bytes()
    chunk = b"zTXtparameters\0\0" + bomb
    block = (len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    path.write_bytes(data[:33] + block + data[33:])
    assert read_texts(path)["parameters"] == ""


@pytest.mark.parametrize("file_format", FORMATS)
@given(data=st.data())
def test_damaged_files_only_raise_our_error(tmp_path_factory, file_format, data):
    whole = bytearray(picture_bytes(picture(), file_format, recipe_of(ImageRequest("m", controls={"prompt": "fox"}))))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    path = tmp_path_factory.getbasetemp() / f"damaged{SUFFIXES[file_format]}"
    path.write_bytes(bytes(whole[:cut]))
    for act in (read_recipe, read_texts, lambda p: clean_copy(p, p.with_suffix(".out"))):
        with contextlib.suppress(BadInputError):  # anything else fails the test
            act(path)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a"])
def test_odd_files_are_refused_with_a_sentence(tmp_path, content):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(BadInputError):
        read_texts(path)
    with pytest.raises(BadInputError):
        read_texts(tmp_path / "gone.png")


def test_comments_are_read_in_every_spelling():
    from studio.runtime.metadata import decode_comment, encode_comment

    for text in ("plain", "käse", "猫"):
        assert decode_comment(encode_comment(text)) == text
    assert decode_comment(b"UNICODE\0" + "käse".encode("utf-16-le")) == "käse"
    assert decode_comment(b"UNICODE\0" + "käse".encode("utf-16")) == "käse"
    assert decode_comment(b"bare") == "bare"


def png_with(folder, texts):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, "PNG", pnginfo=info)
    path = folder / "made.png"
    path.write_bytes(out.getvalue())
    return path


def test_the_comment_key_is_shared_by_all_single_text_formats(tmp_path):
    path = tmp_path / "x.jpg"
    path.write_bytes(picture_bytes(picture(), "jpeg", recipe_of(ImageRequest("m", seed=3))))
    assert "Seed: 3" in read_texts(path)[COMMENT]
