"""
Limits the open connections of HTTP clients, which keeps descriptors in reserve for polling, storing and sending.

When all places are taken, the connection that has been idle longest is closed; one being answered stays.
Independent of protocol and clock.
"""

import resource
from collections.abc import Callable

from alertd.core.dataclass import dataclass

MOST_CONNECTIONS = 256
"""Maximum number of connections: far more than the browsers, scrapers and probes of one daemon need."""
_RESERVED = 128
"""Descriptors reserved for store, billing API, receivers, log and connections accepted in one turn of the loop."""
_FEWEST = 8


def connections_allowed() -> int:
    """Return how many connections may be open: at most half of the process's descriptors beyond the reserve."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(_FEWEST, min(MOST_CONNECTIONS, (soft - _RESERVED) // 2))


@dataclass(eq=False, slots=True, kw_only=True)
class Place:
    """The place of one connection, from `ConnectionLimit.admit` to `leave`."""

    close: Callable[[], None]


class ConnectionLimit:
    """
    Gives places to connections, for the life of the server.

    Args:
        most: The number of places.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy: set[Place] = set()
        self._idle: dict[Place, None] = {}
        """Idle places, in the order in which they became idle."""

    def admit(self, close: Callable[[], None]) -> Place | None:
        """
        Return an idle place for a new connection; None if every connection is being answered.

        Args:
            close: Closes the connection; called at most once, to make room for another one.
        """
        while len(self._busy) + len(self._idle) >= self._most:
            if not self._idle:
                return None
            oldest = next(iter(self._idle))
            del self._idle[oldest]
            oldest.close()
        place = Place(close=close)
        self._idle[place] = None
        return place

    def answer(self, place: Place) -> None:
        """Protect a place while its connection is being answered."""
        if place in self._idle:
            del self._idle[place]
            self._busy.add(place)

    def rest(self, place: Place) -> None:
        """Release the protection; the place is reused after those that became idle earlier."""
        if place in self._busy:
            self._busy.discard(place)
            self._idle[place] = None

    def leave(self, place: Place) -> None:
        """Give a place back; may be called repeatedly."""
        self._busy.discard(place)
        self._idle.pop(place, None)
