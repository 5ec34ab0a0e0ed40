"""
Reads the names and states of owners beside the bills, without affecting them.

A failure costs a line in the status and one in the log when it begins or ends: no bill, no hour and no cycle depends on
it, and what was known stays.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from alertd.core.resources import ResourceKind, changes
from alertd.daemon.state import DaemonState, Plan
from alertd.daemon.store_gateway import StoreGateway
from alertd.daemon.utilization_intake import UtilizationIntake
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
