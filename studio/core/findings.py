"""What the wizard found in what was dropped: usable items, unused files with reasons, statistics. Plain frozen data."""

from dataclasses import dataclass, field
from typing import Literal

Layout = Literal["flat", "class folders", "N_concept folders", "metadata.jsonl", "metadata.csv", "dataset.json"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file's bytes are: a file on the disk, or a member of a zip that is read in place.

    Attributes:
        path: absolute path of the file, or of the zip.
        member: name inside the zip; empty for an ordinary file.
        shown: the name that the artist knows, relative to what was dropped, with ``/``.
    """

    path: str
    member: str = ""
    shown: str = ""


@dataclass(frozen=True, slots=True)
class FoundItem:
    """One usable picture.

    Attributes:
        place: where it is.
        width_px, height_px: upright size.
        digest: sha256 of the file's bytes, in hex.
        has_alpha: some pixel is not opaque.
        grey: no pixel has colour.
        label, caption, attributes: what the layout says of it.
        repeats: how often it counts in an epoch (``N_concept`` folders).
        group: equal for near-duplicates, which must stay on one side of the split; the smallest digest of the group.
    """

    place: Place
    width_px: int
    height_px: int
    digest: str
    has_alpha: bool = False
    grey: bool = False
    label: str = ""
    caption: str = ""
    attributes: tuple[str, ...] = ()
    repeats: int = 1
    group: str = ""


@dataclass(frozen=True, slots=True)
class Unused:
    """A file that is not used, and why, in words that follow the name."""

    shown: str
    reason: str


@dataclass(frozen=True)
class Statistics:
    """Figures over the usable items.

    Attributes:
        smallest_px, median_px, largest_px: ``(width, height)`` of the picture of that area.
        alpha_share, grey_share, square_share: 0 to 1.
        captions: how many have a caption.
        near_duplicates: how many look like an earlier one.
    """

    smallest_px: tuple[int, int] = (0, 0)
    median_px: tuple[int, int] = (0, 0)
    largest_px: tuple[int, int] = (0, 0)
    alpha_share: float = 0.0
    grey_share: float = 0.0
    square_share: float = 0.0
    captions: int = 0
    near_duplicates: int = 0


@dataclass(frozen=True)
class Understanding:
    """What was understood of a drop.

    Attributes:
        medium: key of `studio.runtime.intake.MEDIA`.
        layout: how the files were arranged.
        sentence: the layout with counts, for the artist.
        items: usable ones, in the order of their names.
        unused: every other file, with its reason.
        labels: class name to count, in the order of names.
        near_duplicates: groups of names that look alike.
        tiny, odd: names with what is unusual about them; they are used.
        name: a name for the whole, from what was dropped.
    """

    medium: str
    layout: Layout
    sentence: str
    items: tuple[FoundItem, ...]
    unused: tuple[Unused, ...] = ()
    labels: dict[str, int] = field(default_factory=dict)
    statistics: Statistics = Statistics()
    near_duplicates: tuple[tuple[str, ...], ...] = ()
    tiny: tuple[Unused, ...] = ()
    odd: tuple[Unused, ...] = ()
    name: str = ""
