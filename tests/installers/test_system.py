"""System packages: which are missing, what they are called here, and who may install them."""

from pathlib import Path

import pytest

from installers import system
from installers.terminal import InstallError

GLIB, GL = system.QT_LIBRARIES[0], system.QT_LIBRARIES[1]
PULSE = system.QT_LIBRARIES[-1]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A Debian 12 without Qt's libraries, where nothing may be installed; records what would be run."""
    commands: list[list[str]] = []
    monkeypatch.setattr(system, "missing_libraries", lambda: [GLIB, PULSE])
    monkeypatch.setattr(system, "missing_tools", lambda: [system.TEST_TOOLS[0]])
    monkeypatch.setattr(system, "lacks_venv", lambda: False)
    monkeypatch.setattr(system, "read_os_release", lambda: {"ID": "debian", "VERSION_ID": "12"})
    monkeypatch.setattr(system, "_may_install", lambda: False)
    monkeypatch.setattr(system, "_apt_install", commands.append)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    return commands


@pytest.mark.parametrize(
    ("identity", "version", "expected"),
    [
        ("debian", "12", "libglib2.0-0"),
        ("debian", "13", "libglib2.0-0t64"),
        ("debian", "", "libglib2.0-0t64"),
        ("ubuntu", "22.04", "libglib2.0-0"),
        ("ubuntu", "24.04", "libglib2.0-0t64"),
        ("ubuntu", "25.10", "libglib2.0-0t64"),
        ("linuxmint", "22", "libglib2.0-0"),
        ("", "", "libglib2.0-0"),
    ],
)
def test_package_name_by_release(identity: str, version: str, expected: str):
    assert system.package_name(GLIB, {"ID": identity, "VERSION_ID": version}) == expected


def test_packages_without_a_second_name_never_change():
    assert system.package_name(GL, {"ID": "debian", "VERSION_ID": "13"}) == "libgl1"


def test_os_release_is_read_with_and_without_quotes(tmp_path: Path):
    path = tmp_path / "os-release"
    path.write_text('NAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="12"\n# a comment\n\n')
    assert system.read_os_release(path)["VERSION_ID"] == "12"
    assert system.read_os_release(path)["ID"] == "debian"
    assert system.read_os_release(tmp_path / "absent") == {}


def test_a_library_is_found_by_opening_it():
    assert not system.can_open("libreverie-does-not-exist.so.1")


def test_other_systems_need_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.platform", "win32")
    assert system.missing_libraries() == []
    assert system.missing_tools() == []


def test_root_needs_no_sudo():
    for command in system.apt_commands(["libgl1"], is_root=True):
        assert "sudo" not in command
    update, install = system.apt_commands(["libgl1"], is_root=False)
    assert update[:2] == install[:2] == ["sudo", "-n"]
    assert install[-1] == "libgl1"
    assert "DEBIAN_FRONTEND=noninteractive" in install


def test_the_line_to_paste_names_every_package():
    assert system.paste_line(["libgl1", "xvfb"]).endswith("apt-get install -y libgl1 xvfb")


def test_a_window_without_its_libraries_stops_with_the_line(bare: list[list[str]]):
    with pytest.raises(InstallError) as caught:
        system.ensure(window=True, tests=False, make_venv=False)
    assert caught.value.code == system.EXIT_SYSTEM
    assert system.paste_line(["libglib2.0-0", "libpulse0"]) in caught.value.hint
    assert not bare


@pytest.mark.usefixtures("bare")
def test_the_tour_goes_on_without_them(capsys: pytest.CaptureFixture[str]):
    system.ensure(window=False, tests=True, make_venv=False)
    assert "libglib2.0-0 libpulse0 xvfb" in capsys.readouterr().out


@pytest.mark.usefixtures("bare")
def test_a_python_without_ensurepip_stops_with_its_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(system, "lacks_venv", lambda: True)
    with pytest.raises(InstallError, match="ensurepip") as caught:
        system.ensure(window=False, tests=False, make_venv=True)
    assert "-venv" in caught.value.hint


def test_what_may_be_installed_is_installed_in_one_go(bare: list[list[str]], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(system, "_may_install", lambda: True)
    left = [[GLIB], []]
    monkeypatch.setattr(system, "missing_libraries", lambda: left.pop(0) if left else [])
    system.ensure(window=True, tests=True, make_venv=False)
    assert bare == [["libglib2.0-0", "xvfb"]]


def test_a_complete_machine_is_left_alone(bare: list[list[str]], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(system, "missing_libraries", list)
    monkeypatch.setattr(system, "missing_tools", list)
    monkeypatch.setattr(system, "_may_install", lambda: pytest.fail("sudo was asked for nothing"))
    system.ensure(window=True, tests=True, make_venv=True)
    assert not bare


@pytest.mark.usefixtures("bare")
def test_other_distributions_hear_the_library_names(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shutil.which", lambda _name: None)
    with pytest.raises(InstallError) as caught:
        system.ensure(window=True, tests=False, make_venv=False)
    assert "libglib-2.0.so.0" in caught.value.hint
