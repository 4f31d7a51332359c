"""How a picture collection is arranged: what folders, side files and lists say about each picture.

Understood: flat; class folders; ``N_concept`` folders (kohya); ``metadata.jsonl`` and ``metadata.csv`` (imagefolder);
``dataset.json`` (StyleGAN); ``.txt`` and ``.caption`` files beside pictures; ``-masklabel.png`` masks beside pictures.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, cast

from studio.core.errors import BadInputError
from studio.core.findings import Layout, Place, Unused
from studio.runtime.intake_files import Reader
from studio.runtime.pictures import SUFFIXES

CAPTION_SUFFIXES = (".txt", ".caption")
MASK_ENDING = "-masklabel"
_SPLIT_FOLDERS = frozenset(("train", "training", "valid", "validation", "val", "test", "testing", "images", "img"))
_CONCEPT = re.compile(r"(\d{1,4})_(.+)")
_MAX_TEXT_BYTES = 100_000_000
_MAX_CAPTION = 5_000
_MAX_REPEATS = 20
_MAGIC = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_LISTS: dict[str, Layout] = {
    "metadata.jsonl": "metadata.jsonl",
    "captions.jsonl": "metadata.jsonl",
    "metadata.csv": "metadata.csv",
    "dataset.json": "dataset.json",
}
_FILE_KEYS = ("file_name", "file", "filename", "image", "path")
_CAPTION_KEYS = ("caption", "text", "description", "prompt")
_LABEL_KEYS = ("label", "class", "category")
_TAG_KEYS = ("attributes", "tags")
_SUFFIX_WORDS = {
    ".mp4": "a film", ".mov": "a film", ".webm": "a film", ".mid": "a MIDI file", ".midi": "a MIDI file",
    ".wav": "a sound", ".mp3": "a sound", ".pdf": "a PDF document", ".psd": "a Photoshop document",
    ".svg": "an SVG drawing", ".heic": "a HEIC photo; save it as JPEG or PNG", ".zip": "a zip",
}  # fmt: skip


@dataclass(frozen=True)
class Words:
    """What the layout says about one picture."""

    label: str = ""
    caption: str = ""
    attributes: tuple[str, ...] = ()
    repeats: int = 1


@dataclass
class Arranged:
    """Pictures with their words, and files that are neither."""

    layout: Layout
    pictures: list[Place] = field(default_factory=list)
    words: dict[str, Words] = field(default_factory=dict)
    unused: list[Unused] = field(default_factory=list)


def arrange(places: Iterable[Place], reader: Reader) -> Arranged:
    """Guess the layout from names and lists; no picture is decoded."""
    by_name = {place.shown: place for place in places}
    candidates = [place for place in by_name.values() if _is_picture_name(place.shown)]
    unused: list[Unused] = []
    masks = _masks(candidates, unused)
    pictures = [place for place in candidates if place.shown not in masks]
    rest = [place for place in by_name.values() if not _is_picture_name(place.shown)]
    unknown = (place for place in rest if _suffix(place.shown) not in _SUFFIX_WORDS and not _is_text(place))
    pictures += [place for place in unknown if _begins_like_a_picture(place, reader)]
    pictures.sort(key=lambda place: place.shown)
    names = {place.shown for place in pictures}
    listed, layout, consumed = _from_lists(rest, names, unused, reader)
    folders = _from_folders(pictures)
    captions, side_files = _captions(pictures, by_name, unused, reader)
    arranged = Arranged(layout or folders[0], pictures=pictures, unused=unused)
    for place in pictures:
        arranged.words[place.shown] = _joined(
            listed.get(place.shown), folders[1].get(place.shown), captions.get(place.shown, "")
        )
    done = names | masks | consumed | side_files
    unused += [Unused(place.shown, _why_not(place.shown)) for place in rest if place.shown not in done]
    return arranged


def _is_picture_name(shown: str) -> bool:
    return _suffix(shown) in SUFFIXES


def _suffix(shown: str) -> str:
    return PurePosixPath(shown).suffix.lower()


def _is_text(place: Place) -> bool:
    return _suffix(place.shown) in (*CAPTION_SUFFIXES, ".json", ".jsonl", ".csv", ".md", ".html", ".xml", ".py")


def _begins_like_a_picture(place: Place, reader: Reader) -> bool:
    try:
        head = reader.head(place, size=16)
    except BadInputError:
        return False
    return head.startswith(_MAGIC) or head[8:12] in (b"WEBP", b"avif")


def _why_not(shown: str) -> str:
    suffix = _suffix(shown)
    if suffix in CAPTION_SUFFIXES:
        return "a text without a picture of its name"
    words = _SUFFIX_WORDS.get(suffix)
    return f"not a picture: {words}" if words else "not a picture"


def _masks(candidates: list[Place], unused: list[Unused]) -> set[str]:
    masks = {place.shown for place in candidates if PurePosixPath(place.shown).stem.lower().endswith(MASK_ENDING)}
    unused += [Unused(name, "a mask; masks are not used yet") for name in sorted(masks)]
    return masks


def _from_folders(pictures: list[Place]) -> tuple[Layout, dict[str, Words]]:
    """Class or concept folders: the nearest folder that is not merely called train, valid, images ..."""
    nearest = {place.shown: _nearest_folder(place.shown) for place in pictures}
    folders = {folder for folder in nearest.values() if folder}
    concepts = {folder: match for folder in folders if (match := _CONCEPT.fullmatch(folder))}
    if folders and len(concepts) == len(folders):
        least = max(1, min(int(match[1]) for match in concepts.values()))
        words = {
            folder: Words(match[2].replace("_", " "), repeats=min(_MAX_REPEATS, max(1, round(int(match[1]) / least))))
            for folder, match in concepts.items()
        }
        return "N_concept folders", {shown: words[folder] for shown, folder in nearest.items() if folder}
    if len(folders) < 2:
        return "flat", {}
    return "class folders", {shown: Words(folder) for shown, folder in nearest.items() if folder}


def _nearest_folder(shown: str) -> str:
    for part in reversed(PurePosixPath(shown).parts[:-1]):
        if part.lower() not in _SPLIT_FOLDERS:
            return part
    return ""


def _captions(
    pictures: list[Place], by_name: Mapping[str, Place], unused: list[Unused], reader: Reader
) -> tuple[dict[str, str], set[str]]:
    captions: dict[str, str] = {}
    taken: set[str] = set()
    for place in pictures:
        path = PurePosixPath(place.shown)
        for suffix in CAPTION_SUFFIXES:
            for name in (str(path.with_suffix(suffix)), f"{path}{suffix}"):
                side = by_name.get(name)
                if side is None or name in taken:
                    continue
                taken.add(name)
                text = _text(side, unused, reader)
                if text and place.shown not in captions:
                    captions[place.shown] = " ".join(text.split())[:_MAX_CAPTION]
    return captions, taken


def _text(place: Place, unused: list[Unused], reader: Reader) -> str:
    try:
        data = reader.read(place, limit=_MAX_TEXT_BYTES)
    except BadInputError as error:
        unused.append(Unused(place.shown, error.message))
        return ""
    return data.decode("utf-8-sig", errors="replace")


def _from_lists(
    rest: list[Place], pictures: set[str], unused: list[Unused], reader: Reader
) -> tuple[dict[str, Words], Layout | None, set[str]]:
    """Words from metadata files; the kind of the first that named a picture; the names of all that were read."""
    words: dict[str, Words] = {}
    layout: Layout | None = None
    consumed: set[str] = set()
    for place in rest:
        path = PurePosixPath(place.shown)
        kind = _LISTS.get(path.name.lower())
        if kind is None:
            continue
        consumed.add(place.shown)
        rows = _rows(kind, _text(place, unused, reader), place, unused)
        found = {name: said for row in rows for name, said in _said(row, path.parent, pictures)}
        if found:
            layout = layout or kind
            words.update(found)
        else:
            unused.append(Unused(place.shown, "a list that names none of the pictures"))
    return words, layout, consumed


def _rows(kind: Layout, text: str, place: Place, unused: list[Unused]) -> list[dict[str, Any]]:
    try:
        if kind == "metadata.jsonl":
            values = [json.loads(line) for line in text.splitlines() if line.strip()]
        elif kind == "metadata.csv":
            values = list(csv.DictReader(io.StringIO(text)))
        else:
            values = _dataset_rows(json.loads(text))
    except (ValueError, csv.Error, RecursionError) as error:
        unused.append(Unused(place.shown, f"a list that cannot be read: {error}"))
        return []
    return [cast("dict[str, Any]", value) for value in values if isinstance(value, dict)]


def _dataset_rows(value: Any) -> list[Any]:
    """Rows of a ``dataset.json``: StyleGAN's ``{"labels": [[file, class], ...]}``, a list of rows, or file to row."""
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        labels = table.get("labels")
        if isinstance(labels, list):
            pairs = [pair for pair in cast("list[Any]", labels) if isinstance(pair, list)]
            return [
                {"file": pair[0], "label": _class_name(pair[1])} for pair in pairs if len(cast("list[Any]", pair)) == 2
            ]
        return [{"file": name, **row} for name, row in table.items() if isinstance(row, dict)]
    return cast("list[Any]", value) if isinstance(value, list) else []


def _class_name(value: Any) -> str:
    """A class as words: an index, a name, or a one-hot list."""
    if isinstance(value, list):
        numbers = cast("list[Any]", value)
        return str(numbers.index(max(numbers))) if numbers and all(isinstance(n, int | float) for n in numbers) else ""
    return "" if value is None else str(value)


def _said(row: dict[str, Any], folder: PurePosixPath, pictures: set[str]) -> list[tuple[str, Words]]:
    name = next((str(row[key]) for key in _FILE_KEYS if row.get(key)), "")
    shown = str(folder / PurePosixPath(name.replace("\\", "/")))
    if not name or shown not in pictures:
        return []
    caption = next((str(row[key]) for key in _CAPTION_KEYS if row.get(key)), "")
    label = next((_class_name(row[key]) for key in _LABEL_KEYS if row.get(key) is not None), "")
    tags = next((row[key] for key in _TAG_KEYS if row.get(key)), ())
    return [(shown, Words(label, " ".join(caption.split())[:_MAX_CAPTION], _tags(tags)))]


def _tags(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else cast("list[Any]", value) if isinstance(value, list) else []
    return tuple(dict.fromkeys(str(part).strip() for part in parts if str(part).strip()))


def _joined(listed: Words | None, folder: Words | None, caption: str) -> Words:
    """A list knows best, then the folder, then the side file."""
    listed, folder = listed or Words(), folder or Words()
    return Words(
        label=listed.label or folder.label,
        caption=listed.caption or caption,
        attributes=listed.attributes,
        repeats=folder.repeats,
    )
