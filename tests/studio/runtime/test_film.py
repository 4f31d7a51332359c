import errno

import numpy as np
import pytest
from PIL import Image

from studio.core.errors import BadInputError, StorageError
from studio.runtime import film as film_module
from studio.runtime.film import count_frames, enlargement, open_film, read_frames


def frame(colour, size=(32, 32), alpha=255):
    pixels = np.zeros((*size, 4), np.uint8)
    pixels[...] = (*colour, alpha)
    return pixels


def written(path, frames, **options):
    writer = open_film(path, fps=options.pop("fps", 24), **options)
    for each in frames:
        writer.add(each)
    return writer.finish()


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_frames_come_back_in_order_large_enough_to_see(tmp_path, suffix):
    colours = [(250, 10, 10), (10, 250, 10), (10, 10, 250)]
    path = written(tmp_path / f"f{suffix}", [frame(colour) for colour in colours])
    found = list(read_frames(path))
    assert len(found) == 3
    for (pixels, _), colour in zip(found, colours, strict=True):
        assert pixels.shape == (256, 256, 4)
        assert np.abs(pixels[128, 128, :3].astype(int) - colour).max() <= 12
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_gif_keeps_pixels_transparency_time_and_loops(tmp_path):
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(10):
        picture = rng.choice(np.array([0, 60, 128, 255], np.uint8), (8, 8, 4))
        picture[..., 3] = rng.choice(np.array([0, 255], np.uint8), (8, 8))
        pictures.append(picture)
    path = written(tmp_path / "f.gif", pictures, fps=30, scale=1)
    found = list(read_frames(path))
    assert sum(seconds for _, seconds in found) == pytest.approx(10 / 30, abs=0.011)
    for (pixels, _), picture in zip(found, pictures, strict=True):
        seen = picture[..., 3] == 255
        assert np.array_equal(pixels[..., 3] == 255, seen)
        assert np.array_equal(pixels[seen], picture[seen])  # 64 colours at most: no loss
    with Image.open(path) as image:
        assert image.info["loop"] == 0


def test_a_gif_faster_than_gif_can_be_keeps_its_length(tmp_path):
    path = written(tmp_path / "f.gif", [frame((i, 0, 0), (4, 4)) for i in range(120)], fps=120, scale=1)
    assert sum(seconds for _, seconds in read_frames(path)) == pytest.approx(1.0, abs=0.03)


def test_an_mp4_lies_on_its_background_and_has_even_sides(tmp_path):
    path = written(tmp_path / "f.mp4", [frame((9, 9, 9), (5, 7), alpha=0)] * 2, scale=1, background=(250, 0, 0))
    pixels, seconds = next(iter(read_frames(path)))
    assert pixels.shape == (6, 8, 4)
    assert np.abs(pixels[2, 2, :3].astype(int) - (250, 0, 0)).max() <= 12
    assert seconds == pytest.approx(1 / 24)
    assert count_frames(path) == 2


def test_mpeg_4_is_written_where_there_is_no_h264(tmp_path, monkeypatch):
    monkeypatch.setattr(film_module, "_ENCODERS", ("no-such-encoder", "mpeg4"))
    path = written(tmp_path / "f.mp4", [frame((10, 200, 10))] * 3)
    assert len(list(read_frames(path))) == 3


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_an_aborted_film_leaves_nothing(tmp_path, suffix):
    writer = open_film(tmp_path / f"f{suffix}", fps=24)
    writer.add(frame((1, 2, 3)))
    writer.abort()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_frames_of_two_sizes_are_refused(tmp_path, suffix):
    writer = open_film(tmp_path / f"f{suffix}", fps=24)
    writer.add(frame((1, 2, 3), (300, 300)))
    with pytest.raises(BadInputError, match="one size"):
        writer.add(frame((1, 2, 3), (302, 300)))
    writer.abort()


def test_a_film_that_lost_frames_on_a_full_disk_never_gets_its_name(tmp_path, monkeypatch):
    writer = open_film(tmp_path / "f.mp4", fps=24)
    for _ in range(3):
        writer.add(frame((1, 2, 3)))
    monkeypatch.setattr(film_module, "count_frames", lambda path: 2)
    with pytest.raises(StorageError, match="full"):
        writer.finish()
    assert list(tmp_path.iterdir()) == []


def test_a_gif_on_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path):
    writer = open_film(tmp_path / "f.gif", fps=24)

    class Full:
        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            pass

    writer._stream.close()  # pyright: ignore[reportAttributeAccessIssue]
    writer._stream = Full()  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(StorageError, match="full"):
        writer.add(frame((1, 2, 3)))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_a_sentence(tmp_path):
    for suffix in (".gif", ".mp4"):
        with pytest.raises(StorageError):
            open_film(tmp_path / "gone" / f"f{suffix}", fps=24)


def test_enlargement():
    assert [enlargement(*size) for size in ((32, 32), (64, 20), (300, 10), (256, 256))] == [8, 4, 1, 1]


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\0\0\0\x18ftypisom" + b"\0" * 50, b"junk"])
def test_what_is_no_film_is_refused(tmp_path, content):
    path = tmp_path / "x.gif"
    path.write_bytes(content)
    with pytest.raises(BadInputError):
        list(read_frames(path))
