"""Free ports for programs whose port must be chosen before they start."""

import random
import socket

_BELOW_EPHEMERAL = range(10_000, 32_000)
"""Linux assigns ports from 32768 up to programs that request any port and to outgoing connections, so a port there that
was free a moment ago may be taken. Only these tests use this range."""
_RANDOM = random.SystemRandom()


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free and will not be assigned automatically."""
    while True:
        port = _RANDOM.choice(_BELOW_EPHEMERAL)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
