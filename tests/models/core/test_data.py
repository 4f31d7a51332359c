import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.core.data import augmented, draw_indices, load_dataset
from studio.core.dataset import ITEMS_NAME, Item, encode_items
from studio.core.errors import TrainingError
from studio.runtime.pixels import to_model
from tests.models.core.tiny_family import make_data


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_are_what_the_studio_gives_a_network(tmp_path: Path, channels: int) -> None:
    data = load_dataset(make_data(tmp_path / "data", channels=channels))
    assert data.facts.channels == channels
    picture = np.asarray(Image.open(tmp_path / "data" / "0.png").convert("RGBA"))
    exact = to_model(picture, channels)
    # Bytes are kept, so half a step of 255 is the most that may be lost; opaque pictures lose nothing.
    assert np.abs(data.images("train")[0].numpy() - exact).max() <= (0.5 / 127.5 + 1e-6 if channels == 4 else 1e-6)
    assert data.images("train").dtype == torch.float32
    assert float(data.images("train").abs().max()) <= 1.0


def test_splits_labels_and_attributes(tmp_path: Path) -> None:
    data = load_dataset(make_data(tmp_path / "data", items=10))
    assert (data.count("train"), data.count("valid"), data.facts.items) == (8, 2, 10)
    assert data.facts.labels == ("a", "b")
    assert data.labels("train")[:3].tolist() == [[1, 0], [0, 1], [1, 0]]
    assert data.attributes("train")[:3].tolist() == [[False], [True], [False]]
    batch = data.batch("train", torch.tensor([2, 2, 0]))
    assert torch.equal(batch.images[0], data.images("train")[2])
    assert batch.labels.shape == (3, 2)


def test_classes_of_a_base_keep_its_order_and_unknown_ones_are_zeros(tmp_path: Path) -> None:
    data = load_dataset(make_data(tmp_path / "data"), channels=4, labels=("x", "b"))
    assert data.images("train").shape[1] == 4
    assert data.labels("train")[:2].tolist() == [[0, 0], [0, 1]]


def test_without_classes_labels_have_no_columns(tmp_path: Path) -> None:
    folder = make_data(tmp_path / "data")
    (folder / ITEMS_NAME).write_bytes(encode_items((Item("0.png"), Item("1.png"))))
    data = load_dataset(folder)
    assert data.labels("train").shape == (2, 0)
    assert data.count("valid") == 0
    assert data.labels("valid").shape == (0, 0)


def test_the_digest_follows_every_file(tmp_path: Path) -> None:
    folder = make_data(tmp_path / "data")
    first = load_dataset(folder).digest
    assert load_dataset(folder).digest == first
    Image.new("RGB", (8, 8)).save(folder / "3.png")
    assert load_dataset(folder).digest != first


def _missing(folder: Path) -> None:
    (folder / "1.png").unlink()


def _broken(folder: Path) -> None:
    (folder / "1.png").write_bytes(b"\x89PNG\r\n\x1a\nno")


def _other_size(folder: Path) -> None:
    Image.new("RGB", (9, 8)).save(folder / "1.png")


def _nothing_to_train_on(folder: Path) -> None:
    (folder / ITEMS_NAME).write_bytes(encode_items((Item("0.png", split="valid"),)))


def _gone(folder: Path) -> None:
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("damage", "words"),
    [(_missing, "cannot be read"), (_broken, "cannot be read"), (_other_size, "9 x 8"),
     (_nothing_to_train_on, "no training pictures"), (_gone, "cannot be read")],
)  # fmt: skip
def test_a_bad_data_set_is_a_sentence(tmp_path: Path, damage, words: str) -> None:
    folder = make_data(tmp_path / "data")
    damage(folder)
    with pytest.raises(TrainingError, match=words):
        load_dataset(folder)


def test_every_picture_comes_once_an_epoch_in_a_new_order() -> None:
    rows = torch.cat([draw_indices(step, items=10, batch=4, seed=3) for step in range(10)])
    epochs = rows.reshape(4, 10)
    assert all(sorted(epoch.tolist()) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch.tolist()) for epoch in epochs}) == 4
    assert torch.equal(draw_indices(7, items=10, batch=4, seed=3), rows[28:32])
    assert draw_indices(0, items=3, batch=8, seed=0).shape == (8,)


def test_augmentation_is_drawn_from_the_generator_alone() -> None:
    images = torch.rand(16, 3, 6, 6)
    settings = {"flip": True, "shift_px": 2}
    one = augmented(images, settings, torch.Generator().manual_seed(5))
    assert torch.equal(one, augmented(images, settings, torch.Generator().manual_seed(5)))
    assert not torch.equal(one, augmented(images, settings, torch.Generator().manual_seed(6)))
    assert one.shape == images.shape
    rng = torch.Generator().manual_seed(5)
    before = rng.get_state()
    assert torch.equal(augmented(images, {"flip": False, "shift_px": 0}, rng), images)
    assert torch.equal(rng.get_state(), before)


def test_mirroring_flips_half_and_shifting_stays_inside() -> None:
    images = torch.arange(36.0).reshape(1, 1, 6, 6).repeat(200, 1, 1, 1)
    flipped = augmented(images, {"flip": True}, torch.Generator().manual_seed(0))
    mirrored = (flipped == images.flip(3)).flatten(1).all(1).sum()
    assert 70 < int(mirrored) < 130
    shifted = augmented(images, {"shift_px": 1}, torch.Generator().manual_seed(0))
    assert {float(image[0, 3, 3]) for image in shifted} == {21.0 + 6 * y + x for y in (-1, 0, 1) for x in (-1, 0, 1)}


def test_pictures_without_a_class_of_the_base_teach_every_class_in_turn(tmp_path: Path) -> None:
    data = load_dataset(make_data(tmp_path / "data"), labels=("x", "y", "z"))
    rows = torch.zeros(8, dtype=torch.int64)
    drawn = torch.cat([data.batch("train", rows, turn=turn).labels for turn in range(20)])
    assert drawn.sum(dim=1).eq(1).all()
    assert drawn.mean(dim=0).min() > 0.2
    assert torch.equal(data.batch("train", rows, turn=3).labels, data.batch("train", rows, turn=3).labels)
