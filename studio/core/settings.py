"""The artist's settings: one frozen struct, one JSON file, always startable."""

from typing import Literal

import msgspec


class Settings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the artist chose. Unknown keys of a later version are ignored, so an older Reverie still starts.

    Attributes:
        results_folder: where results are saved; empty for the default of `studio.core.paths`.
        theme: ``system`` follows the desktop.
        scale: interface scale, 0.75 to 3.
        device: wanted device id of `studio.runtime.devices`, such as ``auto``, ``cpu``, ``cuda``.
        threads: inference threads; 0 means all cores while nothing trains.
        reduced_motion: no animation.
        save_format: format of saved pictures.
        thumbnail_px: size of the gallery's thumbnails.
        drag_clean: drag and copy without the recipe inside.
        last_package: id of the model that was open.
        first_run_done: the first-start hint was seen.
        model_folders: other folders whose packages are used in place.
        window_geometry: Qt's saved geometry, base64; empty for the first start.
        folded: names of the side zones that are folded away.
    """

    results_folder: str = ""
    theme: Literal["system", "light", "dark", "contrast"] = "system"
    scale: float = 1.0
    device: str = "auto"
    threads: int = 0
    reduced_motion: bool = False
    save_format: Literal["png", "jpeg", "webp"] = "png"
    thumbnail_px: int = 128
    drag_clean: bool = False
    last_package: str = ""
    first_run_done: bool = False
    model_folders: tuple[str, ...] = ()
    window_geometry: str = ""
    folded: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0.75 <= self.scale <= 3.0:
            raise ValueError("scale must be from 0.75 to 3")
        if not 64 <= self.thumbnail_px <= 512:
            raise ValueError("thumbnail_px must be from 64 to 512")
        if not 0 <= self.threads <= 256:
            raise ValueError("threads must be from 0 to 256")


def decode_settings(data: bytes) -> Settings:
    """The settings in ``data``; raises `msgspec.MsgspecError` or `ValueError` when damaged."""
    return msgspec.json.decode(data, type=Settings)


def encode_settings(settings: Settings) -> bytes:
    """Readable JSON of the settings."""
    return msgspec.json.format(msgspec.json.encode(settings), indent=2) + b"\n"
