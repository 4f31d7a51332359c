from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.core.errors import BadInputError, StorageError
from studio.core.gallery import Entry
from studio.runtime.film import open_film
from studio.runtime.inputs import InputStore
from studio.runtime.pictures import read_picture
from studio.runtime.thumbnails import SIDE_PX, Thumbnails
from tests.studio.runtime.gallery_tools import pixels


def entry(path, size, kind="picture"):
    return Entry(1, str(path), kind, 0.0, size[0], size[1])


def test_tiny_pictures_are_their_own_thumbnail(tmp_path):
    Image.fromarray(pixels(1, 32)).save(tmp_path / "a.png")
    thumbnails = Thumbnails(tmp_path / "cache")
    assert np.array_equal(thumbnails.load(entry(tmp_path / "a.png", (32, 32))), pixels(1, 32))
    assert not (tmp_path / "cache").exists()


def test_large_pictures_are_shrunk_once(tmp_path, monkeypatch):
    Image.new("RGBA", (800, 400), (10, 200, 30, 255)).save(tmp_path / "a.png")
    thumbnails = Thumbnails(tmp_path / "cache")
    first = thumbnails.load(entry(tmp_path / "a.png", (800, 400)))
    assert first.shape == (SIDE_PX // 2, SIDE_PX, 4)
    monkeypatch.setattr("studio.runtime.thumbnails._whole", lambda *_: pytest.fail("it was made twice"))
    assert np.array_equal(thumbnails.load(entry(tmp_path / "a.png", (800, 400))), first)


def test_a_damaged_cache_is_made_anew(tmp_path):
    Image.new("RGB", (800, 400)).save(tmp_path / "a.png")
    thumbnails = Thumbnails(tmp_path / "cache")
    thumbnails.load(entry(tmp_path / "a.png", (800, 400)))
    kept = next((tmp_path / "cache").rglob("*.png"))
    kept.write_bytes(b"junk")
    assert thumbnails.load(entry(tmp_path / "a.png", (800, 400))).shape[1] == SIDE_PX


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_films_show_their_first_frame(tmp_path, suffix):
    writer = open_film(tmp_path / f"f{suffix}", fps=12)
    frame = np.full((32, 32, 4), 255, np.uint8)
    frame[..., :3] = (250, 20, 20)
    writer.add(frame)
    writer.add(np.full((32, 32, 4), 255, np.uint8))
    found = Thumbnails(tmp_path / "cache").load(entry(writer.finish(), (256, 256), "film"))
    assert found.shape == (256, 256, 4)
    assert np.abs(found[9, 9, :3].astype(int) - (250, 20, 20)).max() < 12


def test_a_missing_file_and_a_cache_that_cannot_be_written(tmp_path):
    with pytest.raises(BadInputError):
        Thumbnails(tmp_path / "cache").load(entry(tmp_path / "gone.png", (900, 900)))
    Image.new("RGB", (800, 400)).save(tmp_path / "a.png")
    (tmp_path / "file").write_text("in the way")
    assert Thumbnails(tmp_path / "file").load(entry(tmp_path / "a.png", (800, 400))).shape[1] == SIDE_PX


def test_inputs_are_kept_once_by_content(tmp_path):
    store = InputStore(tmp_path / "inputs")
    first, again, other = store.put(pixels(1)), store.put(pixels(1)), store.put(pixels(2))
    assert first == again != other
    assert np.array_equal(read_picture(Path(first)), pixels(1))
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError):
        InputStore(tmp_path / "file").put(pixels(1))
