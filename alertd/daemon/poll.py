"""
One poll of the daemon: a cycle with its figures and log line, and the wake-up of the delivery.

The service, `run --once`, the dry run and the demo all use it.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta

from alertd.clock import monotonic_s, utc_now
from alertd.core.rules.records import ClockRecord
from alertd.daemon.app import App
from alertd.daemon.state import BillSource
from alertd.errors import ApiError
from alertd.log import get_logger
from alertd.queries.cycle_report import CycleReport
from alertd.store.store import Store

_MOST_ROUNDS = 3
"""Reads in a row that the clock may disturb before the rest is left to the next poll."""
ONCE_PATIENCE = timedelta(seconds=30)
"""Seconds that `--once` waits for retries before it leaves them to the next run."""


async def run_cycle(
    app: App, now: datetime, *, everything: bool = False, clock: Callable[[], datetime] = utc_now
) -> CycleReport:
    """
    Run one cycle, keep its figures, log one line and wake the delivery.

    Args:
        clock: Returns when it finished.

    Raises:
        StoreError: The store failed; the cycle did not decide.
    """
    log = get_logger()
    try:
        report = await app.cycle.run(now, everything=everything)
        await app.gateway.record(report, clock())
    except BaseException:
        app.figures.note_failure()
        raise
    app.figures.note_cycle(report)
    app.delivery.wake()
    for move in report.moves:
        log.info("alert moved", alert=move)
    figures = {name: value for name, value in report.figures() if value != ""}
    (log.info if report.is_ok else log.warning)("cycle done", **figures)
    return report


async def poll(app: App, *, everything: bool = False, next_at: datetime | None = None) -> CycleReport:
    """
    Run one cycle by the checked time; if the clock is corrected during it, run it again at once.

    Args:
        next_at: When the next one is due, for readers of the store; None if none is planned.

    Raises:
        StoreError: The store failed; the cycle did not decide.
    """
    time = app.time
    for _ in range(_MOST_ROUNDS):
        time.begin()
        if time.wants_check:
            # Before anything is read with a time that may be wrong.
            await _ask_time(app.cycle.plan.accounts.values())
        report = await run_cycle(app, time.take(), everything=everything, clock=time.now)
        if not report.is_moved:
            break
    record = time.record()

    def note(store: Store) -> ClockRecord:
        store.meta.put_next_poll_at(next_at)
        return store.meta.put_clock(record)

    before = await app.gateway.call(note)
    if record.note and not before.note:
        get_logger().warning("clock not trusted", text=record.note)
    elif before.note and not record.note:
        get_logger().info("clock trusted again")
    return report


async def _ask_time(accounts: Iterable[BillSource]) -> None:
    """Query the API of every account for its time; a silent account is noticed when its bills are read."""

    async def ask(source: BillSource) -> None:
        with suppress(ApiError):
            await source.ask_time()

    await asyncio.gather(*map(ask, accounts))


async def run_once(app: App) -> bool:
    """
    Run one complete cycle, file the reports that are due, and deliver.

    Returns:
        Whether everything was read, judged, reported and delivered.
    """
    await app.delivery.recover()
    report = await poll(app, everything=True)
    is_reported = not app.time.is_checked or await app.reporter.run(app.time.now())
    is_delivered = await app.delivery.drain(patience=ONCE_PATIENCE)
    await app.mirroring.mirror()
    return report.is_ok and is_reported and is_delivered


async def renew_overview(app: App, now: datetime) -> None:
    """Update the data of status page and metrics; a failure affects nothing else."""
    begun = monotonic_s()
    try:
        overview = await app.cycle.overview(now)
    except (Exception, SystemExit):  # noqa: BLE001 -- as with rules: logged with its traceback; the last overview stays, with its time
        get_logger().exception("overview failed")
    else:
        app.figures.note_overview(overview, monotonic_s() - begun)
