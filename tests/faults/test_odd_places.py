"""Folders with names that programs stumble over: everything works there, or says why it cannot."""

import os
from pathlib import Path

import pytest

from studio.core.cancel import CancelToken
from studio.core.errors import StorageError
from studio.core.settings import Settings
from studio.runtime.gallery_index import Query
from studio.runtime.intake import quietly, understand
from studio.runtime.packages import export_package, import_package, open_package
from studio.runtime.settings_store import SettingsStore
from tests.faults.savers import library, save
from tests.package_kit import FIXTURES, zip_folder
from tests.wizard_kit import draw

NAMES = [
    "🐉 дракон 猫",
    "trailing dot.",
    "trailing space ",
    "CON",
    "x" * 200,
    "a'b\"c;d&e",
    "%s {0}",
    "-rf",
    "new\nline",
]
NO_TEXT = os.fsdecode(b"bytes \xff\xfe that are no text")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_everything_works_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    home.mkdir()
    index, results = library(home)
    path = Path(save(results, 1).path)
    assert path.is_relative_to(home)
    assert index.rebuild(home / "results").known == 1
    index.close()
    draw(home / "pictures", 6)
    assert len(understand([home / "pictures"], quietly, CancelToken()).items) == 6
    import_package(zip_folder(FIXTURES / "tiny-map", home / "in.reverie"), home / "library")
    export_package(open_package(home / "library" / "tiny-map"), home / "out.reverie")
    store = SettingsStore(home / "config" / "settings.json")
    store.save(Settings(theme="dark"))
    assert store.load().settings.theme == "dark"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such paths")
def test_a_path_too_long_for_a_database_is_a_sentence(tmp_path: Path) -> None:
    home = tmp_path.joinpath(*["y" * 200] * 6)
    home.mkdir(parents=True)
    with pytest.raises(StorageError):
        library(home)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_result_in_a_folder_whose_name_is_no_text_is_saved_all_the_same(tmp_path: Path) -> None:
    try:
        (tmp_path / NO_TEXT).mkdir()
    except OSError:
        pytest.skip("this file system has only names that are text")
    index, results = library(tmp_path / NO_TEXT)
    entry = save(results, 1)
    assert Path(entry.path).is_file()
    assert index.count(Query()) == 0
    assert index.rebuild(tmp_path / NO_TEXT / "results").unreadable == (Path(entry.path).name,)
    index.close()
