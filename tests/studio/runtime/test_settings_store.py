"""A start never fails because of its settings."""

import random

import pytest

from studio.core.memory import ModelMemory, Preset
from studio.core.settings import Settings, encode_settings
from studio.runtime.memory_store import MemoryStore
from studio.runtime.settings_store import SettingsStore

GOOD = encode_settings(Settings(theme="light", scale=1.5, last_package="x", model_folders=("/a", "/b")))


def test_absent_file_gives_defaults(tmp_path) -> None:
    loaded = SettingsStore(tmp_path / "no" / "settings.json").load()
    assert loaded.settings == Settings()
    assert loaded.problem == ""


def test_round_trip(tmp_path) -> None:
    store = SettingsStore(tmp_path / "deep" / "settings.json")
    store.save(Settings(theme="contrast", threads=3))
    assert store.load().settings == Settings(theme="contrast", threads=3)


def test_unknown_keys_of_a_later_version_are_ignored(tmp_path) -> None:
    (tmp_path / "settings.json").write_text('{"theme": "dark", "hologram": true}')
    loaded = SettingsStore(tmp_path / "settings.json").load()
    assert loaded.settings.theme == "dark"
    assert loaded.problem == ""


def test_a_thousand_damages_start_every_time(tmp_path) -> None:
    path = tmp_path / "settings.json"
    store, chance = SettingsStore(path), random.Random(7)
    aside = 0
    for _ in range(1000):
        damaged = bytearray(GOOD)
        for _ in range(chance.randint(1, 6)):
            deed = chance.randrange(4)
            at = chance.randrange(len(damaged)) if damaged else 0
            if deed == 0 and damaged:
                damaged[at] = chance.randrange(256)
            elif deed == 1:
                del damaged[at:]
            elif deed == 2:
                damaged[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 40)))
            else:
                damaged[at : at + 8] = b"\0" * 8
        path.write_bytes(damaged)
        loaded = store.load()
        if loaded.problem:
            aside += 1
            assert loaded.aside is not None
            assert loaded.aside.read_bytes() == bytes(damaged)
            assert not path.exists()
    assert aside > 500
    assert len(list(tmp_path.glob("settings.json.damaged-*"))) == aside


@pytest.mark.parametrize("data", [b"[" * 100_000, b"", b"null", b"3", b'{"scale": 1e400}', b"x" * 1_100_000])
def test_hostile_files_start_too(tmp_path, data) -> None:
    (tmp_path / "settings.json").write_bytes(data)
    assert SettingsStore(tmp_path / "settings.json").load().settings == Settings()


def test_a_folder_in_the_way_starts_too(tmp_path) -> None:
    (tmp_path / "settings.json").mkdir()
    loaded = SettingsStore(tmp_path / "settings.json").load()
    assert loaded.settings == Settings()
    assert loaded.aside is not None


def test_damaged_memory_is_put_aside(tmp_path) -> None:
    store = MemoryStore(tmp_path)
    store.save("m", ModelMemory(presets=(Preset("A", {"steps": 3}),)))
    assert store.load("m").presets[0].controls == {"steps": 3}
    (tmp_path / "m.json").write_text("{")
    assert store.load("m") == ModelMemory()
    assert (tmp_path / "m.json.damaged-1").read_text() == "{"
