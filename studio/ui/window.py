"""The window: a shell for panes. It knows how to show them, not what they do."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PySide6.QtCore import QByteArray, QMimeData, QPoint, Qt, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QFrame, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from studio.core.events import RunFacts
from studio.core.settings import Settings
from studio.state.notices import Notice, Notices
from studio.state.settings import SettingsState
from studio.ui import theme
from studio.ui.drop_zones import DropZones
from studio.ui.notice_bar import NoticeBar
from studio.ui.shortcuts import KeySheet
from studio.ui.top_bar import TopBar
from studio.ui.zones import Zones

SIZE_PX = (1280, 800)
BUSY_AFTER_MS = 1000


@runtime_checkable
class Working(Protocol):
    """A pane that makes something."""

    zones: Zones

    def generate(self) -> None:
        """Ctrl+Enter."""
        ...

    def generate_first(self) -> None:
        """Ctrl+Shift+Enter."""
        ...

    def cancel(self) -> None:
        """Esc."""
        ...


@dataclass(frozen=True)
class Pane:
    """A tab. ``make`` is called when it is first shown, so that the first window is quick."""

    key: str
    title: str
    icon: str
    make: Callable[[], QWidget]


@dataclass(frozen=True)
class Shell:
    """What the window needs from outside.

    Attributes:
        panes: tabs in order; only those that work today.
        queue_panel: makes the list of jobs.
        later: `studio.workers.clock.Clock.later`.
        keeps_running: a sentence on what goes on after the window closes, or empty.
    """

    panes: tuple[Pane, ...]
    queue_panel: Callable[[], QWidget]
    later: Callable[[int, Callable[[], None]], Callable[[], None]]
    keeps_running: Callable[[], str]


class MainWindow(QMainWindow):
    """Tabs above, a pane below, notices over both.

    Signals:
        dropped(str, object): a drop zone's key and the `QMimeData` dropped on it.
        closing(): the window goes; nothing of it may be used afterwards.
    """

    dropped = Signal(str, object)
    closing = Signal()

    def __init__(self, shell: Shell, *, notices: Notices, settings: SettingsState) -> None:
        super().__init__()
        self._shell = shell
        self._notices = notices
        self._settings = settings
        self._made: dict[str, QWidget] = {}
        self._told_of_training = False
        self._look = _look(settings.value)
        self._forget_busy: Callable[[], None] = lambda: None
        self.setWindowTitle("Reverie")
        self.setAcceptDrops(True)
        self.top = TopBar(tuple((pane.title, pane.icon) for pane in shell.panes))
        self.stack = QStackedWidget()
        self._holders: list[QVBoxLayout] = []
        for _ in shell.panes:
            holder = QWidget()
            lay = QVBoxLayout(holder)
            lay.setContentsMargins(0, 0, 0, 0)
            self._holders.append(lay)
            self.stack.addWidget(holder)
        centre = QWidget()
        centre.setProperty("backdrop", "true")
        column = QVBoxLayout(centre)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.px(2))
        column.addWidget(self.top)
        column.addWidget(self.stack, 1)
        self.setCentralWidget(centre)
        self._centre = centre
        self.notice_bar = NoticeBar(notices, centre, later=shell.later)
        self.drop_zones = DropZones(centre)
        self.sheet = KeySheet(centre)
        self._queue: QFrame | None = None
        self._connect()
        self._bind_keys()
        self.top.pick(0)
        self._restore_geometry()

    def pane(self, key: str) -> QWidget:
        """The pane, made now if it was not yet; raises `KeyError` for an unknown one."""
        index = self._index(key)
        if key not in self._made:
            self._made[key] = widget = self._shell.panes[index].make()
            self._holders[index].addWidget(widget)
            zones = getattr(widget, "zones", None)
            if isinstance(zones, Zones):
                for side in ("left", "right"):
                    zones.fold(side, side in self._settings.value.folded)
                zones.folded.connect(self._on_zone_folded)
        return self._made[key]

    def show_pane(self, key: str) -> QWidget:
        """Bring a pane to the front and return it."""
        self.open_pane(self._index(key))
        return self._made[key]

    def open_pane(self, index: int) -> None:
        """Bring the pane of a tab to the front."""
        if not 0 <= index < len(self._shell.panes):
            return
        pane = self.pane(self._shell.panes[index].key)
        self.top.pick(index)
        self.stack.setCurrentIndex(index)
        folds = isinstance(getattr(pane, "zones", None), Zones)
        self.top.left.setVisible(folds)
        self.top.right.setVisible(folds)
        pane.setFocus()

    def show_facts(self, facts: RunFacts) -> None:
        """The device badge."""
        self.top.show_facts(facts)

    def set_busy(self, busy: bool) -> None:
        """The busy mark, after a second: short work needs none."""
        self._forget_busy()
        if busy:
            self._forget_busy = self._shell.later(BUSY_AFTER_MS, lambda: self.top.show_busy(True))
        else:
            self.top.show_busy(False)

    def come_forward(self) -> None:
        """Another start asked for this window."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def toggle_queue(self) -> None:
        """Show or hide the list of jobs."""
        if self._queue is not None and self._queue.isVisible():
            self._queue.hide()
            return
        if self._queue is None:
            self._queue = QFrame(self._centre)
            self._queue.setProperty("card", "true")
            column = QVBoxLayout(self._queue)
            column.setContentsMargins(theme.SPACE, theme.SPACE, theme.SPACE, theme.SPACE)
            column.addWidget(self._shell.queue_panel())
        width = min(theme.px(540), self.width() - theme.px(32))
        height = min(theme.px(480), self.height() - theme.px(120))
        corner = self.top.mapTo(self._centre, QPoint(self.top.width(), self.top.height()))
        self._queue.setGeometry(corner.x() - width - theme.px(8), corner.y() + theme.px(6), width, height)
        self._queue.show()
        self._queue.raise_()
        self._queue.setFocus()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        # What is dragged out of this window has nothing to do in it.
        inside = isinstance(event.source(), QWidget) and event.source().window() is self  # pyright: ignore[reportAttributeAccessIssue]
        if not inside and self.drop_zones.offer(event.mimeData()):
            event.acceptProposedAction()

    def closeEvent(self, event: QCloseEvent) -> None:
        words = self._shell.keeps_running()
        app = QApplication.instance()
        leaving = isinstance(app, QApplication) and app.isSavingSession()
        if words and not self._told_of_training and not leaving:
            self._told_of_training = True
            hint, action = self.tr("Open Reverie again to see how it goes."), self.tr("Close the window")
            self._notices.post(Notice(words, hint, "info", action, self._on_close_pressed))
            event.ignore()
            return
        geometry = bytes(self.saveGeometry().toBase64().data()).decode()
        self._settings.change({"window_geometry": geometry})
        self.closing.emit()
        event.accept()

    def _connect(self) -> None:
        self.top.pane_picked.connect(self.open_pane)
        self.top.queue.clicked.connect(lambda _: self.toggle_queue())
        self.top.device.clicked.connect(lambda _: self.show_pane("settings"))
        self.top.left.clicked.connect(lambda _: self._toggle_side("left"))
        self.top.right.clicked.connect(lambda _: self._toggle_side("right"))
        self.top.help.clicked.connect(lambda _: self.sheet.open_sheet())
        self.drop_zones.dropped.connect(self._on_zone_dropped)
        self._settings.changed.connect(self._on_settings_changed)

    def _bind_keys(self) -> None:
        keys: dict[str, Callable[[], object]] = {
            "Ctrl+Return": lambda: self._working("generate"),
            "Ctrl+Enter": lambda: self._working("generate"),
            "Ctrl+Shift+Return": lambda: self._working("generate_first"),
            "Ctrl+Shift+Enter": lambda: self._working("generate_first"),
            "Esc": self._on_escape_pressed,
            "?": self.sheet.open_sheet,
            "Shift+?": self.sheet.open_sheet,
            "Ctrl+B": lambda: self._toggle_side("left"),
            "Ctrl+Shift+B": lambda: self._toggle_side("right"),
            "Ctrl+J": self.toggle_queue,
            "Ctrl+Q": self.close,
        }
        for index in range(len(self._shell.panes)):
            keys[f"Ctrl+{index + 1}"] = lambda index=index: self.open_pane(index)
        for key, run in keys.items():
            QShortcut(QKeySequence(key), self).activated.connect(run)

    def _working(self, what: str) -> None:
        """Ask the pane on view to do something; panes that make nothing do not."""
        pane = self._current()
        if isinstance(pane, Working):
            {"generate": pane.generate, "generate_first": pane.generate_first, "cancel": pane.cancel}[what]()

    def _current(self) -> QWidget | None:
        """The pane on view; None in the instant between the first frame and the first pane."""
        return self._made.get(self._shell.panes[self.stack.currentIndex()].key)

    def _toggle_side(self, side: str) -> None:
        zones = getattr(self._current(), "zones", None)
        if isinstance(zones, Zones):
            zones.toggle(side)

    def _index(self, key: str) -> int:
        for index, pane in enumerate(self._shell.panes):
            if pane.key == key:
                return index
        raise KeyError(key)

    def _restore_geometry(self) -> None:
        saved = self._settings.value.window_geometry
        if not (saved and self.restoreGeometry(QByteArray.fromBase64(saved.encode()))):
            screen = QGuiApplication.primaryScreen().availableSize()
            self.resize(min(theme.px(SIZE_PX[0]), screen.width()), min(theme.px(SIZE_PX[1]), screen.height()))

    def _on_close_pressed(self) -> None:
        self.close()

    def _on_escape_pressed(self) -> None:
        if not self.sheet.isHidden():
            self.sheet.close_sheet()
        elif self._queue is not None and self._queue.isVisible():
            self._queue.hide()
        elif not self.notice_bar.close_last():
            self._working("cancel")

    def _on_zone_dropped(self, key: str, mime: QMimeData) -> None:
        self.dropped.emit(key, mime)

    def _on_zone_folded(self, side: str, away: bool) -> None:
        folded = set(self._settings.value.folded)
        (folded.add if away else folded.discard)(side)
        self._settings.change({"folded": tuple(sorted(folded))})

    def _on_settings_changed(self, value: Settings) -> None:
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        if _look(value) != self._look:
            self._look = _look(value)
            theme.apply(app, value.theme, value.scale, reduced_motion=value.reduced_motion)


def _look(value: Settings) -> tuple[str, float, bool]:
    """The settings that change how everything looks."""
    return value.theme, value.scale, value.reduced_motion
