"""Days of the daemon, one after another: it is measured at the end of each, and started anew every ten."""

import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from unittest.mock import patch

from alertd.log import configure_logging
from tests.soak.daemon import PACES, START, surroundings
from tests.soak.loop import HastyLoop, system_of
from tests.soak.measure import Day, growth, measured, too_old

_DAY_S = 86_400.0
_DAYS_OF_A_LIFE = 10
_LOOKED_AT_EVERY = 2
_MOST_GROWN_BYTES = 8 * 2**20
"""From the second third of the days to the last one: what the allocator gives and takes, not what leaks."""
_WARM_UP = 0.4
"""The share of the days in which rules fill their windows and libraries their caches."""


@dataclass(slots=True)
class Outcome:
    """What became of a soak."""

    days: list[Day] = field(default_factory=list)
    polls: int = 0
    restarts: int = 0
    delivered: int = 0
    old_rows: list[str] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)

    def faults(self) -> list[str]:
        """Return what grew or stayed that should not have, in words."""
        warm = self.days[int(len(self.days) * _WARM_UP) :]
        grown = growth(warm, lambda day: day.resident_bytes)
        found = [f"memory grew by {grown / 2**20:.1f} MiB"] if grown > _MOST_GROWN_BYTES else []
        for what, of in _COUNTED.items():
            if (more := growth(warm, of)) > 0:
                found.append(f"{more:.0f} more {what}")
        found += [f"the store still has {rows}" for rows in self.old_rows]
        return found + [f"a page answered {status}" for status in sorted(self.statuses - {200, 503})]


_COUNTED: dict[str, Callable[[Day], int]] = {
    "descriptors": lambda day: day.descriptors,
    "threads": lambda day: day.threads,
    "tasks": lambda day: day.tasks,
}


def soaked(days: int, *, on_day: Callable[[Day], None] = lambda _day: None) -> Outcome:
    """Let the daemon live for so many days."""
    loop = HastyLoop()
    configure_logging(style="json", level="error", secrets=(), stream=sys.stderr)
    logging.disable(logging.WARNING)
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="alertd-soak-")))
            now = stack.enter_context(system_of(loop, START))
            for name, value in PACES.items():
                stack.enter_context(patch(name, value))
            stack.enter_context(patch.dict("os.environ"))
            return loop.run_until_complete(_live(folder, days, now=now, on_day=on_day))
    finally:
        logging.disable(logging.NOTSET)
        loop.close()


async def _live(folder: Path, days: int, *, now: Callable[[], datetime], on_day: Callable[[Day], None]) -> Outcome:
    outcome, loop = Outcome(), asyncio.get_running_loop()
    async with surroundings(folder, days=days, now=now) as soak:
        soak.write_rules(40)
        soak.start()
        for number in range(1, days + 1):
            await asyncio.sleep(number * _DAY_S - loop.time())
            soak.check()
            if number % _LOOKED_AT_EVERY == 0:
                await soak.look()
            soak.tidy()
            outcome.days.append(measured(number, folder))
            on_day(outcome.days[-1])
            if number % 7 == 0:
                soak.write_rules(40 + number % 3)
            if number % _DAYS_OF_A_LIFE == 0:
                await soak.stop()
                soak.start()
                outcome.restarts += 1
        await soak.stop()
        outcome.polls, outcome.delivered, outcome.statuses = soak.pings, soak.posts + soak.mails, soak.statuses
        outcome.old_rows = too_old(folder / "alertd.db", now())
    return outcome
