"""What the gallery knows of a result."""

from typing import Literal

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """One saved result.

    Attributes:
        id: row of the index.
        path: absolute path of the file.
        kind: medium of the file.
        created_s: seconds since 1970.
        width_px, height_px: size; 0 when it has none.
        model: name of the model that made it, or empty.
        seed: seed of the request, or -1.
        starred, trashed: flags of the artist.
        title: words to search and show.
    """

    id: int
    path: str
    kind: Literal["picture", "film", "text", "midi", "sound"]
    created_s: float
    width_px: int = 0
    height_px: int = 0
    model: str = ""
    seed: int = -1
    starred: bool = False
    trashed: bool = False
    title: str = ""
