"""What systemd does for a service of type notify, as far as needed: listen, kill what falls silent, start again."""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.e2e.daemon import Alertd, Child, wait_for

WATCHDOG_S = 4.0


class Supervisor:
    """
    Runs alertd under a watchdog.

    Args:
        address: Where it listens, spelt as in the environment; `@` for an abstract socket.
    """

    def __init__(self, alertd: Alertd, address: str) -> None:
        self._alertd = alertd
        alertd.env |= {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.settimeout(0.05)
        self._done = threading.Event()
        self.notified: list[tuple[float, list[str]]] = []
        """When, on the monotonic clock, and the lines of each datagram."""
        self.killed = 0
        self.child: Child | None = None

    @contextmanager
    def running(self, *, restarts: bool = False) -> Iterator[Child]:
        """Start alertd and listen; with *restarts* kill it by SIGABRT when it falls silent, and start it again."""
        self.child = self._alertd.start()
        listening = threading.Thread(target=self._listen, args=(restarts,), daemon=True)
        listening.start()
        try:
            yield self.child
        finally:
            self._done.set()
            listening.join(10)
            self._alertd.stop(self.child)
            self._drain()
            self._socket.close()

    def count(self, line: str) -> int:
        """Return how many datagrams held a line that begins so."""
        return sum(any(one.startswith(line) for one in lines) for _, lines in list(self.notified))

    def wait(self, line: str, count: int = 1) -> None:
        """Wait until so many datagrams held such a line."""
        wait_for(lambda: self.count(line) >= count, why=f"{count} times {line}, of {self.notified[-5:]}")

    def _listen(self, restarts: bool) -> None:
        heard_at: float | None = None
        while not self._done.is_set():
            lines = self._receive()
            if "READY=1" in lines or "WATCHDOG=1" in lines:
                heard_at = time.monotonic()
            # As systemd does, it watches only what said once that it was ready.
            if restarts and heard_at is not None and time.monotonic() - heard_at > WATCHDOG_S:
                assert self.child is not None
                self.child.send_signal(signal.SIGABRT)
                self.child.wait()
                self.killed += 1
                heard_at = None
                self.child = self._alertd.start()

    def _drain(self) -> None:
        while self._receive():
            pass

    def _receive(self) -> list[str]:
        with suppress(TimeoutError):
            lines = self._socket.recv(4096).decode().split("\n")
            self.notified.append((time.monotonic(), lines))
            return lines
        return []
