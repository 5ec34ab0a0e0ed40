"""
Reports to the service manager: ready, reloading, stopping, alive, and a status line.

The protocol is systemd's: datagrams to the socket that `$NOTIFY_SOCKET` names. Without one nothing is sent.
Source: https://www.freedesktop.org/software/systemd/man/252/sd_notify.html
"""

import os
import socket
from collections.abc import MutableMapping

from alertd.clock import monotonic_s
from alertd.log import get_logger


class ServiceManager:
    """
    Reports to the service manager of this process, for its lifetime.

    Args:
        address: Path of a datagram socket, with `@` for an abstract one; empty without a manager.
        watchdog_s: Seconds without a sign of life after which the manager restarts the service; None for never.
    """

    def __init__(self, address: str = "", *, watchdog_s: float | None = None) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_s = watchdog_s
        self._log = get_logger()

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str]) -> "ServiceManager":
        """Return the manager named by the environment, and unset its variables, which are not for child processes."""
        address, usec, pid = (environment.pop(name, "") for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"))
        is_ours = pid in {"", str(os.getpid())}
        return cls(address, watchdog_s=int(usec) / 1e6 if address and is_ours and usec.isdecimal() else None)

    @property
    def alive_every_s(self) -> float | None:
        """
        Seconds between signs of life; None if the manager does not watch.

        Twice as often as requested, so that a short delay does not look like death.
        """
        return self._watchdog_s / 4 if self._watchdog_s else None

    def ready(self) -> None:
        """Report that the service is ready, initially or after a reload."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Report the start of a reload, which `ready` ends."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={int(monotonic_s() * 1e6)}")

    def stopping(self) -> None:
        """Report that the service is stopping."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """Set the line shown by `systemctl status`."""
        self._send(f"STATUS={text}")

    def judged(self, stuck: tuple[str, ...]) -> None:
        """Report that the service is alive, or what is stuck; the manager restarts what is stuck for too long."""
        if stuck:
            self.status(f"stuck: {'; '.join(stuck)}")
        elif self._watchdog_s:
            self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
                # A manager that does not read must not block the loop.
                sending.setblocking(False)
                sending.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            self._log.warning("service manager not notified", what=lines[0], error=error.strerror or str(error))
