"""Small pictures of models, read off the main thread."""

from functools import partial

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage

from studio.core.manifest import PREVIEW_NAME
from studio.core.package import Package
from studio.workers.background import Background

SIDE_PX = 128


class Previews(QObject):
    """Previews of packages by hash.

    Signals:
        ready(str): the preview of the package with this hash can be had now.
    """

    ready = Signal(str)

    def __init__(self, background: Background, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self._images: dict[str, QImage] = {}

    def preview(self, package: Package) -> QImage | None:
        """The package's preview; None until `ready` says so (or for ever when it has none)."""
        path = package.file_path("preview") or package.folder / PREVIEW_NAME
        return self._get(package.sha256, str(path), SIDE_PX)

    def _get(self, key: str, path: str, side_px: int) -> QImage | None:
        if key not in self._images:
            self._images[key] = QImage()
            self._background.run(partial(_read, path, side_px), partial(self._on_read, key))
        image = self._images[key]
        return None if image.isNull() else image

    def _on_read(self, key: str, image: QImage) -> None:
        self._images[key] = image
        if not image.isNull():
            self.ready.emit(key)


def _read(path: str, side_px: int) -> QImage:
    image = QImage(path)
    if max(image.width(), image.height()) > side_px:
        mode = Qt.TransformationMode.SmoothTransformation
        return image.scaled(side_px, side_px, Qt.AspectRatioMode.KeepAspectRatio, mode)
    return image
