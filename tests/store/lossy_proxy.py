"""A proxy before PostgreSQL that loses what it is notified to lose: real sockets, real half-open failures."""

import select
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path

_SOCKET = ".s.PGSQL.5432"


class Loss(StrEnum):
    """What becomes of the next COMMIT."""

    NOTHING = "nothing"
    ANSWER = "answer"
    """It reaches the server; its answer does not come back."""
    REQUEST = "request"
    """It does not reach the server."""
    SILENCE = "silence"
    """Its connection says nothing more; it does not reach the server."""
    SILENCE_AFTER = "silence after it"
    """It reaches the server, and its connection says nothing more."""


class LossyProxy:
    """Forwards everything, but for the next COMMIT as `loss` says, once; nothing of anybody while `is_silent`."""

    def __init__(self, target: Path, folder: Path) -> None:
        self.loss = Loss.NOTHING
        self.is_silent = False
        self.folder = folder
        self._target = target
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / _SOCKET))
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Take no more connections, and wait for the end of those that there are."""
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._target / _SOCKET))
                self._threads.append(threading.Thread(target=self._forward, args=(client, server)))
                self._threads[-1].start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, suppress(OSError):
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for source in ready:
                    data = source.recv(1 << 16)
                    if self.is_silent and data:
                        _swallow(client)
                        return
                    if not data or (source is client and self._is_lost(data, client, server)):
                        return
                    (server if source is client else client).sendall(data)

    def _is_lost(self, data: bytes, client: socket.socket, server: socket.socket) -> bool:
        """Lose a COMMIT as asked for; return whether it was one to lose."""
        if self.loss is Loss.NOTHING or b"COMMIT\0" not in data:
            return False
        loss, self.loss = self.loss, Loss.NOTHING
        if loss in {Loss.SILENCE, Loss.SILENCE_AFTER}:
            if loss is Loss.SILENCE_AFTER:
                server.sendall(data)
            _swallow(client)
            return True
        client.shutdown(socket.SHUT_RDWR)
        if loss is Loss.ANSWER:
            server.sendall(data)
            # Until the server has done it and says so.
            server.recv(1 << 16)
        return True


def _swallow(client: socket.socket) -> None:
    """Answer nothing until the client gives up."""
    while client.recv(1 << 16):
        pass


@contextmanager
def lossy_proxy(target: Path) -> Iterator[LossyProxy]:
    """Stand between a client and the server whose socket is in *target*."""
    with tempfile.TemporaryDirectory(prefix="alertd-proxy-") as folder:
        proxy = LossyProxy(target, Path(folder))
        try:
            yield proxy
        finally:
            proxy.close()
