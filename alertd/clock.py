"""The only place that asks the system for the time; everything below the edge gets `now` as an argument."""

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the wall clock as an aware UTC datetime."""
    return datetime.now(UTC)  # noqa: TID251 -- this is the one place


def monotonic_s() -> float:
    """Return seconds on a clock that never steps; only differences mean anything."""
    return time.monotonic()
