"""
Reads the utilisation of instances within a cycle's time limit, the least recently read first.

However many there are, and whichever fail, each has its turn before another has a second one.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from alertd.core.resources import ResourceKey, ResourceKind
from alertd.core.utilization import LONGEST_GAP, slot_of, start_of_slot, with_samples
from alertd.daemon.state import DaemonState, Plan
from alertd.daemon.store_gateway import StoreGateway
from alertd.errors import ApiError, StoreError

MOST_FAILURES = 3
"""Consecutive failures after which a cycle stops reading: the API fails, not the instances."""
FIRST_LOOK = timedelta(days=1)
"""How far back utilisation is first read: an instance may have been idle for longer than the window."""
LONGEST_LOOK = timedelta(days=7)
"""How far back it is read after an outage; one answer for more would be too long."""


class UtilizationIntake:
    """
    Reads and stores the utilisation of the instances that rules use, for the life of the intake.

    Args:
        may_file: Returns whether the time of a read is known to be right.
        note: Called with an account and its last failure, empty after success.
    """

    def __init__(self, store: StoreGateway, may_file: Callable[[], bool], note: Callable[[str, str], None]) -> None:
        self._store = store
        self._may_file = may_file
        self._note = note
        self._tried: dict[ResourceKey, None] = {}
        """Instances in the order of their last read, the oldest first, independent of the clock."""
        self._failing: set[ResourceKey] = set()

    async def read(self, state: DaemonState, plan: Plan, account: str, now: datetime) -> None:
        """
        Read the running instances of an account until all are read, or it is cancelled.

        Instances that failed last time are read concurrently, so that one without an answer does not block others.

        Raises:
            StoreError: What was read could not be stored.
        """
        asked = {
            resource.key: window
            for resource in state.resources.values()
            if resource.account == account
            and resource.kind is ResourceKind.INSTANCE
            and resource.is_running
            and (window := plan.asks_utilization(*resource.key))
        }
        self._failing = {key for key in self._failing if key[0] != account or key in asked}
        self._tried = {key: None for key in self._tried if key[0] != account or key in asked}
        # For instances not read since alertd started, the store has the time of the last read.
        fresh = sorted(
            asked.keys() - self._tried.keys(), key=lambda key: (max(state.utilization.get(key, ()), default=0), key)
        )
        due = [*fresh, *(key for key in self._tried if key in asked)]
        well = [key for key in due if key not in self._failing]
        failing = [key for key in due if key in self._failing]

        async def read_each(keys: list[ResourceKey]) -> None:
            await self._read_each(state, plan, {key: asked[key] for key in keys}, now)

        readers = [asyncio.ensure_future(read_each(keys)) for keys in (well, failing)]
        try:
            await asyncio.gather(*readers)
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
        if not self._failing.intersection(asked):
            self._note(account, "")

    async def _read_each(
        self, state: DaemonState, plan: Plan, asked: Mapping[ResourceKey, timedelta], now: datetime
    ) -> None:
        failures = 0
        for number, (key, window) in enumerate(asked.items()):
            error = await self._try_one(state, plan, key, window, now, is_first=number == 0)
            self._put_last(key)
            if not error:
                self._failing.discard(key)
                failures = 0
                continue
            self._failing.add(key)
            self._note(key[0], error)
            failures += 1
            if failures == MOST_FAILURES:
                return

    async def _try_one(
        self, state: DaemonState, plan: Plan, key: ResourceKey, window: timedelta, now: datetime, *, is_first: bool
    ) -> str:
        """Return the failure; empty on success."""
        try:
            await self._read_one(state, plan, key, window, now)
        except ApiError as error:
            return error.brief
        except asyncio.CancelledError:
            # The cycle is over: a read that had its full time has failed; the others come first in the next cycle.
            if is_first:
                self._put_last(key)
                self._failing.add(key)
            raise
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 -- a bug here must not cost a bill
            # The exception's text may quote the answer.
            return f"failed ({type(error).__name__})"
        return ""

    def _put_last(self, key: ResourceKey) -> None:
        self._tried.pop(key, None)
        self._tried[key] = None

    async def _read_one(
        self, state: DaemonState, plan: Plan, key: ResourceKey, window: timedelta, now: datetime
    ) -> None:
        known = state.utilization.get(key, {})
        # The last sampled slot may be incomplete.
        first = now - max(window + LONGEST_GAP, FIRST_LOOK)
        start = max(start_of_slot(max(known)), now - LONGEST_LOOK) if known else first
        samples = await plan.accounts[key[0]].read_utilization(key[1], start, now)
        if samples and self._may_file():
            slots = with_samples(known, samples, now)
            await self._store.save_utilization(key, slots, min(slot_of(seconds) for seconds, _ in samples))
            state.utilization[key] = slots
