"""The library page: models on the left, what is known of one on the right."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from studio.state.library import LibraryEntry, LibraryState
from studio.ui import theme
from studio.ui.icon_label import IconLabel
from studio.ui.icons import icon
from studio.ui.library.details import ModelDetails
from studio.ui.library.model_list import ENTRY, ModelList, ModelRows

_LIST_WIDTH = 320
_DETAILS, _EMPTY, _NOTHING_FOUND, _LOOKING = range(4)  # pages of the right side
_FILTER = "Reverie models (*.reverie)"


class LibraryPage(QWidget):
    """Binds to `LibraryState`.

    Signals:
        open_requested(str): id of the model to open in its pane.
        fine_tune_requested(str): id of the model to start the wizard with.
    """

    open_requested = Signal(str)
    fine_tune_requested = Signal(str)

    def __init__(self, library: LibraryState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self._awaited_id = ""
        self.ask_files: Callable[[], list[Path]] = self._ask_files
        self.ask_folder: Callable[[], Path | None] = self._ask_folder
        self.ask_target: Callable[[str], Path | None] = self._ask_target
        self._rows = ModelRows(self)
        self._list = ModelList(self._rows)
        self._list.setFixedWidth(theme.px(_LIST_WIDTH))
        self._details = ModelDetails()
        self._search = QLineEdit()
        self._search.setPlaceholderText("Search models")
        self._search.setClearButtonEnabled(True)
        self._search.setAccessibleName("Search models")
        self._count = theme.label("", "hint")
        self._broken = theme.label("", "hint", wrap=True)
        self._broken.setTextFormat(Qt.TextFormat.PlainText)
        self._broken.setProperty("level", "warning")
        self._import = QPushButton(icon("import"), " Import…")
        self._import.setToolTip("Bring in .reverie files; they can be dropped here too (Ctrl+I)")
        self._scan = QPushButton(icon("folder"), " Scan a folder…")
        self._scan.setToolTip("Import every model in a folder and the folders inside it")
        self._stack = QStackedWidget()
        self._drop = _drop_hint(self)
        self.setAcceptDrops(True)
        self.setAccessibleName("Model library")
        self._lay_out()
        self._connect()
        self._on_library_changed()

    def select(self, package_id: str) -> None:
        """Show the model with this id."""
        row = self._rows.row_of(package_id)
        if row >= 0:
            self._list.setCurrentIndex(self._rows.index(row))

    @property
    def current_id(self) -> str:
        """Id of the model shown, or empty."""
        entry = self._current()
        return entry.card.id if entry is not None else ""

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
            self._drop.setGeometry(self.rect())
            self._drop.show()
            self._drop.raise_()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._drop.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self._drop.hide()
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self._library.import_paths(paths)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._drop.setGeometry(self.rect())
        super().resizeEvent(event)

    def _connect(self) -> None:
        self._library.changed.connect(self._on_library_changed)
        self._library.imported.connect(self._on_library_imported)
        self._search.textChanged.connect(self._on_search_changed)
        self._list.selectionModel().currentChanged.connect(self._on_list_current_changed)
        self._list.opened.connect(self._on_details_open_requested)
        self._list.removal_asked.connect(self._on_details_remove_requested)
        self._details.open_requested.connect(self._on_details_open_requested)
        self._details.fine_tune_requested.connect(self._on_details_fine_tune_requested)
        self._details.export_requested.connect(self._on_details_export_requested)
        self._details.remove_requested.connect(self._on_details_remove_requested)
        self._import.clicked.connect(self._on_import_clicked)
        self._scan.clicked.connect(self._on_scan_clicked)
        for keys, slot in (("Ctrl+I", self._on_import_clicked), ("Ctrl+F", self._search.setFocus)):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(slot)

    def _lay_out(self) -> None:
        margin, space = theme.px(theme.GAP), theme.px(theme.SPACE)
        head = QHBoxLayout()
        head.setSpacing(space)
        head.addWidget(theme.label("Models", "title"))
        head.addSpacing(space)
        head.addWidget(self._count, 1)
        head.addWidget(self._scan)
        head.addWidget(self._import)
        left = QVBoxLayout()
        left.setSpacing(space)
        self._search.setFixedWidth(theme.px(_LIST_WIDTH))
        self._broken.setFixedWidth(theme.px(_LIST_WIDTH))
        left.addWidget(self._search)
        left.addWidget(self._list, 1)
        left.addWidget(self._broken)
        self._stack.addWidget(self._details)
        self._stack.addWidget(_empty(self._on_import_clicked))
        self._stack.addWidget(_nothing_found())
        self._stack.addWidget(_message("Looking for models…", "Packages are listed, then checked."))
        body = QHBoxLayout()
        body.setSpacing(margin)
        body.addLayout(left)
        body.addWidget(self._stack, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(margin, margin, margin, margin)
        column.setSpacing(margin)
        column.addLayout(head)
        column.addLayout(body, 1)

    def _on_library_imported(self, package_id: str) -> None:
        self._search.clear()
        self._awaited_id = package_id  # the list knows it after the next look through the folders
        self.select(package_id)

    def _on_library_changed(self) -> None:
        current = self.current_id
        if self._awaited_id in {package.manifest.id for package in self._library.packages}:
            current, self._awaited_id = self._awaited_id, ""
        self._show_rows()
        self._restore_selection(current)
        count = len(self._library.packages)
        ready = f"{count} model{'' if count == 1 else 's'}, all on this machine"
        self._count.setText(ready if self._library.loaded else "Looking for models…")
        problems = self._library.problems
        self._broken.setVisible(bool(problems))
        lines = [f"{problem.path.name}: {problem.error.message}" for problem in problems]
        heading = "1 folder cannot be used." if len(lines) == 1 else f"{len(lines)} folders cannot be used."
        self._broken.setText("\n".join([heading, *lines[:3]]))
        self._broken.setToolTip("\n".join(lines))

    def _on_search_changed(self, _text: str) -> None:
        current = self.current_id
        self._show_rows()
        self._restore_selection(current)

    def _show_rows(self) -> None:
        words = self._search.text().lower().split()
        entries = self._library.entries
        self._rows.show_entries(tuple(entry for entry in entries if _matches(entry, words)))

    def _restore_selection(self, package_id: str) -> None:
        row = max(0, self._rows.row_of(package_id))
        if self._rows.rowCount():
            self._list.setCurrentIndex(self._rows.index(row))
            self._on_list_current_changed()
        else:
            empty = _NOTHING_FOUND if self._library.packages else _EMPTY
            self._stack.setCurrentIndex(empty if self._library.loaded else _LOOKING)

    def _on_list_current_changed(self) -> None:
        entry = self._current()
        if entry is not None:
            self._details.show_entry(entry)
            self._stack.setCurrentIndex(_DETAILS)

    def _current(self) -> LibraryEntry | None:
        index = self._list.currentIndex()
        return index.data(ENTRY) if index.isValid() else None

    def _on_details_open_requested(self) -> None:
        entry = self._current()
        if entry is not None and not entry.problem:
            self.open_requested.emit(entry.card.id)

    def _on_details_fine_tune_requested(self) -> None:
        if self.current_id:
            self.fine_tune_requested.emit(self.current_id)

    def _on_details_export_requested(self) -> None:
        package_id = self.current_id
        if package_id and (target := self.ask_target(package_id)) is not None:
            self._library.export(package_id, target)

    def _on_details_remove_requested(self) -> None:
        entry = self._current()
        if entry is not None and not entry.card.bundled:
            self._library.remove(entry.card.id)

    def _on_import_clicked(self) -> None:
        paths = self.ask_files()
        if paths:
            self._library.import_paths(paths)

    def _on_scan_clicked(self) -> None:
        folder = self.ask_folder()
        if folder is not None:
            self._library.import_paths([folder])

    def _ask_files(self) -> list[Path]:
        names, _ = QFileDialog.getOpenFileNames(self, "Import models", "", _FILTER)
        return [Path(name) for name in names]

    def _ask_folder(self) -> Path | None:
        name = QFileDialog.getExistingDirectory(self, "Import every model in a folder")
        return Path(name) if name else None

    def _ask_target(self, package_id: str) -> Path | None:
        name, _ = QFileDialog.getSaveFileName(self, "Export the model", f"{package_id}.reverie", _FILTER)
        return Path(name) if name else None


def _matches(entry: LibraryEntry, words: list[str]) -> bool:
    card = entry.card
    told = (card.id, card.name, card.summary, card.kind, card.family, card.trained_on, card.licence)
    text = "\n".join(told).lower()
    return all(word in text for word in words)


def _empty(import_models: Callable[[], None]) -> QWidget:
    button = QPushButton(icon("import", "on_accent"), " Import a model…")
    button.setProperty("primary", "true")
    button.clicked.connect(import_models)
    return _message("No models yet", "Drop a .reverie file here, or choose one. It stays on this machine.", button)


def _nothing_found() -> QWidget:
    return _message("Nothing found", "No model has these words in its name, family, data or licence.")


def _message(title: str, hint: str, button: QPushButton | None = None) -> QWidget:
    page = QWidget()
    column = QVBoxLayout(page)
    column.setSpacing(theme.px(theme.SPACE))
    column.addStretch(1)
    for widget in (IconLabel("models", 48), theme.label(title, "title"), theme.label(hint, "hint"), button):
        if widget is not None:
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
    column.addStretch(2)
    return page


def _drop_hint(parent: QWidget) -> QWidget:
    """What a drop will do, shown while something is dragged over the page."""
    hint = QLabel("Drop to import models", parent)
    hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
    hint.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
    hint.setProperty("role", "title")
    hint.setProperty("drop", "true")
    hint.setAutoFillBackground(True)
    hint.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    hint.hide()
    return hint
