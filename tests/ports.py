"""Ports for programs that must be notified one before they start."""

import random
import socket

_BELOW_EPHEMERAL = range(10_000, 32_000)
"""Linux takes 32768 and up for whoever asks for any port, and for the near end of each connection: one that was free a
moment ago may be taken. Nobody but these tests asks for one down here."""
_RANDOM = random.SystemRandom()


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on, nor will by chance."""
    while True:
        port = _RANDOM.choice(_BELOW_EPHEMERAL)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
