"""
Run the program with clocks that a file moves: seconds to add to the time, read anew at each look.

The wall clock moves, and the one that counts suspended time; the others go on: a day goes by in a test as it would
while a laptop is suspended.
"""

import os
import time
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import apscheduler.schedulers.base
import apscheduler.triggers.interval

import alertd.clock

CLOCK = Path(os.environ["E2E_CLOCK"])


def _now(zone: tzinfo | None = UTC) -> datetime:
    return datetime.now(zone) + timedelta(seconds=float(CLOCK.read_text()))  # noqa: TID251 -- this is the clock


def _elapsed_s() -> float:
    return time.monotonic() + float(CLOCK.read_text())


class _Moved(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return _now(tz)


def move_clock() -> None:
    """Put the file's clock in place of the system's, in this process."""
    # Its function may have been imported by name.
    alertd.clock.datetime = _Moved  # type: ignore[attr-defined]
    alertd.clock.elapsed_s = _elapsed_s
    apscheduler.schedulers.base.datetime = _Moved
    apscheduler.triggers.interval.datetime = _Moved


if __name__ == "__main__":
    move_clock()
    from alertd.__main__ import main

    main()
