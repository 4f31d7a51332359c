"""What lies in a drop is understood, and every file that is not used is named with its reason."""

import json
import os
import stat
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.core.cancel import CancelToken
from studio.core.errors import BadInputError, CancelledError
from studio.runtime.intake import quietly, understand


def picture(path: Path, seed: int = 0, size: tuple[int, int] = (40, 40), mode: str = "RGB") -> Path:
    """Large blocks of colour, so that different seeds never look alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST).convert(mode).save(path)
    return path


def look(*paths: Path, cancel: CancelToken | None = None, progress=quietly):
    return understand(paths, progress, cancel or CancelToken())


def reasons(found) -> dict[str, str]:
    return {unused.shown: unused.reason for unused in found.unused}


def test_flat_folder_with_litter(tmp_path):
    for i in range(5):
        picture(tmp_path / "mine" / f"p{i}.png", i)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", ".hidden.png"):
        (tmp_path / "mine" / name).write_bytes(b"litter")
    (tmp_path / "mine" / "notes.docx").write_bytes(b"words")
    found = look(tmp_path / "mine")
    assert found.layout == "flat"
    assert found.sentence == "5 pictures, all in one place. 1 file is not used."
    assert reasons(found) == {"mine/notes.docx": "not a picture"}
    assert found.name == "mine"


def test_class_folders_dropped_as_one_or_side_by_side(tmp_path):
    for i in range(6):
        picture(tmp_path / "pets" / ("cats" if i % 2 else "dogs") / f"{i}.png", i)
    together = look(tmp_path / "pets")
    apart = look(tmp_path / "pets" / "cats", tmp_path / "pets" / "dogs")
    for found in (together, apart):
        assert found.layout == "class folders"
        assert found.labels == {"cats": 3, "dogs": 3}
    assert "2 classes: cats 3, dogs 3" in together.sentence


def test_split_folders_are_no_classes(tmp_path):
    for i, folder in enumerate(("train/a", "train/b", "valid/a")):
        picture(tmp_path / "set" / folder / "x.png", i)
    assert look(tmp_path / "set").labels == {"a": 2, "b": 1}
    for i, folder in enumerate(("train", "test")):
        picture(tmp_path / "plain" / folder / "x.png", i)
    assert look(tmp_path / "plain").layout == "flat"


def test_side_files_give_captions(tmp_path):
    for i in range(3):
        picture(tmp_path / "d" / f"{i}.png", i)
    (tmp_path / "d" / "0.txt").write_text("a red  square\n", encoding="utf-8")
    (tmp_path / "d" / "1.caption").write_text("\ufeffein grünes Haus", encoding="utf-8")
    (tmp_path / "d" / "9.txt").write_text("lost", encoding="utf-8")
    found = look(tmp_path / "d")
    assert [item.caption for item in found.items] == ["a red square", "ein grünes Haus", ""]
    assert reasons(found) == {"d/9.txt": "a text without a picture of its name"}
    assert found.statistics.captions == 2


def test_concept_folders(tmp_path):
    picture(tmp_path / "k" / "10_my_cat" / "0.png", 0)
    picture(tmp_path / "k" / "30_dog" / "1.png", 1)
    found = look(tmp_path / "k")
    assert found.layout == "N_concept folders"
    assert {(item.label, item.repeats) for item in found.items} == {("my cat", 1), ("dog", 3)}
    single = look(tmp_path / "k" / "10_my_cat")
    assert single.layout == "N_concept folders"
    assert single.items[0].label == "my cat"


def test_metadata_jsonl_and_csv(tmp_path):
    for i in range(3):
        picture(tmp_path / "j" / f"{i}.png", i)
        picture(tmp_path / "c" / "img" / f"{i}.png", i)
    rows = [{"file_name": "0.png", "text": "zero", "label": "x"}, {"file_name": "1.png", "tags": ["a", "b"]}, [1]]
    (tmp_path / "j" / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = look(tmp_path / "j")
    assert found.layout == "metadata.jsonl"
    assert [(i.label, i.caption, i.attributes) for i in found.items] == [
        ("x", "zero", ()),
        ("", "", ("a", "b")),
        ("", "", ()),
    ]
    (tmp_path / "c" / "metadata.csv").write_text(
        "file_name,caption\nimg/0.png,null\nimg\\1.png,one\n", encoding="utf-8"
    )
    found = look(tmp_path / "c")
    assert found.layout == "metadata.csv"
    assert [item.caption for item in found.items] == ["null", "one", ""]


@pytest.mark.parametrize(
    "value",
    [
        {"labels": [["00/0.png", 3], ["00/1.png", 4]]},
        {"labels": [["00/0.png", [0, 0, 0, 1, 0]], ["00/1.png", [0, 0, 0, 0, 1]]]},
        [{"file": "00/0.png", "label": 3}, {"file": "00/1.png", "label": "4"}],
        {"00/0.png": {"label": 3}, "00/1.png": {"class": 4}},
    ],
)
def test_dataset_json(value, tmp_path):
    for i in range(2):
        picture(tmp_path / "s" / "00" / f"{i}.png", i)
    (tmp_path / "s" / "dataset.json").write_text(json.dumps(value), encoding="utf-8")
    found = look(tmp_path / "s")
    assert found.layout == "dataset.json"
    assert [item.label for item in found.items] == ["3", "4"]


@pytest.mark.parametrize("text", ["{", "[" * 5000, '{"labels": null}', '{"labels": [["gone.png", 1]]}', "[[1, 2], 3]"])
def test_broken_lists_are_named(text, tmp_path):
    picture(tmp_path / "s" / "0.png")
    (tmp_path / "s" / "dataset.json").write_text(text, encoding="utf-8")
    found = look(tmp_path / "s")
    assert found.layout == "flat"
    assert "a list that" in reasons(found)["s/dataset.json"]


def test_masks_are_set_aside(tmp_path):
    picture(tmp_path / "m" / "a.png", 0)
    picture(tmp_path / "m" / "a-masklabel.png", 1)
    found = look(tmp_path / "m")
    assert len(found.items) == 1
    assert "mask" in reasons(found)["m/a-masklabel.png"]


def test_bad_pictures_are_named_with_their_reason(tmp_path):
    folder = tmp_path / "d"
    good = picture(folder / "good.png", 1)
    (folder / "empty.png").touch()
    (folder / "cut.png").write_bytes(good.read_bytes()[:60])
    (folder / "letter.png").write_bytes(b"Dear reader")
    (folder / "copy.png").write_bytes(good.read_bytes())
    picture(folder / "dot.png", 2, (5, 4))
    picture(folder / "film.mp4.png", 3).rename(folder / "film.mp4")
    found = look(folder)
    told = reasons(found)
    assert told["empty.png" if "empty.png" in told else "d/empty.png"].startswith("is empty")
    assert "cut off" in told["d/cut.png"] or "damaged" in told["d/cut.png"]
    assert "not a picture" in told["d/letter.png"]
    assert told["d/good.png"] == "the same file as d/copy.png"
    assert "too small: 5 x 4" in told["d/dot.png"]
    assert told["d/film.mp4"] == "not a picture: a film"
    assert len(found.items) == 1


def test_a_picture_without_suffix_is_found_by_content(tmp_path):
    picture(tmp_path / "d" / "a.png").rename(tmp_path / "d" / "scan_001")
    assert len(look(tmp_path / "d").items) == 1


def test_look_alikes_tiny_and_odd_ones(tmp_path):
    folder = tmp_path / "d"
    first = picture(folder / "a.png", 1, (80, 80))
    Image.open(first).convert("RGB").save(folder / "a-again.jpg", quality=80)
    picture(folder / "small.png", 2, (20, 20))
    picture(folder / "long.png", 3, (400, 40))
    Image.new("RGB", (50, 50), "teal").save(folder / "plain.png")
    Image.new("L", (50, 50), 90).save(folder / "grey.png")
    found = look(folder)
    assert [set(group) for group in found.near_duplicates] == [{"d/a.png", "d/a-again.jpg"}]
    assert len({item.group for item in found.items}) == len(found.items) - 1
    assert [unused.shown for unused in found.tiny] == ["d/small.png"]
    assert {unused.shown for unused in found.odd} == {"d/long.png", "d/plain.png", "d/grey.png"}
    assert found.statistics.grey_share == pytest.approx(1 / 6)
    assert found.statistics.largest_px == (400, 40)


def test_exif_rotated_size_is_the_upright_one(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 20), "red").save(tmp_path / "r.jpg", exif=exif)
    item = look(tmp_path / "r.jpg").items[0]
    assert (item.width_px, item.height_px) == (20, 60)


def test_unicode_names(tmp_path):
    names = ["Übung.png", "漢字.png", "🎨 art.png", "dots. .png"]
    for i, name in enumerate(names):
        picture(tmp_path / "наборы" / name, i)
    assert {item.place.shown for item in look(tmp_path / "наборы").items} == {f"наборы/{name}" for name in names}


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_zip_is_read_in_place(tmp_path):
    data = [picture(tmp_path / "src" / f"{i}.png", i).read_bytes() for i in range(3)]
    path = zipped(
        tmp_path / "all.zip",
        {
            "top/cats/0.png": data[0], "top/dogs/1.png": data[1], "__MACOSX/top/._0.png": b"x", "top/.DS_Store": b"x",
            "../evil.png": data[2], "/abs.png": data[2], "C:\\x.png": data[2], "top/inner.zip": b"PK\x03\x04",
        },
    )  # fmt: skip
    link = zipfile.ZipInfo("top/cats/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    before = sorted(tmp_path.rglob("*"))
    found = look(path)
    assert found.labels == {"cats": 1, "dogs": 1}
    assert sorted(reasons(found).values()) == [
        "a link inside a zip is not followed", "a zip inside a zip is not opened",
        "its path leaves the zip", "its path leaves the zip", "its path leaves the zip",
    ]  # fmt: skip
    assert sorted(tmp_path.rglob("*")) == before


def test_zip_bombs_and_damage_are_refused(tmp_path):
    bomb = zipped(tmp_path / "bomb.zip", {"a.png": b"\0" * 100_000_000})
    with pytest.raises(BadInputError, match="would unpack"):
        look(bomb)
    (tmp_path / "torn.zip").write_bytes(bomb.read_bytes()[:500])
    with pytest.raises(BadInputError, match="not a whole zip"):
        look(tmp_path / "torn.zip")
    data = picture(tmp_path / "x" / "a.png").read_bytes()
    stored = tmp_path / "flip.zip"
    with zipfile.ZipFile(stored, "w") as archive:
        archive.writestr("a.png", data)
        archive.writestr("b.png", picture(tmp_path / "x" / "b.png", 2).read_bytes())
    raw = bytearray(stored.read_bytes())
    raw[60] ^= 0xFF
    stored.write_bytes(raw)
    found = look(stored)
    assert reasons(found) == {"flip/a.png": "damaged inside its zip"}


def test_a_zip_inside_a_dropped_folder_is_read(tmp_path):
    data = picture(tmp_path / "x" / "a.png").read_bytes()
    (tmp_path / "box").mkdir()
    zipped(tmp_path / "box" / "images.zip", {"a.png": data})
    (tmp_path / "box" / "bad.zip").write_bytes(b"PK nothing")
    found = look(tmp_path / "box")
    assert len(found.items) == 1
    assert "not a whole zip" in reasons(found)["box/bad.zip"]


@pytest.mark.parametrize("files", [{}, {"a.docx": b"x", "b.png": b""}])
def test_nothing_usable(files, tmp_path):
    folder = tmp_path / "nothing"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with pytest.raises(BadInputError, match=r"nothing is empty|None of the 2 files in nothing is a usable picture"):
        look(folder)


def test_missing_and_no_paths(tmp_path):
    with pytest.raises(BadInputError, match="Nothing was dropped"):
        look()
    with pytest.raises(BadInputError, match="does not exist"):
        look(tmp_path / "gone")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files_are_named(tmp_path):
    picture(tmp_path / "d" / "a.png", 0)
    picture(tmp_path / "d" / "b.png", 1).chmod(0)
    assert "cannot be opened" in reasons(look(tmp_path / "d"))["d/b.png"]


def test_cancel_and_progress(tmp_path):
    for i in range(6):
        picture(tmp_path / "d" / f"{i}.png", i)
    seen: list[tuple[int, int]] = []
    look(tmp_path / "d", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (6, 6)
    cancel = CancelToken()
    with pytest.raises(CancelledError):
        look(tmp_path / "d", cancel=cancel, progress=lambda done, total: cancel.cancel() if done == 2 else None)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_thousand_files_with_five_percent_broken(tmp_path):
    folder = tmp_path / "many"
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(10_000):
        path = folder / f"{i:05d}.jpg"
        blocks = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        blocks.resize((256, 256), Image.Resampling.BILINEAR).save(path, quality=85)
        if i % 20 == 0:
            path.write_bytes(path.read_bytes()[: 40 + i % 700])
    began = time.monotonic()
    found = look(folder)
    assert time.monotonic() - began <= 180
    assert len(found.unused) == 500
    assert len(found.items) == 9_500
