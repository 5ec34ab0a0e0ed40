"""
Standby: wait until no other daemon holds the lease of a shared database.

It decides only whose turn it is, and keeps only one connection and the server for probes meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from alertd.clock import elapsed_s
from alertd.daemon.signals import Signals
from alertd.daemon.supervisor import Supervisor
from alertd.daemon.systemd import ServiceManager
from alertd.errors import StoreError
from alertd.log import get_logger
from alertd.settings.model import Settings
from alertd.store.opening import LeaseWatch
from alertd.store.url import PostgresUrl, parse_database_url

_LOOK_S = 2.0
"""Seconds between checks of the lease: it lasts 15 s, so a takeover begins at most 17 s after the holder's death."""


async def wait_for_turn(settings: Settings, manager: ServiceManager, signals: Signals) -> bool:
    """
    Return True once nobody holds the lease, immediately if the store is a file; False if a stop is requested meanwhile.

    Another process may still be quicker to take it.

    Args:
        manager: The service manager, for which a standby counts as started and well.
        signals: Signal when to stop.

    Raises:
        SettingsError: The database's URL, or the address to listen on, cannot be used.
        StoreError: The database cannot be reached at the start; later outages are waited out.
    """
    address = parse_database_url(settings.store_url())
    if not isinstance(address, PostgresUrl):
        return True
    watch = await asyncio.to_thread(LeaseWatch, address)
    try:
        holder = await asyncio.to_thread(watch.holder)
        if holder is None:
            return True
        async with Supervisor(on_failure=lambda _task: None) as tasks, _probes(settings, tasks.failing):
            with signals.watched():
                return await _stand_by(watch, holder, signals.stop, manager, tasks)
    finally:
        watch.close()


async def _stand_by(
    watch: LeaseWatch, holder: str, stop: asyncio.Event, manager: ServiceManager, tasks: Supervisor
) -> bool:
    log = get_logger()
    log.info("standby waiting", lease_held_by=holder)
    manager.ready()
    manager.status(f"standing by: {holder} holds the lease")
    watching = tasks.keep("watching the lease", lambda: _until_free(watch, holder, manager, tasks.failing))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not stop.is_set():
        return True
    log.info("alertd stopped")
    return False


async def _until_free(
    watch: LeaseWatch, holder: str, manager: ServiceManager, failing: Callable[[], tuple[str, ...]]
) -> None:
    """Check the lease until nobody holds it; outages of the database are waited out."""
    log, is_blind = get_logger(), False
    while True:
        await asyncio.sleep(_LOOK_S)
        manager.judged(failing())
        try:
            found = await asyncio.to_thread(watch.holder)
        except StoreError as error:
            if not is_blind:
                log.warning("lease not read", error=str(error))
            is_blind = True
            continue
        is_blind = False
        if found is None:
            log.info("standby taking over", lease_held_by_before=holder)
            return
        if found != holder:
            log.info("standby waiting", lease_held_by=found)
            manager.status(f"standing by: {found} holds the lease")
            holder = found


@asynccontextmanager
async def _probes(settings: Settings, failing: Callable[[], tuple[str, ...]]) -> AsyncIterator[None]:
    """Answer probes if configured: alive, unless a task fails repeatedly, and not ready."""
    listen_on = settings.listen()
    if listen_on is None:
        yield
        return
    # With `off` it is not imported.
    from alertd.web.guard import Guard  # noqa: PLC0415
    from alertd.web.server import serve  # noqa: PLC0415
    from alertd.web.session import Sessions  # noqa: PLC0415
    from alertd.web.standby import StandbyPages  # noqa: PLC0415

    guard = Guard(listen_on, sessions=Sessions(listen_on.token, timer=elapsed_s))
    async with serve(listen_on, guard, StandbyPages(failing).routes()):
        yield
