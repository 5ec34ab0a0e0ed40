"""
When the daemon's jobs are due, by APScheduler, which only triggers; the supervisor's tasks do the work.

APScheduler goes by the wall clock, which may be set: `rearm` restarts every interval. The supervisor takes a turn
on its own, by a clock that is never set, if no trigger came for an interval plus the share `GRACE` of it.
Source: delivery.md, "APScheduler only triggers".
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Self

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from alertd.clock import utc_now

GRACE = 0.1
"""The fraction of an interval by which a trigger may be late before the supervisor proceeds without it."""


class Interval(IntervalTrigger):  # type: ignore[misc] # APScheduler has no types
    """An interval that restarts from now if whole turns were missed, instead of stepping through each of them."""

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """Return when the next turn is due."""
        is_behind = previous_fire_time is not None and now - previous_fire_time > 2 * self.interval
        # A clock that was years behind, then corrected, would step through every minute in between.
        found: datetime | None = (
            now + self.interval if is_behind else super().get_next_fire_time(previous_fire_time, now)
        )
        return found


class Schedule:
    """Sets an event when a job is due; a context manager for a running event loop."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )

    def __enter__(self) -> Self:
        self._scheduler.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._scheduler.shutdown(wait=False)

    def every(self, name: str, interval: timedelta, due: asyncio.Event) -> None:
        """Set the event after each interval, for the first time after one."""
        trigger = Interval(seconds=max(interval.total_seconds(), 1), timezone=UTC)
        self._scheduler.add_job(_set, trigger, args=[due], id=name)

    def wait_for(self, name: str) -> timedelta:
        """Return how long until a job's next turn, from zero to its interval."""
        job = self._scheduler.get_job(name)
        interval: timedelta = job.trigger.interval
        wait: timedelta = job.next_run_time - utc_now()
        return min(max(wait, timedelta()), interval)

    def rearm(self) -> None:
        """Restart every interval: the wall clock was set."""
        now = utc_now()
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=now + job.trigger.interval)


async def _set(due: asyncio.Event) -> None:
    # A coroutine, so that it runs on the loop: APScheduler runs plain functions in a thread.
    due.set()
