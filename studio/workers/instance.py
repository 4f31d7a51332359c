"""One window per library: a second start hands its files to the first and leaves. Local socket only, never a port."""

import hashlib
import logging
from contextlib import suppress
from pathlib import Path

import msgspec
from PySide6.QtCore import QLockFile, QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

WAIT_MS = 1000
"""How long a second start waits for the first one's answer."""
_LIMIT_BYTES = 1_000_000
_log = logging.getLogger(__name__)


class SingleInstance(QObject):
    """Claims a library folder.

    Signals:
        called(object): another start asked us to come forward; ``tuple[Path, ...]`` of files to open, may be empty.
    """

    called = Signal(object)

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        self._name = f"reverie-{digest}"
        self._lock = QLockFile(str(folder / "window.lock"))
        # A lock left by a killed process is recognised by its process id, not by its age.
        self._lock.setStaleLockTime(0)
        self._server: QLocalServer | None = None
        self._sockets: list[QLocalSocket] = []

    def claim(self) -> bool:
        """True when this process is the only window of the folder; it then listens for later starts.

        A folder on a full or read-only disk cannot be claimed, and is no reason not to open.
        """
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
        if not self._locked() and self._lock.error() == QLockFile.LockError.LockFailedError:
            return False
        QLocalServer.removeServer(self._name)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._on_server_connection)
        self._server.listen(self._name)
        return True

    def _locked(self) -> bool:
        if self._lock.tryLock(0):
            return True
        process_id, *_ = self._lock.getLockInfo()
        # A lock that names no process (a disk that was full, a crash of the machine) is nobody's.
        return not process_id and self._lock.removeStaleLockFile() and self._lock.tryLock(0)

    def leave(self, files: tuple[Path, ...]) -> int:
        """Hand ``files`` over and give the exit code: 0, or 1 when the lock is held but no window answers."""
        if self.hand_over(files):
            return 0
        _log.error(
            "Another Reverie holds %s but does not answer. Close it (it may run on another computer); "
            "if there is none, delete window.lock in that folder.",
            self._folder,
        )
        return 1

    def hand_over(self, files: tuple[Path, ...]) -> bool:
        """Give ``files`` to the window that runs already; False when it does not answer."""
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(WAIT_MS):
            return False
        socket.write(msgspec.json.encode([str(path.resolve()) for path in files]) + b"\n")
        told = socket.waitForBytesWritten(WAIT_MS) and socket.waitForReadyRead(WAIT_MS)
        socket.disconnectFromServer()
        return told

    def close(self) -> None:
        """Stop listening and free the folder."""
        self._sockets.clear()
        if self._server is not None:
            self._server.close()
        self._lock.unlock()

    def _on_server_connection(self) -> None:
        server = self._server
        socket = server.nextPendingConnection() if server else None
        if socket is None:
            return
        # Held here, not in a closure of its own signal: that would outlive the server that owns it.
        self._sockets.append(socket)
        socket.readyRead.connect(self._on_sockets_moved)
        socket.disconnected.connect(self._on_sockets_moved)
        self._on_sockets_moved()

    def _on_sockets_moved(self) -> None:
        for socket in tuple(self._sockets):
            if socket.canReadLine():
                self._answer(socket)
            elif socket.bytesAvailable() > _LIMIT_BYTES:
                socket.abort()
            if socket.state() == QLocalSocket.LocalSocketState.UnconnectedState and socket in self._sockets:
                self._sockets.remove(socket)

    def _answer(self, socket: QLocalSocket) -> None:
        try:
            names = msgspec.json.decode(bytes(socket.readLine().data()), type=list[str])
        except msgspec.MsgspecError:
            socket.abort()
            return
        socket.write(b"ok\n")
        socket.flush()
        self.called.emit(tuple(Path(name) for name in names))
