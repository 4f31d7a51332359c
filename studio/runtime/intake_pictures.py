"""Pictures in a drop: every one decoded once, damaged and equal ones named, look-alikes grouped."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from studio.core.cancel import CancelToken
from studio.core.errors import BadInputError
from studio.core.events import Pixels
from studio.core.findings import FoundItem, Layout, Place, Statistics, Understanding, Unused
from studio.runtime.intake_files import Listing, Progress, Reader
from studio.runtime.intake_layouts import Words, arrange
from studio.runtime.pictures import glance

LEAST_PX = 8
TINY_PX = 32
ODD_RATIO = 3.0
_NEAR_BITS = 4
_STEP = 6.0  # grey levels; without it the noise of flat areas decides
_NEAR_MEAN = 4.0
_LAYOUT_WORDS: dict[Layout, str] = {
    "flat": "all in one place",
    "class folders": "one folder for each class",
    "N_concept folders": "folders named repeats_concept",
    "metadata.jsonl": "described by metadata.jsonl",
    "metadata.csv": "described by metadata.csv",
    "dataset.json": "described by dataset.json",
}


def understand_pictures(listing: Listing, *, progress: Progress, cancel: CancelToken) -> Understanding:
    """Decode and describe all pictures of a listing.

    Raises:
        BadInputError: none of the files can be used.
        CancelledError: cancelled.
    """
    with Reader() as reader:
        arranged = arrange(listing.places, reader)
        unused = [*listing.unused, *arranged.unused]
        looked: list[tuple[FoundItem, Pixels]] = []
        digests: dict[str, str] = {}
        # Of equal files the one that something is said about is kept.
        order = sorted(arranged.pictures, key=lambda place: arranged.words[place.shown] == Words())
        for index, place in enumerate(order):
            cancel.raise_if_cancelled()
            progress(index, len(arranged.pictures))
            found = _look(place, arranged.words[place.shown], reader, digests)
            if isinstance(found, Unused):
                unused.append(found)
            else:
                looked.append(found)
    looked.sort(key=lambda pair: pair[0].place.shown)
    if not looked:
        raise _nothing_usable(listing, unused)
    progress(len(arranged.pictures), len(arranged.pictures))
    return _described(listing, arranged.layout, looked, unused)


def _look(place: Place, words: Words, reader: Reader, digests: dict[str, str]) -> tuple[FoundItem, Pixels] | Unused:
    name = PurePosixPath(place.shown).name
    try:
        data = reader.read(place)
        digest = hashlib.sha256(data).hexdigest()
        twin = digests.get(digest)
        if twin is not None:
            return Unused(place.shown, f"the same file as {twin}")
        seen = glance(data, name)
    except BadInputError as error:
        return Unused(place.shown, error.message.removeprefix(name).strip())
    if min(seen.width_px, seen.height_px) < LEAST_PX:
        return Unused(place.shown, f"too small: {seen.width_px} x {seen.height_px} pixels")
    digests[digest] = place.shown
    item = FoundItem(
        place,
        seen.width_px,
        seen.height_px,
        digest,
        has_alpha=seen.has_alpha,
        grey=seen.grey,
        label=words.label,
        caption=words.caption,
        attributes=words.attributes,
        repeats=words.repeats,
        group=digest,
    )
    return item, seen.small


def _nothing_usable(listing: Listing, unused: list[Unused]) -> BadInputError:
    if not listing.places and not unused:
        return BadInputError(f"{listing.name} is empty: there is no file in it.", "Drop a folder with pictures.")
    reasons = Counter(found.reason.rstrip(".") for found in unused).most_common(3)
    told = "; ".join(f"{count} {'file' if count == 1 else 'files'}: {reason}" for reason, count in reasons)
    return BadInputError(
        f"None of the {len(unused)} files in {listing.name} is a usable picture ({told}).",
        "Drop PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF pictures.",
    )


def _described(
    listing: Listing, layout: Layout, looked: list[tuple[FoundItem, Pixels]], unused: list[Unused]
) -> Understanding:
    groups = near_groups([small for _, small in looked])
    members: dict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        members[group].append(index)
    keys = {group: min(looked[index][0].digest for index in rows) for group, rows in members.items()}
    items = tuple(replace(item, group=keys[group]) for (item, _), group in zip(looked, groups, strict=True))
    alike = tuple(tuple(items[i].place.shown for i in rows) for rows in members.values() if len(rows) > 1)
    labels = dict(sorted(Counter(item.label for item in items if item.label).items()))
    statistics = _statistics(items, sum(len(names) - 1 for names in alike))
    return Understanding(
        medium="pictures",
        layout=layout,
        sentence=_sentence(items, labels, layout, statistics, len(unused)),
        items=items,
        unused=tuple(sorted(unused, key=lambda found: found.shown)),
        labels=labels,
        statistics=statistics,
        near_duplicates=alike,
        tiny=tuple(
            Unused(item.place.shown, f"only {item.width_px} x {item.height_px} pixels")
            for item in items
            if min(item.width_px, item.height_px) < TINY_PX
        ),
        odd=tuple(_odd(items, [small for _, small in looked])),
        name=listing.name,
    )


def _odd(items: Sequence[FoundItem], smalls: Sequence[Pixels]) -> list[Unused]:
    odd: list[Unused] = []
    for item, small in zip(items, smalls, strict=True):
        if max(item.width_px, item.height_px) > ODD_RATIO * min(item.width_px, item.height_px):
            odd.append(Unused(item.place.shown, f"very long: {item.width_px} x {item.height_px} pixels"))
        elif int(np.ptp(small.reshape(-1, 4), axis=0).max()) <= 2:
            odd.append(Unused(item.place.shown, "one colour only"))
    return odd


def _statistics(items: Sequence[FoundItem], near_duplicates: int) -> Statistics:
    sizes = sorted(((item.width_px, item.height_px) for item in items), key=lambda size: size[0] * size[1])
    count = len(items)
    return Statistics(
        smallest_px=sizes[0],
        median_px=sizes[count // 2],
        largest_px=sizes[-1],
        alpha_share=sum(item.has_alpha for item in items) / count,
        grey_share=sum(item.grey for item in items) / count,
        square_share=sum(item.width_px == item.height_px for item in items) / count,
        captions=sum(bool(item.caption) for item in items),
        near_duplicates=near_duplicates,
    )


def _sentence(
    items: Sequence[FoundItem], labels: dict[str, int], layout: Layout, statistics: Statistics, unused: int
) -> str:
    parts = [f"{_count(len(items), 'picture')}, {_LAYOUT_WORDS[layout]}"]
    if labels:
        shown = [f"{name} {count}" for name, count in labels.items()]
        names = ", ".join(shown[:6]) + (f" and {len(shown) - 6} more" if len(shown) > 6 else "")
        parts.append(f" ({_count(len(labels), 'class', 'classes')}: {names})")
    if statistics.captions:
        parts.append(f"; {_count(statistics.captions, 'caption')}")
    if unused:
        parts.append(f". {_count(unused, 'file')} {'is' if unused == 1 else 'are'} not used")
    return "".join(parts) + "."


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def near_groups(smalls: Sequence[Pixels]) -> list[int]:
    """A group number for each ``(16, 16, 4) uint8`` sketch; pictures that look alike get the same.

    Alike: difference hashes (8 x 8 comparisons of neighbours) at most four bits apart, and sketches whose mean
    absolute difference is small. The second look is needed because flat drawings have almost no differences to hash.
    """
    sketches = np.stack(smalls).astype(np.float32)
    alpha = sketches[..., 3:] / 255.0
    # Colour under transparent pixels is arbitrary and must not tell pictures apart.
    flat = np.concatenate([sketches[..., :3] * alpha, sketches[..., 3:]], axis=3, dtype=np.float32)
    grey = flat[..., :3].mean(axis=3).reshape(-1, 8, 2, 8, 2).mean(axis=(2, 4))
    bits = np.concatenate([grey[..., 1:], grey[..., :1]], axis=2) > grey + _STEP
    hashes = np.packbits(bits.reshape(len(smalls), 64), axis=1).view(np.uint64).ravel()
    vectors = flat.reshape(len(smalls), -1)
    means = flat.mean(axis=(1, 2))
    parent = _same_sketch(vectors)
    for index in range(len(smalls)):
        if parent[index] != index:
            continue
        later = slice(index + 1, None)
        near = np.bitwise_count(hashes[later] ^ hashes[index]) <= _NEAR_BITS
        # Cheap bound: the mean difference is never below the difference of the means.
        near &= np.abs(means[later] - means[index]).mean(axis=1) <= _NEAR_MEAN
        for other in (np.flatnonzero(near) + index + 1).tolist():
            if np.abs(vectors[other] - vectors[index]).mean() <= _NEAR_MEAN:
                _join(parent, index, other)
    return [_root(parent, index) for index in range(len(smalls))]


def _same_sketch(vectors: NDArray[np.float32]) -> list[int]:
    """For each sketch the first equal one: a thousand blank pictures must not be compared pair by pair."""
    first: dict[bytes, int] = {}
    return [first.setdefault(vector.tobytes(), index) for index, vector in enumerate(vectors)]


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index


def _join(parent: list[int], one: int, other: int) -> None:
    low, high = sorted((_root(parent, one), _root(parent, other)))
    parent[high] = low
