"""
Reads the names and states of owners beside the bills, without affecting them.

A failure costs a line in the status and one in the log when it begins or ends: no bill, no hour and no cycle depends on
it, and what was known stays.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from alertd.core.resources import ResourceKey, ResourceKind, changes
from alertd.core.utilization import LONGEST_GAP, slot_of, start_of_slot, with_samples
from alertd.daemon.state import DaemonState, Plan
from alertd.daemon.store_gateway import StoreGateway
from alertd.errors import ApiError, StoreError
from alertd.log import get_logger

DEADLINE_S = 5.0
"""Seconds, from the beginning of a cycle, for everything read beside the bills; the bills may take longer."""
_TITLES = {
    ResourceKind.INSTANCE: "instances",
    ResourceKind.ENDPOINT: "serverless endpoints",
    None: "utilisation",
}


class ResourceIntake:
    """
    Reads and stores the resources of each account configured for it, for the life of the intake.

    Args:
        may_file: Returns whether the time of a read is known to be right.
    """

    def __init__(self, store: StoreGateway, may_file: Callable[[], bool]) -> None:
        self._store = store
        self._may_file = may_file
        self._gaps: dict[tuple[str, ResourceKind | None], str] = {}
        self._read_at: dict[str, datetime] = {}
        self._log = get_logger()
        self._utilization = UtilizationIntake(store, may_file, lambda account, error: self._note(account, None, error))

    def gaps(self, plan: Plan) -> dict[str, str]:
        """Return the last failure of each account."""
        found: dict[str, list[str]] = {}
        for (account, kind), error in sorted(self._gaps.items(), key=lambda gap: (gap[0][0], _TITLES[gap[0][1]])):
            if account in plan.resource_accounts:
                found.setdefault(account, []).append(f"{_TITLES[kind]}: {error}")
        return {account: "; ".join(texts) for account, texts in found.items()}

    def read_at(self, plan: Plan) -> dict[str, datetime]:
        """Return when the instances of each account were last read."""
        return {account: at for account, at in self._read_at.items() if account in plan.resource_accounts}

    async def read_beside(self, bills: Awaitable[None], state: DaemonState, plan: Plan, now: datetime) -> None:
        """
        Await the bills, and read the resources meanwhile; reads that take longer than both limits are abandoned.

        Raises:
            StoreError: What was read could not be stored.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + DEADLINE_S
        reading = [
            asyncio.ensure_future(self._read(state, plan, account, kind, now))
            for account in sorted(plan.resource_accounts & set(plan.accounts))
            for kind in ResourceKind
        ]
        try:
            await bills
            if reading:
                await asyncio.wait(reading, timeout=max(0.0, until - loop.time()))
        finally:
            for task in reading:
                task.cancel()
            results = await asyncio.gather(*reading, return_exceptions=True)
        for result in results:
            if isinstance(result, StoreError):
                raise result

    async def _read(self, state: DaemonState, plan: Plan, account: str, kind: ResourceKind, now: datetime) -> None:
        try:
            listing = await plan.accounts[account].read_resources(kind)
        except ApiError as error:
            self._note(account, kind, error.brief)
            return
        except asyncio.CancelledError:
            self._note(account, kind, f"no answer within {DEADLINE_S:.0f} s")
            raise
        except Exception as error:  # noqa: BLE001 -- a bug here must not cost a bill
            # The exception's text may quote the answer.
            self._note(account, kind, f"failed ({type(error).__name__})")
            return
        if not self._may_file():
            return
        changed = changes(state.resources, listing, account=account, kind=kind, read_at=now)
        if changed:
            await self._store.call(lambda store: store.resources.save(changed))
            state.resources.update({resource.key: resource for resource in changed})
        self._note(account, kind, "" if listing.is_whole else "some entries could not be read")
        if kind is ResourceKind.INSTANCE:
            self._read_at[account] = now
            await self._utilization.read(state, plan, account, now)

    def _note(self, account: str, kind: ResourceKind | None, error: str) -> None:
        before = self._gaps.get((account, kind), "")
        if error:
            self._gaps[account, kind] = error
        else:
            self._gaps.pop((account, kind), None)
        if error != before:
            if error:
                self._log.warning("resources not read", account=account, kind=_TITLES[kind], error=error)
            else:
                self._log.info("resources read again", account=account, kind=_TITLES[kind])


MOST_FAILURES = 3
"""Consecutive failures after which a cycle stops reading: the API fails, not the instances."""
FIRST_LOOK = timedelta(days=1)
"""How far back utilisation is first read: an instance may have been idle for longer than the window."""
LONGEST_LOOK = timedelta(days=7)
"""How far back it is read after an outage; one answer for more would be too long."""


class UtilizationIntake:
    """
    Reads and stores the utilisation of the instances that rules use, the least recently read first.

    However many there are, and whichever fail, each has its turn before another has a second one.

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
