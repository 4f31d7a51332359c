"""Reading the public pictures: attributes from pixels and captions, splits, premultiplied scaling."""

import gzip
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from models.starters.looks import looks
from models.starters.preparation import classes_of, prepare_data, prepare_run
from models.starters.recipes import RECIPES
from models.starters.sources import SOURCES, kind, scaled
from studio.core.dataset import read_items
from studio.core.errors import BadInputError


def disc(colour: tuple[int, int, int], *, side: int = 64) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side] - side / 2 + 0.5
    picture = np.zeros((side, side, 4), np.uint8)
    picture[rows**2 + columns**2 < (0.4 * side) ** 2] = (*colour, 255)
    return picture


@pytest.mark.parametrize(
    ("colour", "name"),
    [((220, 20, 30), "Red"), ((250, 220, 30), "Yellow"), ((30, 160, 60), "Green"), ((40, 90, 230), "Blue")],
)
def test_colours_are_seen_and_a_disc_is_round(colour, name):
    assert {name, "Round"} <= set(looks(disc(colour)))
    assert {"Red", "Yellow", "Green", "Blue"} & set(looks(disc(colour))) == {name}


def test_grey_has_no_colour_a_bar_is_not_round_and_nothing_is_nothing():
    assert set(looks(disc((240, 240, 240)))) == {"Bright", "Round"}
    bar = np.zeros((64, 64, 4), np.uint8)
    bar[28:36] = (60, 60, 60, 255)
    assert list(looks(bar)) == []
    assert list(looks(np.zeros((64, 64, 4), np.uint8))) == []


def test_hidden_colour_does_not_bleed_when_a_picture_is_scaled():
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[..., 0] = 255  # red where nothing shows
    picture[:, 3:] = (0, 0, 255, 255)
    small = np.asarray(scaled(Image.fromarray(picture), 4))
    assert small[..., 0][small[..., 3] > 0].max() <= 8


def test_kind_and_style_of_an_emoji():
    line = {"style": "flat", "group": "animals-nature", "subgroup": "animal-bird"}
    assert kind(line) == "Flat nature"
    assert kind({"style": "3d", "group": "smileys-emotion", "subgroup": "cat-face"}) == "3-D face"


@pytest.fixture
def data(tmp_path):
    """A folder of data sets with a few pictures in each."""
    tiles = tmp_path / "dcss-tiles"
    tiles.mkdir()
    lines = []
    with zipfile.ZipFile(tiles / "images.zip", "w") as pack:
        for index in range(6):
            stream = io.BytesIO()
            Image.fromarray(disc((40 * index, 90, 200), side=32)).save(stream, "PNG")
            pack.writestr(f"mon/{index}.png", stream.getvalue())
            group, split = ("wall", "test") if index == 5 else ("monster" if index % 2 else "wall", "train")
            lines.append({"file": f"mon/{index}.png", "caption": "x", "group": group, "tags": [], "split": split})
    (tiles / "captions.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    fashion = tmp_path / "fashion-mnist"
    fashion.mkdir()
    for stem, count in (("train", 4), ("t10k", 2)):
        pixels = np.arange(count * 784, dtype=np.uint8)
        (fashion / f"{stem}-images-idx3-ubyte.gz").write_bytes(gzip.compress(bytes(16) + pixels.tobytes()))
        labels = np.arange(count, dtype=np.uint8)
        (fashion / f"{stem}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(bytes(8) + labels.tobytes()))
    return tmp_path


def test_tiles_become_a_prepared_data_set_with_classes(data, tmp_path):
    folder = tmp_path / "prepared"
    prepare_data(RECIPES["tiles-gan"], data, folder)
    items = read_items(folder)
    assert [item.split for item in items] == ["train"] * 5 + ["valid"]
    assert {item.label for item in items} == {"monster", "wall"}
    with Image.open(folder / items[0].file) as picture:
        assert (picture.size, picture.mode) == ((32, 32), "RGBA")


def test_an_unconditional_starter_keeps_its_classes_for_the_measurements_alone(data, tmp_path):
    folder = tmp_path / "prepared"
    prepare_data(RECIPES["fashion-map"], data, folder)
    items = read_items(folder)
    assert {item.label for item in items} == {""}
    assert classes_of(folder)[items[1].file] == "Trouser"
    with Image.open(folder / items[0].file) as picture:
        assert np.asarray(picture)[0].max() == 0  # the margin
        assert picture.size == (32, 32)


def test_a_second_preparation_changes_nothing(data, tmp_path):
    folder = tmp_path / "prepared"
    prepare_data(RECIPES["fashion-map"], data, folder)
    before = (folder / "items.jsonl").stat().st_mtime_ns
    prepare_data(RECIPES["fashion-map"], tmp_path / "gone", folder)
    assert (folder / "items.jsonl").stat().st_mtime_ns == before


def test_missing_data_is_a_sentence_with_a_hint(tmp_path):
    with pytest.raises(BadInputError, match="cannot be read") as caught:
        list(SOURCES["tiles"](tmp_path, 32))
    assert "REVERIE_DATA" in caught.value.hint


def test_every_recipe_names_its_data_licence_and_a_known_source():
    assert set(RECIPES) == {"fashion-map", "emoji-vae", "tiles-gan", "tiles-diffusion", "emoji-diffusion"}
    for recipe in RECIPES.values():
        assert recipe.source in SOURCES
        assert recipe.licence in {"MIT", "CC0-1.0"}
        assert recipe.credit
        assert str(recipe.size_px) in recipe.layout


def test_a_run_is_written_with_the_recipes_settings(tmp_path):
    prepare_run(RECIPES["emoji-diffusion"], tmp_path / "data", tmp_path / "run", steps=12, threads=1)
    spec = json.loads((tmp_path / "run" / "spec.json").read_text())
    assert (spec["family"], spec["settings"]["steps"], spec["config"]["patch"]) == ("DDM", 12, 2)
