"""The only place that asks the system for the time; everything below the edge gets `now` as an argument."""

import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Protocol


def utc_now() -> datetime:
    """Return the wall clock as an aware UTC datetime; it may be wrong, and may step at any moment."""
    return datetime.now(UTC)  # noqa: TID251 -- this is the one place


def monotonic_s() -> float:
    """Return seconds on a clock that never steps; only differences are meaningful."""
    return time.monotonic()


def elapsed_s() -> float:
    """
    Return seconds on a clock that never steps and counts the time in which the system was suspended.

    Only differences are meaningful. Falls back to `monotonic_s` where the system has no such clock.
    """
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(clock) if clock is not None else time.monotonic()


@cache
def boot_id() -> str:
    """
    Return an id of the system's boot from which `elapsed_s` counts; empty if the system has none.

    Source: https://docs.kernel.org/admin-guide/sysctl/kernel.html, random/boot_id.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


class Clock(Protocol):
    """The clocks of a system; tests pass their own."""

    def wall(self) -> datetime:
        """Return the wall clock, UTC; it may be wrong, and may step."""

    def elapsed_s(self) -> float:
        """Return seconds that never step and keep counting while the system is suspended."""

    def monotonic_s(self) -> float:
        """Return seconds that never step and stop while the system is suspended."""


class SystemClock:
    """The clocks of this system."""

    def wall(self) -> datetime:
        """Return the wall clock."""
        return utc_now()

    def elapsed_s(self) -> float:
        """Return seconds since some moment, suspended ones included."""
        return elapsed_s()

    def monotonic_s(self) -> float:
        """Return seconds since some moment, suspended ones left out."""
        return monotonic_s()


SYSTEM_CLOCK = SystemClock()
