"""The guards of conftest hold: tests that would pass without them are run in a session of their own."""

import socket
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
CONFTEST = Path(__file__).with_name("conftest.py")


@pytest.fixture
def guarded(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(CONFTEST.parents[1]))
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8").replace("GRACE_S = 5.0", "GRACE_S = 0.2"))
    return pytester


def test_the_network_is_refused():
    with socket.socket() as plain, pytest.raises(AssertionError, match="reach the network"):
        plain.connect(("127.0.0.1", 9))
    with pytest.raises(AssertionError, match="look up"):
        socket.getaddrinfo("localhost", 80)


def test_a_thread_left_behind_fails_its_test(guarded: pytest.Pytester):
    guarded.makepyfile(
        """
        import threading
        def test_leaks():
            threading.Thread(target=threading.Event().wait, daemon=True, name="left-behind").start()
        """
    )
    guarded.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1, errors=1)


def test_a_child_left_behind_fails_its_test_and_is_ended(guarded: pytest.Pytester):
    guarded.makepyfile(
        """
        import psutil, subprocess, sys
        child = []
        def test_leaks():
            child.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        def test_then_it_is_gone():
            assert not psutil.pid_exists(child[0].pid)
        """
    )
    guarded.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=2, errors=1)


def test_data_tests_are_skipped_with_the_reason(guarded: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("REVERIE_DATA", raising=False)
    guarded.makepyfile(
        """
        import pytest
        @pytest.mark.data
        def test_needs_data(): raise AssertionError
        """
    )
    result = guarded.runpytest_subprocess("-rs", "-W", "ignore::pytest.PytestUnknownMarkWarning")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*REVERIE_DATA names no folder*"])
