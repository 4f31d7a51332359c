"""A prepared data set is of one size, split by content, whole or absent."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.core.cancel import CancelToken
from studio.core.dataset import read_items
from studio.core.errors import BadInputError, CancelledError, StorageError
from studio.core.manifest import Size
from studio.runtime.intake import quietly, understand
from studio.runtime.pixels import to_model
from studio.runtime.prepare import fitted, prepare, valid_groups

SIZE = Size(width_px=16, height_px=16, channels=3)


def picture(path, seed, size=(40, 40), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST).convert(mode).save(path)
    return path


def found_in(folder):
    return understand([folder], quietly, CancelToken())


def ready(found, target, *, mode="crop", size=SIZE, cancel=None, progress=quietly):
    return prepare(found, size, target, mode=mode, progress=progress, cancel=cancel or CancelToken())


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_writes_what_the_trainer_reads(channels, mode, tmp_path):
    for i in range(12):
        picture(tmp_path / "in" / ("a" if i % 2 else "b") / f"{i}.png", i)
    made = ready(found_in(tmp_path / "in"), tmp_path / "run" / "data", size=Size(16, 16, channels))
    items = read_items(made.folder)
    assert len(items) == 12
    assert (made.train, made.valid) == (sum(i.split == "train" for i in items), sum(i.split == "valid" for i in items))
    assert made.valid >= 1
    assert {item.label for item in items} == {"a", "b"}
    for item in items:
        with Image.open(made.folder / item.file) as written:
            assert (written.mode, written.size) == (mode, (16, 16))
            assert to_model(np.asarray(written.convert("RGBA")), channels).shape == (channels, 16, 16)


def test_same_input_same_bytes_and_the_hash_is_of_all_files(tmp_path):
    for i in range(8):
        picture(tmp_path / "in" / f"{i}.png", i)
    one = ready(found_in(tmp_path / "in"), tmp_path / "one")
    two = ready(found_in(tmp_path / "in"), tmp_path / "two")
    assert one.sha256 == two.sha256
    hashes = [hashlib.sha256((one.folder / "items.jsonl").read_bytes()).digest()]
    hashes += [hashlib.sha256((one.folder / item.file).read_bytes()).digest() for item in read_items(one.folder)]
    assert one.sha256 == hashlib.sha256(b"".join(hashes)).hexdigest()
    picture(tmp_path / "in" / "0.png", 99)
    assert ready(found_in(tmp_path / "in"), tmp_path / "three").sha256 != one.sha256


def test_split_does_not_depend_on_names_and_keeps_look_alikes_together(tmp_path):
    for i in range(40):
        path = picture(tmp_path / "in" / f"{i}.png", i, (64, 64))
        with Image.open(path) as image:
            image.resize((60, 60)).save(tmp_path / "in" / f"{i}-again.png")
    found = found_in(tmp_path / "in")
    assert len({item.group for item in found.items}) == 40
    held = valid_groups(found.items)
    assert 1 <= len(held) <= 10
    sides = {}
    for item in read_items(ready(found, tmp_path / "data").folder):
        sides.setdefault(item.source.split("/")[-1].split("-")[0].removesuffix(".png"), set()).add(item.split)
    assert all(len(side) == 1 for side in sides.values())
    (tmp_path / "in").rename(tmp_path / "renamed")
    assert valid_groups(found_in(tmp_path / "renamed").items) == held


def test_two_pictures_are_split_and_one_is_refused(tmp_path):
    picture(tmp_path / "in" / "a.png", 1)
    with pytest.raises(BadInputError, match="two different pictures"):
        ready(found_in(tmp_path / "in"), tmp_path / "data")
    assert not (tmp_path / "data").exists()
    picture(tmp_path / "in" / "b.png", 2)
    made = ready(found_in(tmp_path / "in"), tmp_path / "data")
    assert (made.train, made.valid) == (1, 1)


def test_modes():
    wide = np.zeros((10, 30, 4), np.uint8)
    wide[..., 3] = 255
    wide[:, 10:20, 0] = 255
    crop = fitted(wide, Size(10, 10, 3), "crop")
    assert crop[..., 0].min() == 255
    stretch = fitted(wide, Size(12, 12, 3), "stretch")
    assert stretch[6, 6, 0] > 200
    assert stretch[6, 0, 0] < 50
    pad = fitted(wide, Size(30, 30, 4), "pad")
    assert pad[0, 0].tolist() == [0, 0, 0, 0]
    assert pad[15, 15].tolist() == [255, 0, 0, 255]
    solid = fitted(wide, Size(30, 30, 3), "pad")
    assert solid[0, 0].tolist() == [0, 0, 0, 255]


def test_transparency_is_laid_on_white_and_colour_under_it_does_not_bleed():
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:, :4] = (255, 0, 0, 255)
    pixels[:, 4:] = (0, 255, 0, 0)
    flat = fitted(pixels, Size(4, 4, 3), "crop")
    assert flat[0, 3].tolist() == [255, 255, 255, 255]
    assert fitted(pixels, Size(4, 4, 4), "crop")[..., 1].max() <= 1


def test_repeats_count_in_training_only(tmp_path):
    for i in range(10):
        picture(tmp_path / "in" / ("1_cat" if i < 5 else "3_dog") / f"{i}.png", i)
    items = read_items(ready(found_in(tmp_path / "in"), tmp_path / "data").folder)
    for source in {item.source for item in items}:
        lines = [item for item in items if item.source == source]
        assert len(lines) == (3 if "dog" in source and lines[0].split == "train" else 1)


def test_files_that_vanish_are_named(tmp_path):
    for i in range(8):
        picture(tmp_path / "in" / f"{i}.png", i)
    found = found_in(tmp_path / "in")
    gone = next(item for item in found.items if item.group not in valid_groups(found.items))
    Path(gone.place.path).unlink()
    made = ready(found, tmp_path / "data")
    assert made.failed == (gone.place.shown,)
    assert made.train + made.valid == 7


def test_cancel_leaves_nothing(tmp_path):
    for i in range(6):
        picture(tmp_path / "in" / f"{i}.png", i)
    cancel = CancelToken()
    with pytest.raises(CancelledError):
        ready(
            found_in(tmp_path / "in"),
            tmp_path / "run" / "data",
            cancel=cancel,
            progress=lambda done, _: cancel.cancel() if done == 2 else None,
        )
    assert list((tmp_path / "run").iterdir()) == []


def test_full_disk_says_what_is_needed(tmp_path, monkeypatch):
    for i in range(4):
        picture(tmp_path / "in" / f"{i}.png", i)
    found = found_in(tmp_path / "in")

    def full(_path, _data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(StorageError, match="is full"):
        ready(found, tmp_path / "data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_folder_that_cannot_be_written(tmp_path):
    for i in range(4):
        picture(tmp_path / "in" / f"{i}.png", i)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        ready(found_in(tmp_path / "in"), tmp_path / "file" / "data")
