"""
How many connections others may hold open at once: descriptors are kept in reserve for polling, storing and sending.

Where all places are taken, the connection that has been idle for longest makes room; one that is being answered stays.
Nothing here knows a protocol or a clock.
"""

import resource
from collections.abc import Callable

from alertd.core.dataclass import dataclass

MOST_CONNECTIONS = 256
"""Far more than browsers, scrapers and probes of one daemon ever hold."""
_RESERVED = 128
"""Descriptors for store, billing API, receivers, log and what is accepted in one turn of the loop."""
_FEWEST = 8


def connections_allowed() -> int:
    """Return how many connections may be open, by this process's limit of descriptors: at most half of the rest."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(_FEWEST, min(MOST_CONNECTIONS, (soft - _RESERVED) // 2))


@dataclass(eq=False, slots=True, kw_only=True)
class Place:
    """One connection's place, from `ConnectionLimit.admit` to `leave`."""

    close: Callable[[], None]


class ConnectionLimit:
    """
    Gives places to connections, for as long as the server lives.

    Args:
        most: How many places there are.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._busy: set[Place] = set()
        self._idle: dict[Place, None] = {}
        """In the order in which they became idle."""

    def admit(self, close: Callable[[], None]) -> Place | None:
        """
        Return an idle place for a new connection; None where every connection is being answered.

        Args:
            close: Closes the connection; called at most once, when it makes room for another one.
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
        """Keep a place from being taken while its connection is answered."""
        if place in self._idle:
            del self._idle[place]
            self._busy.add(place)

    def rest(self, place: Place) -> None:
        """Let a place be taken again, after those that are idle already."""
        if place in self._busy:
            self._busy.discard(place)
            self._idle[place] = None

    def leave(self, place: Place) -> None:
        """Give a place back; may be called more than once."""
        self._busy.discard(place)
        self._idle.pop(place, None)
