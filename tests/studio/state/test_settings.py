"""Settings: heard at once, saved in the background, refused when wrong."""

import pytest

from studio.core.settings import Settings
from studio.runtime.settings_store import SettingsStore
from studio.state.notices import Notice, Notices
from studio.state.settings import SettingsState
from studio.workers.background import Background


@pytest.fixture
def parts(tmp_path, qtbot):
    background, notices, said = Background(2), Notices(), list[Notice]()
    notices.posted.connect(said.append)
    state = SettingsState(SettingsStore(tmp_path / "s.json"), background=background, notices=notices)
    yield state, said, tmp_path / "s.json"
    background.close()


def test_changes_are_heard_and_saved_in_order(parts, qtbot) -> None:
    state, said, path = parts
    heard: list[Settings] = []
    state.changed.connect(heard.append)
    for number in range(5):
        state.change({"threads": number + 1})
    assert [value.threads for value in heard] == [1, 2, 3, 4, 5]
    qtbot.waitUntil(lambda: path.exists() and SettingsStore(path).load().settings.threads == 5)
    state.change({"threads": 5})
    assert len(heard) == 5
    assert said == []


def test_a_wrong_value_changes_nothing(parts) -> None:
    state, said, _ = parts
    state.change({"scale": 99.0})
    state.change({"theme": "pink"})
    assert state.value == Settings()
    assert [notice.level for notice in said] == ["error", "error"]


def test_flush_writes_what_waits(parts) -> None:
    state, _, path = parts
    state.change({"theme": "light"})
    state.change({"theme": "dark"})
    state.flush()
    assert SettingsStore(path).load().settings.theme == "dark"


def test_a_save_that_fails_is_told(tmp_path, qtbot) -> None:
    (tmp_path / "file").write_text("in the way")
    background, notices, said = Background(1), Notices(), list[Notice]()
    notices.posted.connect(said.append)
    state = SettingsState(SettingsStore(tmp_path / "file" / "s.json"), background=background, notices=notices)
    said.clear()
    state.change({"theme": "light"})
    qtbot.waitUntil(lambda: len(said) == 1)
    assert state.value.theme == "light"
    background.close()
