"""What waits is called once, unless it is taken back."""

from PySide6.QtCore import QCoreApplication, QEvent

from studio.workers.clock import Clock


def test_calls_later_and_forgets(qtbot):
    clock, called = Clock(), []
    clock.later(0, lambda: called.append("first"))
    clock.later(0, lambda: called.append("forgotten"))()
    clock.later(1, lambda: called.append("last"))
    qtbot.waitUntil(lambda: "last" in called)
    assert called == ["first", "last"]


def test_forgetting_what_was_called_already_is_harmless(qtbot):
    clock, called = Clock(), []
    forget = clock.later(0, lambda: called.append("once"))
    qtbot.waitUntil(lambda: called == ["once"])
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    forget()
    forget()
    assert called == ["once"]


def test_close_calls_nothing_any_more(qtbot):
    clock, called = Clock(), []
    clock.later(0, lambda: called.append("late"))
    clock.close()
    clock.later(0, lambda: called.append("later"))
    other = Clock()
    other.later(5, lambda: called.append("other"))
    qtbot.waitUntil(lambda: bool(called))
    assert called == ["other"]
