"""What can be done with results: one list for the context menu, the keyboard and the viewer's buttons."""

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, QObject, QPoint, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from studio.core.gallery import Entry
from studio.state.gallery import GalleryState
from studio.ui.icons import icon


@dataclass(frozen=True)
class Deed:
    """One action: its words, key, icon and what it does with the chosen results. ``single`` needs exactly one."""

    words: str
    key: str
    picture: str
    run: Callable[[list[Entry]], None]
    single: bool = False
    gap: bool = False


def deeds(state: GalleryState, *, trash: bool) -> list[Deed]:
    """Everything that can be done, in the order of the menu."""

    def words(text: str) -> str:
        return QCoreApplication.translate("Gallery", text)

    if trash:
        return [
            Deed(words("Put back"), "Ctrl+R", "undo", state.restore),
            Deed(words("Remove for good"), "Shift+Del", "trash", state.purge, gap=True),
        ]
    found = [
        Deed(words("Recall everything"), "A", "reset", lambda e: state.recall(e[0], "all"), single=True),
        Deed(words("Recall the seed"), "S", "dice", lambda e: state.recall(e[0], "seed"), single=True),
        Deed(words("Recall the prompt"), "P", "edit", lambda e: state.recall(e[0], "prompt"), single=True),
        Deed(words("Remix with a new seed"), "R", "sparkle", lambda e: state.recall(e[0], "remix"), single=True),
        Deed(words("Use as start picture"), "U", "import", lambda e: state.use_as_start(e[0]), single=True),
        Deed(words("Star"), ".", "star", state.star, gap=True),
        Deed(words("Copy"), "Ctrl+C", "copy", state.copy),
        Deed(words("Copy with recipe"), "", "copy", lambda e: state.copy(e, clean=False)),
        Deed(words("Copy without recipe"), "Ctrl+Shift+C", "copy", lambda e: state.copy(e, clean=True)),
        Deed(words("Show in folder"), "F", "folder", lambda e: state.show_in_folder(e[0]), single=True),
    ]
    if state.replay is not None:
        found.append(
            Deed(words("Check that it can be made again"), "V", "check", lambda e: state.verify(e[0]), single=True)
        )
    return [*found, Deed(words("Move to trash"), "Del", "trash", state.trash, gap=True)]


def add_shortcuts(owner: QWidget, state: GalleryState, chosen: Callable[[], list[Entry]]) -> None:
    """Give a view every key of `deeds`; they work while the view or something in it has the focus."""
    for trash in (False, True):
        for deed in deeds(state, trash=trash):
            if not deed.key:
                continue
            action = QAction(deed.words, owner)
            action.setShortcut(QKeySequence(deed.key))
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            action.triggered.connect(_runner(deed, state, chosen, trash=trash, owner=owner))
            owner.addAction(action)


def show_menu(owner: QWidget, state: GalleryState, entries: list[Entry], place: QPoint) -> QMenu | None:
    """The context menu for ``entries`` at a global place; None when nothing is chosen."""
    if not entries:
        return None
    menu = QMenu(owner)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    for deed in deeds(state, trash=entries[0].trashed):
        if deed.gap:
            menu.addSeparator()
        action = menu.addAction(icon(deed.picture), deed.words)
        if deed.key:
            action.setShortcut(QKeySequence(deed.key))
        fits = _fits(deed, entries)
        action.setEnabled(fits)
        if not fits:
            action.setToolTip(QCoreApplication.translate("Gallery", "Choose one picture"))
        action.triggered.connect(_bound(deed.run, entries))
    menu.popup(place)
    return menu


def _fits(deed: Deed, entries: list[Entry]) -> bool:
    return bool(entries) and (len(entries) == 1 or not deed.single)


def _bound(run: Callable[[list[Entry]], None], entries: list[Entry]) -> Callable[[], None]:
    return lambda: run(entries)


def _runner(
    deed: Deed, state: GalleryState, chosen: Callable[[], list[Entry]], *, trash: bool, owner: QObject
) -> Callable[[], None]:
    def run() -> None:
        entries = [entry for entry in chosen() if entry.trashed == trash]
        if _fits(deed, entries):
            deed.run(entries)

    return run
