"""Pictures for Qt: conversions and the checkerboard behind transparency."""

import numpy as np
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QRect, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QIcon, QImage, QPainter, QPixmap

from studio.core.events import Pixels


def to_image(pixels: Pixels) -> QImage:
    """``(H, W, 4) uint8`` straight RGBA as a `QImage` of its own memory."""
    whole = np.ascontiguousarray(pixels)
    height, width = whole.shape[:2]
    image = QImage(whole.data, width, height, 4 * width, QImage.Format.Format_RGBA8888)
    # Without transparency nothing has to be painted behind it.
    opaque = bool((whole[..., 3] == 255).all())
    return image.convertToFormat(QImage.Format.Format_RGB32 if opaque else QImage.Format.Format_ARGB32_Premultiplied)


def to_pixels(image: QImage) -> Pixels:
    """A `QImage` as ``(H, W, 4) uint8`` straight RGBA."""
    plain = image.convertToFormat(QImage.Format.Format_RGBA8888)
    rows = np.frombuffer(plain.constBits(), np.uint8).reshape(plain.height(), plain.bytesPerLine())
    return rows[:, : 4 * plain.width()].reshape(plain.height(), plain.width(), 4).copy()


def png_bytes(image: QImage) -> bytes:
    """The image as PNG."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # pyright: ignore[reportCallIssue, reportArgumentType]
    return bytes(data.data())


def scaled_for(image: QImage, side_px: int) -> QImage:
    """The image as large as fits a square of ``side_px``: whole pixel steps where there is room, else smooth."""
    largest = max(image.width(), image.height(), 1)
    factor = side_px // largest
    if factor >= 2:
        return image.scaled(image.size() * factor)
    size = QSize(side_px, side_px)
    return image.scaled(size, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)


def plain_icon(image: QImage) -> QIcon:
    """An icon that lists do not tint when it is chosen: colours matter here."""
    pixmap = QPixmap.fromImage(image)
    icon = QIcon(pixmap)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)
    return icon


def checkerboard(dark: bool, cell_px: int = 8) -> QBrush:
    """The brush that shows where a picture is transparent."""
    tile = QPixmap(2 * cell_px, 2 * cell_px)
    first, second = ("#26282e", "#33363d") if dark else ("#ffffff", "#dddbd6")
    tile.fill(QColor(first))
    painter = QPainter(tile)
    painter.fillRect(QRect(0, 0, cell_px, cell_px), QColor(second))
    painter.fillRect(QRect(cell_px, cell_px, cell_px, cell_px), QColor(second))
    painter.end()
    return QBrush(tile)
